#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/net/endpoint_rules.h"

/* One reading of a document: where to leave the pointer and the story. */
struct reading {
    char *pointer; /* ENDPOINT_POINTER_SIZE bytes, or NULL */
    struct err *err;
};

static bool wrong(struct reading *r, const char *pointer, enum err_code code, const char *why) {
    if (r->pointer)
        snprintf(r->pointer, ENDPOINT_POINTER_SIZE, "%s", pointer);
    return err_set(r->err, code, "%s: %s", *pointer ? pointer : "endpoint", why);
}

/* Keep the story that a field's rule told and add where it was. */
static bool wrong_at(struct reading *r, const char *pointer) {
    if (r->pointer)
        snprintf(r->pointer, ENDPOINT_POINTER_SIZE, "%s", pointer);
    return err_wrap(r->err, "%s", pointer);
}

/* Members of one object: those we read, and those the contract names that are not
 * built. NULL closes both lists. */
static bool check_members(struct reading *r, const char *at, const json_t *object,
                          const char *const *known, const char *const *later) {
    const char *key;
    json_t *value;

    if (!json_is_object(object))
        return wrong(r, at, ERR_VALIDATION, "must be an object");
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        char pointer[ENDPOINT_POINTER_SIZE], shown[40];
        size_t i = 0;

        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        if (known[i] || json_is_null(value))
            continue;
        str_escape(str_from(key), shown, sizeof(shown));
        snprintf(pointer, sizeof(pointer), "%s/%s", at, shown);
        for (i = 0; later[i]; i++)
            if (strcmp(later[i], key) == 0)
                return wrong(r, pointer, ERR_NOT_SUPPORTED_YET, "is not built yet");
        return wrong(r, pointer, ERR_VALIDATION, "is not a known member");
    }
    return true;
}

/* A text member, or none. *ret is empty when it is missing or null. */
static bool get_text(struct reading *r, const json_t *object, const char *name, const char *pointer,
                     struct str *ret, bool *ret_given) {
    const json_t *value = json_object_get(object, name);

    *ret = STR_EMPTY;
    *ret_given = value && !json_is_null(value);
    if (!*ret_given)
        return true;
    if (!json_is_string(value))
        return wrong(r, pointer, ERR_VALIDATION, "must be a string");
    *ret = str_of(json_string_value(value), json_string_length(value));
    return true;
}

static bool get_bool(struct reading *r, const json_t *object, const char *name, const char *pointer,
                     bool *ret) {
    const json_t *value = json_object_get(object, name);

    if (!value || json_is_null(value))
        return true;
    if (!json_is_boolean(value))
        return wrong(r, pointer, ERR_VALIDATION, "must be true or false");
    *ret = json_is_true(value);
    return true;
}

static bool get_number(struct reading *r, const json_t *object, const char *name,
                       const char *pointer, json_int_t lowest, json_int_t highest,
                       json_int_t *ret) {
    const json_t *value = json_object_get(object, name);
    char why[80];

    if (!value || json_is_null(value))
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < lowest ||
        json_integer_value(value) > highest) {
        snprintf(why, sizeof(why), "must be a whole number from %lld to %lld", (long long)lowest,
                 (long long)highest);
        return wrong(r, pointer, ERR_VALIDATION, why);
    }
    *ret = json_integer_value(value);
    return true;
}

static bool check_pem(struct reading *r, const char *pointer, struct str text, const char *label) {
    if (text.len > ENDPOINT_PEM_MAX)
        return wrong(r, pointer, ERR_VALIDATION, "is longer than 64 KiB");
    if (!memmem(text.ptr, text.len, "-----BEGIN ", 11) ||
        !memmem(text.ptr, text.len, label, strlen(label)) || memchr(text.ptr, '\0', text.len))
        return wrong(r, pointer, ERR_VALIDATION, "is not PEM text of the kind that belongs here");
    return true;
}

static char *copy_text(struct str s) {
    char *copy = malloc(s.len + 1);

    if (!copy)
        abort();
    memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return copy;
}

