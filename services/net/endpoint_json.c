#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/net/endpoint_read.h"
#include "services/net/endpoint_rules.h"

static bool read_timeout(struct endpoint_reading *r, const json_t *object, struct endpoint *ep) {
    json_int_t timeout = ep->connect_timeout_ms;

    if (!endpoint_read_number(r, object, "connect_timeout_ms", "/connect_timeout_ms", 100, 60000,
                              &timeout))
        return false;
    ep->connect_timeout_ms = (uint32_t)timeout;
    return true;
}

/* The addresses behind the first. */
static bool read_others(struct endpoint_reading *r, const json_t *list, struct endpoint *ep) {
    static const char *const known[] = {"host", "port", NULL};
    static const char *const later[] = {"role", NULL};

    for (size_t i = 1; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        json_int_t port = ENDPOINT_INIT.port;
        struct str host;
        bool given;

        if (!endpoint_read_members(r, "/endpoints", one, known, later) ||
            !endpoint_read_text(r, one, "host", "/endpoints", &host, &given) ||
            !endpoint_read_number(r, one, "port", "/endpoints", 1, UINT16_MAX, &port))
            return false;
        if (endpoint_is_unix(ep))
            return endpoint_read_wrong(r, "/endpoints", ERR_VALIDATION,
                                       "a unix socket stands alone");
        if (!endpoint_add_address(ep, host, (uint16_t)port, r->err))
            return endpoint_read_wrong_at(r, "/endpoints");
    }
    return true;
}

static bool read_sentinel(struct endpoint_reading *r, const json_t *from, bool is_sentinel,
                          struct endpoint *ep, struct credentials *cred) {
    static const char *const known[] = {"master_name", "username", "password", "configured", NULL};
    static const char *const later[] = {NULL};
    const json_t *object = json_object_get(from, "sentinel");
    struct str name;
    bool given;

    if (!object || json_is_null(object))
        return !is_sentinel || endpoint_read_wrong(r, "/sentinel", ERR_VALIDATION,
                                                   "is needed by the topology sentinel");
    if (!is_sentinel)
        return endpoint_read_wrong(r, "/sentinel", ERR_VALIDATION, "needs the topology sentinel");
    return endpoint_read_members(r, "/sentinel", object, known, later) &&
           endpoint_read_text(r, object, "master_name", "/sentinel/master_name", &name, &given) &&
           (endpoint_set_sentinel_master(ep, name, r->err) ||
            endpoint_read_wrong_at(r, "/sentinel/master_name")) &&
           endpoint_read_sentinel_login(r, object, ep, cred);
}

static bool read_topology(struct endpoint_reading *r, struct str name, struct endpoint *ep) {
    ep->cluster = str_equal(name, STR_LIT("cluster"));
    if (ep->cluster && endpoint_is_unix(ep))
        return endpoint_read_wrong(r, "/topology", ERR_VALIDATION,
                                   "members of a cluster announce no unix sockets");
    if (str_equal(name, STR_LIT("proxy")))
        return endpoint_read_wrong(r, "/topology", ERR_NOT_SUPPORTED_YET, "is not built yet");
    return ep->cluster || str_equal(name, STR_LIT("auto")) ||
           str_equal(name, STR_LIT("standalone")) || str_equal(name, STR_LIT("sentinel")) ||
           endpoint_read_wrong(r, "/topology", ERR_VALIDATION,
                               "must be auto, standalone, sentinel or cluster");
}

static bool read_address(struct endpoint_reading *r, const json_t *object, struct endpoint *ep,
                         struct credentials *cred) {
    static const char *const known[] = {"host", "port", NULL};
    static const char *const later[] = {"role", NULL};
    const json_t *list = json_object_get(object, "endpoints"), *first;
    json_int_t port = ep->port, database = ep->database;
    struct str host, topology;
    bool given;

    if (!json_is_array(list) || json_array_size(list) == 0)
        return endpoint_read_wrong(r, "/endpoints", ERR_VALIDATION, "must be a list of addresses");
    first = json_array_get(list, 0);
    if (!endpoint_read_members(r, "/endpoints/0", first, known, later) ||
        !endpoint_read_text(r, first, "host", "/endpoints/0/host", &host, &given) ||
        !endpoint_read_number(r, first, "port", "/endpoints/0/port", 1, UINT16_MAX, &port))
        return false;
    if (!endpoint_set_server(ep, host, r->err))
        return endpoint_read_wrong_at(r, "/endpoints/0/host");
    if (endpoint_is_unix(ep) && json_object_get(first, "port"))
        return endpoint_read_wrong(r, "/endpoints/0/port", ERR_VALIDATION,
                                   "a unix socket has no port");
    if (!endpoint_read_number(r, object, "database", "/database", 0, ENDPOINT_DATABASE_MAX,
                              &database) ||
        !endpoint_read_text(r, object, "topology", "/topology", &topology, &given))
        return false;
    if (given && !read_topology(r, topology, ep))
        return false;
    if (!read_others(r, list, ep) ||
        !read_sentinel(r, object, given && str_equal(topology, STR_LIT("sentinel")), ep, cred))
        return false;
    ep->port = (uint16_t)port;
    ep->database = (int)database;
    return true;
}

