/* endpoint.h - one end of a migration: a server to talk to (host and port or a unix socket,
 * user, TLS), or a snapshot file to read.
 *
 * Pure: text and JSON in, a value out. What is secret is not part of it: the
 * password and the client's private key travel as struct credentials, which a
 * child asks for before each connect.
 *
 * Source: web-api/openapi.yaml; redis-cli's URL form (redis://[user[:password]@]host[:port][/db]);
 * redis-py's for sockets (unix://[user:password@]/path[?db=n]).
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/base/err.h"
#include "proto/base/str.h"
#include "services/secret/secret.h"

enum {
    ENDPOINT_FILE_MAX = 255,
    ENDPOINT_SOCKET_MAX = 107, /* what sun_path holds */
    ENDPOINT_PASSWORD_MAX = 512,
    ENDPOINT_USERNAME_MAX = 128,
    ENDPOINT_PEM_MAX = 64 * 1024,
    ENDPOINT_POINTER_SIZE = 64,
};

enum endpoint_verify {
    ENDPOINT_VERIFY_FULL, /* chain and name */
    ENDPOINT_VERIFY_CA,   /* chain only */
    ENDPOINT_VERIFY_NONE,
};

/* Where else to look: the other members of a group, whichever of them is the primary now. */
struct endpoint_address {
    char host[256];
    uint16_t port;
};

enum { ENDPOINT_OTHERS_MAX = 7, ENDPOINT_MASTER_MAX = 128, ENDPOINT_MAP_MAX = 256 };

/* Where to dial what a server announces: an address of a Sentinel's or a cluster's answer. A host
 * that ends with '*' stands for all that begin so; port 0: any, and the announced one. */
struct endpoint_mapping {
    struct endpoint_address announced, dial;
};

/* Owns its PEMs and its map: endpoint_done() when it is not needed any more, endpoint_dup()
 * for a second one; a plain assignment moves the ownership. */
struct endpoint {
    char file[ENDPOINT_FILE_MAX + 1]; /* not "": a snapshot below the import directory, and
                                         nothing else here has a meaning but the label */
    char host[256];                   /* name or address, NUL-terminated; IPv6 without brackets; or
                                         the path of a unix socket, which begins with a slash */
    uint16_t port;                    /* without a meaning for a unix socket */
    struct endpoint_address others[ENDPOINT_OTHERS_MAX]; /* host and port are the first address */
    uint8_t other_count;
    char sentinel_master[ENDPOINT_MASTER_MAX + 1]; /* not "": the addresses are those of Sentinels,
                                                      which know the server by this name */
    bool cluster; /* the addresses are those of members of a cluster, any of them */
    struct endpoint_mapping *address_map; /* owned; NULL = none. The first row that fits counts */
    size_t map_count;
    char sentinel_username[ENDPOINT_USERNAME_MAX + 1]; /* of the Sentinels themselves */
    bool sentinel_has_password;
    char username[ENDPOINT_USERNAME_MAX + 1]; /* "" = the default user */
    bool has_password;                        /* a password belongs to it: auth.configured */
    char secret_ref[ENDPOINT_FILE_MAX + 1];   /* not "": the password is in this file below
                                                 KEYFERRY_SECRETS_DIR of the workers */
    int database;                             /* of the URL's path; -1 = none named */
    bool tls;
    enum endpoint_verify tls_verify;
    char tls_server_name[256]; /* "" = host */
    char *tls_ca_pem;          /* owned; NULL = the system's trust store */
    char *tls_client_cert_pem; /* owned or NULL; its key is in struct credentials */
    uint32_t connect_timeout_ms;
    char label[300]; /* "host:port", "host:port/db", "unix:/path", "unix:/path?db=n" or "file:name":
                        what people are shown */
};

#define ENDPOINT_INIT ((struct endpoint){.port = 6379, .database = -1, .connect_timeout_ms = 5000})

/* What a login needs beside the endpoint. */
struct credentials {
    struct secret password;          /* none = no AUTH is sent */
    struct secret client_key_pem;    /* none = no client certificate */
    struct secret sentinel_password; /* none = no AUTH is sent to Sentinels */
};

#define CREDENTIALS_INIT                                                                           \
    ((struct credentials){                                                                         \
        .password = SECRET_INIT, .client_key_pem = SECRET_INIT, .sentinel_password = SECRET_INIT})

void endpoint_done(struct endpoint *ep);
void credentials_done(struct credentials *cred);