static bool read_auth(struct reading *r, const json_t *auth, struct endpoint *ep,
                      struct credentials *cred) {
    static const char *const known[] = {"method", "username", "password", "configured", NULL};
    static const char *const later[] = {"secret", "secret_ref", NULL};
    struct str method, username, password;
    bool given, has_username, configured = ep->has_password;

    if (!auth || json_is_null(auth))
        return true;
    if (!check_members(r, "/auth", auth, known, later) ||
        !get_text(r, auth, "method", "/auth/method", &method, &given))
        return false;
    if (given && !str_equal(method, STR_LIT("password")) && !str_equal(method, STR_LIT("none")))
        return wrong(r, "/auth/method", ERR_VALIDATION, "must be password or none");
    if (!get_text(r, auth, "username", "/auth/username", &username, &has_username) ||
        !get_bool(r, auth, "configured", "/auth/configured", &configured))
        return false;
    if (has_username && ep->username[0] && !str_equal(username, str_from(ep->username)))
        return wrong(r, "/auth/username", ERR_VALIDATION, "the URL names another user");
    if (has_username && !endpoint_set_username(ep, username, r->err))
        return wrong_at(r, "/auth/username");
    if (!get_text(r, auth, "password", "/auth/password", &password, &given))
        return false;
    if (given && !cred)
        return wrong(r, "/auth/password", ERR_VALIDATION, "a stored endpoint holds no password");
    if (given && cred->password.len > 0)
        return wrong(r, "/auth/password", ERR_VALIDATION, "the URL holds a password already");
    if (given && str_equal(method, STR_LIT("none")))
        return wrong(r, "/auth/password", ERR_VALIDATION, "the method none has no password");
    if (given && !endpoint_check_password(password, r->err))
        return wrong_at(r, "/auth/password");
    if (given)
        secret_set(&cred->password, password);
    ep->has_password = configured || password.len > 0;
    return true;
}

static bool read_verify(struct reading *r, const json_t *tls, struct endpoint *ep) {
    static const char *const names[] = {
        [ENDPOINT_VERIFY_FULL] = "full",
        [ENDPOINT_VERIFY_CA] = "ca",
        [ENDPOINT_VERIFY_NONE] = "none",
    };
    struct str verify;
    bool given;

    if (!get_text(r, tls, "verify", "/tls/verify", &verify, &given) || !given)
        return !given;
    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        if (str_equal(verify, str_from(names[i]))) {
            ep->tls_verify = (enum endpoint_verify)i;
            return true;
        }
    }
    return wrong(r, "/tls/verify", ERR_VALIDATION, "must be full, ca or none");
}

static bool read_certificates(struct reading *r, const json_t *tls, struct endpoint *ep,
                              struct credentials *cred) {
    struct str ca, cert, key;
    bool has_ca, has_cert, has_key, key_configured = false;

    if (!get_text(r, tls, "ca_pem", "/tls/ca_pem", &ca, &has_ca) ||
        !get_text(r, tls, "client_cert_pem", "/tls/client_cert_pem", &cert, &has_cert) ||
        !get_text(r, tls, "client_key_pem", "/tls/client_key_pem", &key, &has_key) ||
        !get_bool(r, tls, "client_key_configured", "/tls/client_key_configured", &key_configured))
        return false;
    if ((has_ca && !check_pem(r, "/tls/ca_pem", ca, "CERTIFICATE-----")) ||
        (has_cert && !check_pem(r, "/tls/client_cert_pem", cert, "CERTIFICATE-----")) ||
        (has_key && !check_pem(r, "/tls/client_key_pem", key, "PRIVATE KEY-----")))
        return false;
    if (has_key && !cred)
        return wrong(r, "/tls/client_key_pem", ERR_VALIDATION, "a stored endpoint holds no key");
    if (has_cert != (has_key || key_configured))
        return wrong(r, has_cert ? "/tls/client_key_pem" : "/tls/client_cert_pem", ERR_VALIDATION,
                     "a client certificate and its key come together");
    if (has_ca)
        ep->tls_ca_pem = copy_text(ca);
    if (has_cert)
        ep->tls_client_cert_pem = copy_text(cert);
    if (has_key)
        secret_set(&cred->client_key_pem, key);
    return true;
}