/* What endpoint_to_json wrote of a file. */
static bool read_file(struct endpoint_reading *r, const json_t *from, struct endpoint *ep) {
    static const char *const known[] = {"file", "label", NULL};
    static const char *const later[] = {NULL};
    struct str name;
    bool given;

    if (!endpoint_read_members(r, "", from, known, later) ||
        !endpoint_read_text(r, from, "file", "/file", &name, &given))
        return false;
    return endpoint_set_file(ep, name, r->err) || endpoint_read_wrong_at(r, "/file");
}

/* Made by us, never chosen: taken back in what we wrote, but not with another meaning. */
static bool read_label(struct endpoint_reading *r, const json_t *from, struct endpoint *ep) {
    struct str label;
    bool given;

    if (!endpoint_read_text(r, from, "label", "/label", &label, &given))
        return false;
    endpoint_make_label(ep);
    if (given && !str_equal(label, str_from(ep->label)))
        return endpoint_read_wrong(r, "/label", ERR_VALIDATION, "is made from what it names");
    return true;
}

static bool read_inline(struct endpoint_reading *r, const json_t *from, struct endpoint *ep,
                        struct credentials *cred) {
    static const char *const known[] = {
        "endpoints",          "topology", "database", "auth",        "tls",
        "connect_timeout_ms", "label",    "sentinel", "address_map", NULL};
    static const char *const later[] = {"engine", "read_preference", "name", "region",
                                        "labels", "access_method",   "live", NULL};

    if (json_object_get(from, "file"))
        return read_file(r, from, ep) && read_label(r, from, ep);
    if (!endpoint_read_members(r, "", from, known, later) || !read_address(r, from, ep, cred) ||
        !endpoint_read_auth(r, json_object_get(from, "auth"), ep, cred) ||
        !endpoint_read_tls(r, json_object_get(from, "tls"), NULL, ep, cred) ||
        !read_timeout(r, from, ep) ||
        !endpoint_read_map(r, json_object_get(from, "address_map"), ep))
        return false;
    return read_label(r, from, ep);
}

static bool read_url(struct endpoint_reading *r, const json_t *from, struct endpoint *ep,
                     struct credentials *cred) {
    static const char *const known[] = {"url",      "auth",        "tls", "connect_timeout_ms",
                                        "sentinel", "address_map", NULL};
    static const char *const login[] = {"username", "password", NULL};
    static const char *const later[] = {NULL};
    static const char *const url_only[] = {"url", NULL};
    const json_t *sentinel = json_object_get(from, "sentinel");
    struct str url;
    bool given, scheme_tls;

    if (!endpoint_read_members(r, "", from, known, later) ||
        !endpoint_read_text(r, from, "url", "/url", &url, &given))
        return false;
    if (!endpoint_parse_url(url, ep, &cred->password, r->err))
        return endpoint_read_wrong_at(r, "/url");
    if (endpoint_is_file(ep))
        return endpoint_read_members(r, "", from, url_only, later); /* it has no login and no TLS */
    if (sentinel && !json_is_null(sentinel) && !ep->sentinel_master[0])
        return endpoint_read_wrong(r, "/sentinel", ERR_VALIDATION, "the URL names no Sentinels");
    if (sentinel && !json_is_null(sentinel) &&
        (!endpoint_read_members(r, "/sentinel", sentinel, login, later) ||
         !endpoint_read_sentinel_login(r, sentinel, ep, cred)))
        return false;
    scheme_tls = ep->tls;
    return endpoint_read_auth(r, json_object_get(from, "auth"), ep, cred) &&
           endpoint_read_tls(r, json_object_get(from, "tls"), &scheme_tls, ep, cred) &&
           read_timeout(r, from, ep) &&
           endpoint_read_map(r, json_object_get(from, "address_map"), ep);
}

bool endpoint_from_json(const json_t *inline_form, struct endpoint *ret,
                        struct credentials *ret_credentials,
                        char ret_pointer[ENDPOINT_POINTER_SIZE], struct err *err) {
    struct endpoint_reading r = {.pointer = ret_pointer, .err = err};
    struct endpoint ep = ENDPOINT_INIT;
    struct credentials cred = CREDENTIALS_INIT;

    if (!read_inline(&r, inline_form, &ep, ret_credentials ? &cred : NULL)) {
        endpoint_done(&ep);
        credentials_done(&cred);
        return false;
    }
    *ret = ep;
    if (ret_credentials)
        *ret_credentials = cred;
    return true;
}