/* A copy with PEMs and a map of its own. */
struct endpoint endpoint_dup(const struct endpoint *ep);

static inline bool endpoint_is_file(const struct endpoint *ep) {
    return ep->file[0] != '\0';
}

static inline bool endpoint_is_unix(const struct endpoint *ep) {
    return ep->host[0] == '/';
}

static inline bool endpoint_is_cluster(const struct endpoint *ep) {
    return ep->cluster;
}

/* The server to talk to is to be found first (services/redis/redis_primary.h). A cluster is no
 * group: it is many servers (services/redis/redis_cluster.h). */
static inline bool endpoint_is_group(const struct endpoint *ep) {
    return !ep->cluster && (ep->other_count > 0 || ep->sentinel_master[0] != '\0');
}

/* The server of that host and port instead, with everything else that `ep` has: what a server
 * announced, which the map may send elsewhere. *ret borrows what `ep` owns. Whether it may be
 * dialled is decided when it is (egress.h). Errors: PROTOCOL (a path, or no address at all). */
MUST_CHECK bool endpoint_of_announced(const struct endpoint *ep, const char *host, uint16_t port,
                                      struct endpoint *ret, struct err *err);

/* A copy of the map, or NULL. */
struct endpoint_mapping *endpoint_map_dup(const struct endpoint *ep);

/* Which server it is, whatever user and database: "host:port" in lower case, or the path of
 * its socket. */
void endpoint_server(const struct endpoint *ep, char dst[300]);

/* Read redis://[user:password@]host[:port][,host[:port]…][/db], rediss:// (TLS, verified),
 * redis+sentinel://[user:password@]host[:port][,…]/master[/db] (rediss+sentinel: TLS to all),
 * redis+cluster://[user:password@]host[:port][,…][/db] (rediss+cluster likewise),
 * unix://[user:password@]/path[?db=n] or file:NAME (percent-encoded; a relative path without "."
 * and ".."). *ret and *ret_password are set on success only; *ret_password is none when the URL has
 * none. No error text quotes the URL: it may hold a password. Errors: VALIDATION,
 * AMBIGUOUS_USERINFO (user info without a colon). */
MUST_CHECK bool endpoint_parse_url(struct str url, struct endpoint *ret,
                                   struct secret *ret_password, struct err *err);

/* Read an endpoint reference as a request carries it: {"url": …} or {"inline": …};
 * with a url, "tls", "connect_timeout_ms" and, of Sentinels, "sentinel" with their login may stand
 * beside it (rediss only for tls). Unknown members are refused. On failure `ret_pointer` names the
 * member by a JSON pointer inside the reference ("" = the whole). Errors: as endpoint_parse_url. */
MUST_CHECK bool endpoint_parse_reference(const json_t *reference, struct endpoint *ret,
                                         struct credentials *ret_credentials,
                                         char ret_pointer[ENDPOINT_POINTER_SIZE], struct err *err);

/* The `inline` object: what is stored in a job and put into a child's specification. It
 * holds no secret. A new reference; never NULL. Shape:
 *   {"endpoints":[{"host","port"}, …] (a socket's without port),
 * "topology":"standalone"|"sentinel"|"cluster", "sentinel":{"master_name","username",
 * "configured"} (of that topology), "address_map":[{"announced","dial"}, …] (where there is one),
 * "database":n|null, "auth":{"username","configured"},
 * "tls":{"enabled","verify","server_name","ca_pem", "client_cert_pem"}, "connect_timeout_ms":n,
 * "label"} or, of a file, {"file", "label"}. */
json_t *endpoint_to_json(const struct endpoint *ep);

/* Read what endpoint_to_json wrote, or the `inline` object of a request (then with
 * auth.password, tls.client_key_pem and sentinel.password, which go to *ret_credentials; NULL there
 * refuses them).
 * Errors: VALIDATION, NOT_SUPPORTED_YET; ret_pointer as above (may be NULL). */
MUST_CHECK bool endpoint_from_json(const json_t *inline_form, struct endpoint *ret,
                                   struct credentials *ret_credentials,
                                   char ret_pointer[ENDPOINT_POINTER_SIZE], struct err *err);

/* What is sealed into one column and handed to a child: members "password" and
 * "client_key_pem", each only when there is one. A new reference. */
json_t *credentials_to_json(const struct credentials *cred);
MUST_CHECK bool credentials_from_json(const json_t *from, struct credentials *ret, struct err *err);