/* `scheme_tls`: what a URL beside it said; NULL when there is none. */
static bool read_tls(struct reading *r, const json_t *tls, const bool *scheme_tls,
                     struct endpoint *ep, struct credentials *cred) {
    static const char *const known[] = {
        "enabled",         "verify",         "server_name",           "ca_pem",
        "client_cert_pem", "client_key_pem", "client_key_configured", NULL};
    static const char *const later[] = {"ca_key_passphrase", NULL};
    struct endpoint named = ENDPOINT_INIT;
    struct str name;
    bool given;

    if (!tls || json_is_null(tls))
        return true;
    if (!check_members(r, "/tls", tls, known, later) ||
        !get_bool(r, tls, "enabled", "/tls/enabled", &ep->tls))
        return false;
    if (scheme_tls && ep->tls != *scheme_tls)
        return wrong(r, "/tls/enabled", ERR_VALIDATION,
                     "the URL says otherwise: rediss:// is TLS, redis:// is not");
    if (!get_text(r, tls, "server_name", "/tls/server_name", &name, &given))
        return false;
    if (given && name.len > 0) {
        if (!endpoint_set_host(&named, name, r->err))
            return wrong_at(r, "/tls/server_name");
        snprintf(ep->tls_server_name, sizeof(ep->tls_server_name), "%s", named.host);
    }
    if (!read_verify(r, tls, ep) || !read_certificates(r, tls, ep, cred))
        return false;
    if (!ep->tls && (ep->tls_ca_pem || ep->tls_client_cert_pem || ep->tls_server_name[0] ||
                     ep->tls_verify != ENDPOINT_VERIFY_FULL))
        return wrong(r, "/tls/enabled", ERR_VALIDATION,
                     "TLS is off, so nothing else of it has a meaning");
    return true;
}

static bool read_timeout(struct reading *r, const json_t *object, struct endpoint *ep) {
    json_int_t timeout = ep->connect_timeout_ms;

    if (!get_number(r, object, "connect_timeout_ms", "/connect_timeout_ms", 100, 60000, &timeout))
        return false;
    ep->connect_timeout_ms = (uint32_t)timeout;
    return true;
}

static bool read_address(struct reading *r, const json_t *object, struct endpoint *ep) {
    static const char *const known[] = {"host", "port", NULL};
    static const char *const later[] = {"role", NULL};
    const json_t *list = json_object_get(object, "endpoints"), *first;
    json_int_t port = ep->port, database = ep->database;
    struct str host, topology;
    bool given;

    if (!json_is_array(list) || json_array_size(list) == 0)
        return wrong(r, "/endpoints", ERR_VALIDATION, "must be a list with one address");
    if (json_array_size(list) > 1)
        return wrong(r, "/endpoints", ERR_NOT_SUPPORTED_YET,
                     "more than one address is not supported yet");
    first = json_array_get(list, 0);
    if (!check_members(r, "/endpoints/0", first, known, later) ||
        !get_text(r, first, "host", "/endpoints/0/host", &host, &given) ||
        !get_number(r, first, "port", "/endpoints/0/port", 1, UINT16_MAX, &port))
        return false;
    if (!endpoint_set_host(ep, host, r->err))
        return wrong_at(r, "/endpoints/0/host");
    if (!get_number(r, object, "database", "/database", 0, ENDPOINT_DATABASE_MAX, &database) ||
        !get_text(r, object, "topology", "/topology", &topology, &given))
        return false;
    if (given && !str_equal(topology, STR_LIT("auto")) &&
        !str_equal(topology, STR_LIT("standalone")))
        return wrong(r, "/topology", ERR_NOT_SUPPORTED_YET,
                     "only standalone servers are supported yet");
    ep->port = (uint16_t)port;
    ep->database = (int)database;
    return true;
}

/* What endpoint_to_json wrote of a file. */
static bool read_file(struct reading *r, const json_t *from, struct endpoint *ep) {
    static const char *const known[] = {"file", "label", NULL};
    static const char *const later[] = {NULL};
    struct str name;
    bool given;

    if (!check_members(r, "", from, known, later) ||
        !get_text(r, from, "file", "/file", &name, &given))
        return false;
    return endpoint_set_file(ep, name, r->err) || wrong_at(r, "/file");
}