bool endpoint_parse_reference(const json_t *reference, struct endpoint *ret,
                              struct credentials *ret_credentials,
                              char ret_pointer[ENDPOINT_POINTER_SIZE], struct err *err) {
    static const char *const inline_only[] = {"inline", NULL};
    static const char *const later[] = {"instance_id", "account_id", "role_name", "external_id",
                                        NULL};
    struct endpoint_reading r = {.pointer = ret_pointer, .err = err};
    struct endpoint ep = ENDPOINT_INIT;
    struct credentials cred = CREDENTIALS_INIT;
    char inner[ENDPOINT_POINTER_SIZE - 8] = "";

    if (!json_is_object(reference))
        return endpoint_read_wrong(&r, "", ERR_VALIDATION, "must be an object");
    if (!json_object_get(reference, "url")) {
        if (!endpoint_read_members(&r, "", reference, inline_only, later))
            return false;
        if (!json_object_get(reference, "inline"))
            return endpoint_read_wrong(&r, "", ERR_VALIDATION, "needs a member url or inline");
        if (endpoint_from_json(json_object_get(reference, "inline"), ret, ret_credentials,
                               ret_pointer, err))
            return true;
        if (ret_pointer) {
            snprintf(inner, sizeof(inner), "%.*s", (int)sizeof(inner) - 1, ret_pointer);
            snprintf(ret_pointer, ENDPOINT_POINTER_SIZE, "/inline%s", inner);
        }
        return false;
    }
    if (!read_url(&r, reference, &ep, &cred)) {
        endpoint_done(&ep);
        credentials_done(&cred);
        return false;
    }
    *ret = ep;
    *ret_credentials = cred;
    return true;
}

json_t *endpoint_to_json(const struct endpoint *ep) {
    static const char *const verify[] = {"full", "ca", "none"};
    json_t *tls =
        json_pack("{s:b, s:s, s:s*, s:s*}", "enabled", ep->tls, "verify", verify[ep->tls_verify],
                  "ca_pem", ep->tls_ca_pem, "client_cert_pem", ep->tls_client_cert_pem);
    json_t *root;

    if (endpoint_is_file(ep)) {
        json_decref(tls);
        return json_pack("{s:s, s:s}", "file", ep->file, "label", ep->label);
    }
    if (ep->tls_server_name[0])
        json_object_set_new(tls, "server_name", json_string(ep->tls_server_name));
    if (ep->tls_client_cert_pem)
        json_object_set_new(tls, "client_key_configured", json_true());
    root = json_pack("{s:[{s:s, s:i}], s:s, s:{s:s, s:b}, s:o, s:i, s:s}", "endpoints", "host",
                     ep->host, "port", (int)ep->port, "topology", "standalone", "auth", "username",
                     ep->username, "configured", ep->has_password, "tls", tls, "connect_timeout_ms",
                     (int)ep->connect_timeout_ms, "label", ep->label);
    if (!root)
        abort();
    if (endpoint_is_unix(ep))
        json_object_del(json_array_get(json_object_get(root, "endpoints"), 0), "port");
    if (ep->secret_ref[0])
        json_object_set_new(json_object_get(root, "auth"), "secret_ref",
                            json_sprintf("file:%s", ep->secret_ref));
    for (int i = 0; i < ep->other_count; i++)
        json_array_append_new(
            json_object_get(root, "endpoints"),
            json_pack("{s:s, s:i}", "host", ep->others[i].host, "port", (int)ep->others[i].port));
    if (ep->sentinel_master[0]) {
        json_object_set_new(root, "topology", json_string("sentinel"));
        json_object_set_new(root, "sentinel",
                            json_pack("{s:s, s:s, s:b}", "master_name", ep->sentinel_master,
                                      "username", ep->sentinel_username, "configured",
                                      ep->sentinel_has_password));
    }
    if (endpoint_is_cluster(ep))
        json_object_set_new(root, "topology", json_string("cluster"));
    if (ep->map_count > 0)
        json_object_set_new(root, "address_map", endpoint_map_json(ep));
    json_object_set_new(root, "database",
                        ep->database < 0 ? json_null() : json_integer(ep->database));
    return root;
}

json_t *credentials_to_json(const struct credentials *cred) {
    json_t *root = json_object();
    struct str password = secret_str(&cred->password), key = secret_str(&cred->client_key_pem);
    struct str sentinel = secret_str(&cred->sentinel_password);

    if (password.len > 0)
        json_object_set_new(root, "password", json_stringn(password.ptr, password.len));
    if (key.len > 0)
        json_object_set_new(root, "client_key_pem", json_stringn(key.ptr, key.len));
    if (sentinel.len > 0)
        json_object_set_new(root, "sentinel_password", json_stringn(sentinel.ptr, sentinel.len));
    return root;
}

bool credentials_from_json(const json_t *from, struct credentials *ret, struct err *err) {
    struct endpoint_reading r = {.pointer = NULL, .err = err};
    struct credentials cred = CREDENTIALS_INIT;
    struct str password, key, sentinel;
    bool given;

    if (!json_is_object(from))
        return err_set(err, ERR_PROTOCOL, "credentials are not an object");
    if (!endpoint_read_text(&r, from, "password", "/password", &password, &given) ||
        !endpoint_read_text(&r, from, "client_key_pem", "/client_key_pem", &key, &given) ||
        !endpoint_read_text(&r, from, "sentinel_password", "/sentinel_password", &sentinel, &given))
        return false;
    secret_set(&cred.password, password);
    secret_set(&cred.client_key_pem, key);
    secret_set(&cred.sentinel_password, sentinel);
    *ret = cred;
    return true;
}
