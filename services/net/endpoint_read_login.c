#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/net/endpoint_read.h"
#include "services/net/endpoint_rules.h"

static bool check_pem(struct endpoint_reading *r, const char *pointer, struct str text,
                      const char *label) {
    if (text.len > ENDPOINT_PEM_MAX)
        return endpoint_read_wrong(r, pointer, ERR_VALIDATION, "is longer than 64 KiB");
    if (!memmem(text.ptr, text.len, "-----BEGIN ", 11) ||
        !memmem(text.ptr, text.len, label, strlen(label)) || memchr(text.ptr, '\0', text.len))
        return endpoint_read_wrong(r, pointer, ERR_VALIDATION,
                                   "is not PEM text of the kind that belongs here");
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

/* A password that came on its own or as a part of `secret`. */
static bool take_password(struct endpoint_reading *r, const char *pointer, struct str password,
                          bool none, struct endpoint *ep, struct credentials *cred) {
    if (!cred)
        return endpoint_read_wrong(r, pointer, ERR_VALIDATION,
                                   "a stored endpoint holds no password");
    if (cred->password.len > 0)
        return endpoint_read_wrong(r, pointer, ERR_VALIDATION, "there is a password already");
    if (none)
        return endpoint_read_wrong(r, pointer, ERR_VALIDATION, "the method none has no password");
    if (!endpoint_check_password(password, r->err))
        return endpoint_read_wrong_at(r, pointer);
    secret_set(&cred->password, password);
    ep->has_password = ep->has_password || password.len > 0;
    return true;
}

static bool take_username(struct endpoint_reading *r, const char *pointer, struct str username,
                          struct endpoint *ep) {
    if (ep->username[0] && !str_equal(username, str_from(ep->username)))
        return endpoint_read_wrong(r, pointer, ERR_VALIDATION, "another user was named already");
    return endpoint_set_username(ep, username, r->err) || endpoint_read_wrong_at(r, pointer);
}

/* user:password, as the consoles of managed services want it. */
static bool take_secret(struct endpoint_reading *r, struct str secret, bool none,
                        struct endpoint *ep, struct credentials *cred) {
    static const char pointer[] = "/auth/secret";
    struct str username, password = secret;

    if (secret.len == 0 || !memchr(secret.ptr, ':', secret.len))
        return endpoint_read_wrong(r, pointer, ERR_AMBIGUOUS_USERINFO,
                                   "has no colon: write user:password or :password");
    (void)str_cut(&password, ':', &username);
    return take_username(r, pointer, username, ep) &&
           take_password(r, pointer, password, none, ep, cred);
}

/* "file:NAME", the password's place instead of it. */
static bool take_secret_ref(struct endpoint_reading *r, const json_t *auth, bool has_other,
                            struct endpoint *ep) {
    static const char pointer[] = "/auth/secret_ref";
    struct endpoint file = ENDPOINT_INIT;
    struct str ref;
    bool given;

    if (!endpoint_read_text(r, auth, "secret_ref", pointer, &ref, &given) || !given)
        return !given;
    if (has_other)
        return endpoint_read_wrong(r, pointer, ERR_VALIDATION,
                                   "stands instead of a password, not beside it");
    if (!str_starts_with(ref, STR_LIT("file:")))
        return endpoint_read_wrong(
            r, pointer, ERR_VALIDATION,
            "is file:NAME, a file below KEYFERRY_SECRETS_DIR of the workers");
    if (!endpoint_set_file(&file, str_skip(ref, 5), r->err))
        return endpoint_read_wrong_at(r, pointer);
    memcpy(ep->secret_ref, file.file, sizeof(ep->secret_ref));
    ep->has_password = true;
    return true;
}

bool endpoint_read_auth(struct endpoint_reading *r, const json_t *auth, struct endpoint *ep,
                        struct credentials *cred) {
    static const char *const known[] = {"method",     "username",   "password", "secret",
                                        "configured", "secret_ref", NULL};
    static const char *const later[] = {NULL};
    struct str method, username, password, secret;
    bool has_method, has_username, has_password, has_secret, configured = ep->has_password, none;

    if (!auth || json_is_null(auth))
        return true;
    if (!endpoint_read_members(r, "/auth", auth, known, later) ||
        !endpoint_read_text(r, auth, "method", "/auth/method", &method, &has_method))
        return false;
    none = str_equal(method, STR_LIT("none"));
    if (has_method && !none && !str_equal(method, STR_LIT("password")))
        return endpoint_read_wrong(r, "/auth/method", ERR_VALIDATION, "must be password or none");
    if (!endpoint_read_text(r, auth, "username", "/auth/username", &username, &has_username) ||
        !endpoint_read_text(r, auth, "password", "/auth/password", &password, &has_password) ||
        !endpoint_read_text(r, auth, "secret", "/auth/secret", &secret, &has_secret) ||
        !endpoint_read_bool(r, auth, "configured", "/auth/configured", &configured))
        return false;
    ep->has_password = configured;
    return (!has_username || take_username(r, "/auth/username", username, ep)) &&
           (!has_password || take_password(r, "/auth/password", password, none, ep, cred)) &&
           (!has_secret || take_secret(r, secret, none, ep, cred)) &&
           take_secret_ref(r, auth, has_password || has_secret, ep);
}

/* Sentinels have accounts of their own. */
bool endpoint_read_sentinel_login(struct endpoint_reading *r, const json_t *sentinel,
                                  struct endpoint *ep, struct credentials *cred) {
    struct endpoint named = ENDPOINT_INIT;
    struct str username, password;
    bool has_username, has_password;

    if (!endpoint_read_text(r, sentinel, "username", "/sentinel/username", &username,
                            &has_username) ||
        !endpoint_read_text(r, sentinel, "password", "/sentinel/password", &password,
                            &has_password) ||
        !endpoint_read_bool(r, sentinel, "configured", "/sentinel/configured",
                            &ep->sentinel_has_password))
        return false;
    if (has_username && !endpoint_set_username(&named, username, r->err))
        return endpoint_read_wrong_at(r, "/sentinel/username");
    memcpy(ep->sentinel_username, named.username, sizeof(ep->sentinel_username));
    if (!has_password)
        return true;
    if (!cred)
        return endpoint_read_wrong(r, "/sentinel/password", ERR_VALIDATION,
                                   "a stored endpoint holds no password");
    if (!endpoint_check_password(password, r->err))
        return endpoint_read_wrong_at(r, "/sentinel/password");
    secret_set(&cred->sentinel_password, password);
    ep->sentinel_has_password = password.len > 0;
    return true;
}

static bool read_verify(struct endpoint_reading *r, const json_t *tls, struct endpoint *ep) {
    static const char *const names[] = {
        [ENDPOINT_VERIFY_FULL] = "full",
        [ENDPOINT_VERIFY_CA] = "ca",
        [ENDPOINT_VERIFY_NONE] = "none",
    };
    struct str verify;
    bool given;

    if (!endpoint_read_text(r, tls, "verify", "/tls/verify", &verify, &given) || !given)
        return !given;
    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        if (str_equal(verify, str_from(names[i]))) {
            ep->tls_verify = (enum endpoint_verify)i;
            return true;
        }
    }
    return endpoint_read_wrong(r, "/tls/verify", ERR_VALIDATION, "must be full, ca or none");
}