/* Made by us, never chosen: taken back in what we wrote, but not with another meaning. */
static bool read_label(struct reading *r, const json_t *from, struct endpoint *ep) {
    struct str label;
    bool given;

    if (!get_text(r, from, "label", "/label", &label, &given))
        return false;
    endpoint_make_label(ep);
    if (given && !str_equal(label, str_from(ep->label)))
        return wrong(r, "/label", ERR_VALIDATION, "is made from what it names");
    return true;
}

static bool read_inline(struct reading *r, const json_t *from, struct endpoint *ep,
                        struct credentials *cred) {
    static const char *const known[] = {"endpoints", "topology",           "database", "auth",
                                        "tls",       "connect_timeout_ms", "label",    NULL};
    static const char *const later[] = {"sentinel", "address_map", "engine", "read_preference",
                                        "name",     "region",      "labels", "access_method",
                                        "live",     NULL};

    if (json_object_get(from, "file"))
        return read_file(r, from, ep) && read_label(r, from, ep);
    if (!check_members(r, "", from, known, later) || !read_address(r, from, ep) ||
        !read_auth(r, json_object_get(from, "auth"), ep, cred) ||
        !read_tls(r, json_object_get(from, "tls"), NULL, ep, cred) || !read_timeout(r, from, ep))
        return false;
    return read_label(r, from, ep);
}

static bool read_url(struct reading *r, const json_t *from, struct endpoint *ep,
                     struct credentials *cred) {
    static const char *const known[] = {"url", "auth", "tls", "connect_timeout_ms", NULL};
    static const char *const later[] = {"address_map", NULL};
    static const char *const url_only[] = {"url", NULL};
    struct str url;
    bool given, scheme_tls;

    if (!check_members(r, "", from, known, later) ||
        !get_text(r, from, "url", "/url", &url, &given))
        return false;
    if (!endpoint_parse_url(url, ep, &cred->password, r->err))
        return wrong_at(r, "/url");
    if (endpoint_is_file(ep))
        return check_members(r, "", from, url_only, later); /* it has no login and no TLS */
    scheme_tls = ep->tls;
    return read_auth(r, json_object_get(from, "auth"), ep, cred) &&
           read_tls(r, json_object_get(from, "tls"), &scheme_tls, ep, cred) &&
           read_timeout(r, from, ep);
}

bool endpoint_from_json(const json_t *inline_form, struct endpoint *ret,
                        struct credentials *ret_credentials,
                        char ret_pointer[ENDPOINT_POINTER_SIZE], struct err *err) {
    struct reading r = {.pointer = ret_pointer, .err = err};
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
    struct reading r = {.pointer = ret_pointer, .err = err};
    struct endpoint ep = ENDPOINT_INIT;
    struct credentials cred = CREDENTIALS_INIT;
    char inner[ENDPOINT_POINTER_SIZE - 8] = "";

    if (!json_is_object(reference))
        return wrong(&r, "", ERR_VALIDATION, "must be an object");
    if (!json_object_get(reference, "url")) {
        if (!check_members(&r, "", reference, inline_only, later))
            return false;
        if (!json_object_get(reference, "inline"))
            return wrong(&r, "", ERR_VALIDATION, "needs a member url or inline");
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
    json_object_set_new(root, "database",
                        ep->database < 0 ? json_null() : json_integer(ep->database));
    return root;
}

json_t *credentials_to_json(const struct credentials *cred) {
    json_t *root = json_object();
    struct str password = secret_str(&cred->password), key = secret_str(&cred->client_key_pem);

    if (password.len > 0)
        json_object_set_new(root, "password", json_stringn(password.ptr, password.len));
    if (key.len > 0)
        json_object_set_new(root, "client_key_pem", json_stringn(key.ptr, key.len));
    return root;
}

bool credentials_from_json(const json_t *from, struct credentials *ret, struct err *err) {
    struct reading r = {.pointer = NULL, .err = err};
    struct credentials cred = CREDENTIALS_INIT;
    struct str password, key;
    bool given;

    if (!json_is_object(from))
        return err_set(err, ERR_PROTOCOL, "credentials are not an object");
    if (!get_text(&r, from, "password", "/password", &password, &given) ||
        !get_text(&r, from, "client_key_pem", "/client_key_pem", &key, &given))
        return false;
    secret_set(&cred.password, password);
    secret_set(&cred.client_key_pem, key);
    *ret = cred;
    return true;
}
