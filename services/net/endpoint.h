/* endpoint.h - one server to talk to: host, port, user, TLS.
 *
 * Pure: text and JSON in, a value out. Passwords are not part of it; they travel
 * as struct secret and are asked for before each connect.
 *
 * Source: api.md "Endpoint reference"; redis-cli's URL form
 * (redis://[user[:password]@]host:port[/db]).
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/base/err.h"
#include "proto/base/str.h"

struct endpoint {
    char host[256]; /* name or address, NUL-terminated; IPv6 without brackets */
    uint16_t port;
    char username[129]; /* "" = the default user */
    bool has_password;
    int database; /* of the URL's path; -1 = none named */
    bool tls;
    bool tls_verify;
    char tls_server_name[256]; /* "" = host */
    char *tls_ca_pem;          /* owned; NULL = the system's trust store */
    char *tls_client_cert_pem; /* owned or NULL */
    uint32_t connect_timeout_ms;
    char label[300]; /* "host:port" or "host:port/db": what people are shown */
};

#define ENDPOINT_INIT ((struct endpoint){.port = 6379, .database = -1, .connect_timeout_ms = 5000})

void endpoint_done(struct endpoint *ep);