static bool read_certificates(struct endpoint_reading *r, const json_t *tls, struct endpoint *ep,
                              struct credentials *cred) {
    struct str ca, cert, key;
    bool has_ca, has_cert, has_key, key_configured = false;

    if (!endpoint_read_text(r, tls, "ca_pem", "/tls/ca_pem", &ca, &has_ca) ||
        !endpoint_read_text(r, tls, "client_cert_pem", "/tls/client_cert_pem", &cert, &has_cert) ||
        !endpoint_read_text(r, tls, "client_key_pem", "/tls/client_key_pem", &key, &has_key) ||
        !endpoint_read_bool(r, tls, "client_key_configured", "/tls/client_key_configured",
                            &key_configured))
        return false;
    if ((has_ca && !check_pem(r, "/tls/ca_pem", ca, "CERTIFICATE-----")) ||
        (has_cert && !check_pem(r, "/tls/client_cert_pem", cert, "CERTIFICATE-----")) ||
        (has_key && !check_pem(r, "/tls/client_key_pem", key, "PRIVATE KEY-----")))
        return false;
    if (has_key && !cred)
        return endpoint_read_wrong(r, "/tls/client_key_pem", ERR_VALIDATION,
                                   "a stored endpoint holds no key");
    if (has_cert != (has_key || key_configured))
        return endpoint_read_wrong(r, has_cert ? "/tls/client_key_pem" : "/tls/client_cert_pem",
                                   ERR_VALIDATION,
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
bool endpoint_read_tls(struct endpoint_reading *r, const json_t *tls, const bool *scheme_tls,
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
    if (!endpoint_read_members(r, "/tls", tls, known, later) ||
        !endpoint_read_bool(r, tls, "enabled", "/tls/enabled", &ep->tls))
        return false;
    if (scheme_tls && ep->tls != *scheme_tls)
        return endpoint_read_wrong(r, "/tls/enabled", ERR_VALIDATION,
                                   "the URL says otherwise: rediss:// is TLS, redis:// is not");
    if (!endpoint_read_text(r, tls, "server_name", "/tls/server_name", &name, &given))
        return false;
    if (given && name.len > 0) {
        if (!endpoint_set_host(&named, name, r->err))
            return endpoint_read_wrong_at(r, "/tls/server_name");
        snprintf(ep->tls_server_name, sizeof(ep->tls_server_name), "%s", named.host);
    }
    if (!read_verify(r, tls, ep) || !read_certificates(r, tls, ep, cred))
        return false;
    if (ep->tls && endpoint_is_unix(ep))
        return endpoint_read_wrong(r, "/tls/enabled", ERR_VALIDATION,
                                   "a unix socket leads to this machine: no TLS");
    if (!ep->tls && (ep->tls_ca_pem || ep->tls_client_cert_pem || ep->tls_server_name[0] ||
                     ep->tls_verify != ENDPOINT_VERIFY_FULL))
        return endpoint_read_wrong(r, "/tls/enabled", ERR_VALIDATION,
                                   "TLS is off, so nothing else of it has a meaning");
    return true;
}
