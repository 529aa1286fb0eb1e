#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "services/common/clock.h"
#include "services/net/conn_impl.h"

enum { DAY_S = 24 * 3600 };

/* The first reason OpenSSL has, in its words; the queue is left empty. */
static bool tls_error(struct conn *c, const char *doing, struct err *err) {
    unsigned long code = ERR_get_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    ERR_clear_error();
    return err_set(err, ERR_TLS, "%s with %s: %s", doing, c->label, reason ? reason : "no reason");
}

static BIO *memory_bio(const char *text, size_t len) {
    BIO *bio = BIO_new_mem_buf(text, (int)len);

    if (!bio)
        abort();
    return bio;
}

/* Every certificate of the text is trusted. */
static bool load_ca(struct conn *c, const char *pem, struct err *err) {
    X509_STORE *store = SSL_CTX_get_cert_store(c->tls_context);
    BIO *bio = memory_bio(pem, strlen(pem));
    int count = 0;
    bool ok = true;
    X509 *cert;

    while (ok && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        ok = X509_STORE_add_cert(store, cert) == 1;
        X509_free(cert);
        count++;
    }
    BIO_free(bio);
    if (!ok || count == 0)
        return tls_error(c, "reading the CA certificate for the connection", err);
    ERR_clear_error(); /* the end of the text is an error to the reader */
    return true;
}

/* The first certificate is ours, further ones lead to its root. */
static bool load_client(struct conn *c, const char *cert_pem, struct str key_pem, struct err *err) {
    BIO *cert_bio = memory_bio(cert_pem, strlen(cert_pem));
    BIO *key_bio = memory_bio(key_pem.ptr, key_pem.len);
    X509 *cert = PEM_read_bio_X509(cert_bio, NULL, NULL, NULL), *more;
    /* The empty passphrase: never ask a terminal. */
    char no_passphrase[] = "";
    EVP_PKEY *key = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, no_passphrase);
    bool ok = cert && key && SSL_CTX_use_certificate(c->tls_context, cert) == 1;

    while (ok && (more = PEM_read_bio_X509(cert_bio, NULL, NULL, NULL)))
        if (SSL_CTX_add_extra_chain_cert(c->tls_context, more) != 1) {
            X509_free(more);
            ok = false;
        }
    ERR_clear_error();
    ok = ok && SSL_CTX_use_PrivateKey(c->tls_context, key) == 1 &&
         SSL_CTX_check_private_key(c->tls_context) == 1;
    X509_free(cert);
    EVP_PKEY_free(key);
    BIO_free(cert_bio);
    BIO_free(key_bio);
    if (!ok)
        return tls_error(c, "using the client certificate and its key", err);
    ERR_clear_error();
    return true;
}

static bool expect_name(SSL *tls, const char *name) {
    unsigned char address[16];
    bool is_address =
        inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;

    if (is_address)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), name) == 1;
    return SSL_set1_host(tls, name) == 1;
}

static bool is_name(const char *host) {
    unsigned char address[16];

    return inet_pton(AF_INET, host, address) != 1 && inet_pton(AF_INET6, host, address) != 1;
}

bool conn_tls_prepare(struct conn *c, const struct endpoint *ep, const struct credentials *cred,
                      struct err *err) {
    const char *name = ep->tls_server_name[0] ? ep->tls_server_name : ep->host;
    struct str key = cred ? secret_str(&cred->client_key_pem) : STR_EMPTY;

    ERR_clear_error();
    c->tls_context = SSL_CTX_new(TLS_client_method());
    if (!c->tls_context || SSL_CTX_set_min_proto_version(c->tls_context, TLS1_2_VERSION) != 1)
        return tls_error(c, "preparing TLS", err);
    /* A retried write may come from another buffer with the same bytes, and writev offers
     * whatever it can: take what fits. */
    SSL_CTX_set_mode(c->tls_context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (ep->tls_verify == ENDPOINT_VERIFY_NONE) {
        SSL_CTX_set_verify(c->tls_context, SSL_VERIFY_NONE, NULL);
    } else {
        SSL_CTX_set_verify(c->tls_context, SSL_VERIFY_PEER, NULL);
        if (ep->tls_ca_pem ? !load_ca(c, ep->tls_ca_pem, err)
                           : SSL_CTX_set_default_verify_paths(c->tls_context) != 1 &&
                                 !tls_error(c, "reading the system's trust store", err))
            return false;
    }
    if (ep->tls_client_cert_pem && key.len == 0)
        return err_set(err, ERR_TLS, "there is a client certificate for %s but no key", c->label);
    if (ep->tls_client_cert_pem && !load_client(c, ep->tls_client_cert_pem, key, err))
        return false;
    c->tls = SSL_new(c->tls_context);
    if (!c->tls || (is_name(name) && SSL_set_tlsext_host_name(c->tls, name) != 1) ||
        (ep->tls_verify == ENDPOINT_VERIFY_FULL && !expect_name(c->tls, name)))
        return tls_error(c, "preparing TLS", err);
    return true;
}

/* What a call that returned `n` <= 0 means. *ret_wait: poll for these events and call
 * again. A peer that goes away shows as an error, an EOF or a reset depending on
 * timing: all of them are CLOSED. */
static bool tls_outcome(struct conn *c, int n, const char *doing, short *ret_wait,
                        struct err *err) {
    int saved = errno;
    unsigned long code;

    switch (SSL_get_error(c->tls, n)) {
    case SSL_ERROR_WANT_READ:
        *ret_wait = POLLIN;
        return true;
    case SSL_ERROR_WANT_WRITE:
        *ret_wait = POLLOUT;
        return true;
    case SSL_ERROR_ZERO_RETURN:
        return err_set(err, ERR_CLOSED, "%s closed the connection", c->label);
    case SSL_ERROR_SYSCALL:
        return err_set(err, ERR_CLOSED, "%s with %s: %s", doing, c->label,
                       saved ? strerror(saved) : "the connection was closed");
    default:
        code = ERR_peek_error();
        if (ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
            return err_set(err, ERR_CLOSED, "%s closed the connection during %s", c->label, doing);
        return tls_error(c, doing, err);
    }
}

bool conn_tls_handshake(struct conn *c, bool *ret_done, struct err *err) {
    int n;
    long verdict;

    *ret_done = false;
    ERR_clear_error();
    if (SSL_get_fd(c->tls) != c->fd && SSL_set_fd(c->tls, c->fd) != 1)
        return tls_error(c, "preparing TLS", err);
    errno = 0;
    n = SSL_connect(c->tls);
    if (n == 1) {
        c->tls_waits = 0;
        *ret_done = true;
        return true;
    }
    verdict = SSL_get_verify_result(c->tls);
    if (verdict != X509_V_OK && SSL_get_error(c->tls, n) == SSL_ERROR_SSL) {
        ERR_clear_error();
        return err_set(err, ERR_TLS, "the certificate of %s is not accepted: %s", c->label,
                       X509_verify_cert_error_string(verdict));
    }
    return tls_outcome(c, n, "the TLS handshake", &c->tls_waits, err);
}

bool conn_tls_read(struct conn *c, void *dst, size_t cap, size_t *ret_n, struct err *err) {
    size_t total = 0;

    c->tls_waits = POLLIN;
    c->tls_has_more = false;
    while (total < cap) {
        size_t ask = cap - total < INT_MAX ? cap - total : INT_MAX;
        int n;
        struct err later = ERR_INIT;

        ERR_clear_error();
        errno = 0;
        n = SSL_read(c->tls, (char *)dst + total, (int)ask);
        if (n > 0) {
            total += (size_t)n;
            /* One record at a time is handed out; the rest of what was received follows. Part of
             * a record counts as pending too: then the next read waits. */
            if (SSL_has_pending(c->tls))
                continue;
            break;
        }
        if (tls_outcome(c, n, "reading", &c->tls_waits, &later))
            break;
        if (total == 0) {
            *err = later;
            return false;
        }
        c->tls_has_more = true; /* hand out what came before; the failure shows again */
        break;
    }
    if (total == cap)
        c->tls_has_more = SSL_has_pending(c->tls);
    *ret_n = total;
    return true;
}

bool conn_tls_write(struct conn *c, const void *src, size_t len, size_t *ret_n, struct err *err) {
    int n;

    *ret_n = 0;
    c->tls_write_waits = POLLOUT;
    ERR_clear_error();
    errno = 0;
    n = SSL_write(c->tls, src, (int)(len < INT_MAX ? len : INT_MAX));
    if (n > 0) {
        *ret_n = (size_t)n;
        return true;
    }
    return tls_outcome(c, n, "writing", &c->tls_write_waits, err);
}

/* Takes over `cert`, which may be NULL. Seconds from now to its end; false: it has none. */
static bool time_left(X509 *cert, int64_t *ret_seconds) {
    int days, seconds;
    bool ok = cert && ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)) == 1;

    if (ok)
        *ret_seconds = (int64_t)days * DAY_S + seconds;
    X509_free(cert);
    return ok;
}

static X509 *client_certificate(const struct endpoint *ep) {
    BIO *bio;
    X509 *cert;

    if (!ep->tls_client_cert_pem)
        return NULL;
    bio = memory_bio(ep->tls_client_cert_pem, strlen(ep->tls_client_cert_pem));
    cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    ERR_clear_error();
    return cert;
}

static X509 *server_certificate(const struct conn *c) {
    return c->tls ? SSL_get1_peer_certificate(c->tls) : NULL;
}

static int32_t days_left(X509 *cert) {
    int64_t seconds;

    if (!time_left(cert, &seconds))
        return INT32_MAX;
    /* One that has expired today has -1. */
    return (int32_t)(seconds / DAY_S) - (seconds < 0 ? 1 : 0);
}

int32_t conn_certificate_days(const struct conn *c) {
    return days_left(server_certificate(c));
}

int32_t conn_client_certificate_days(const struct endpoint *ep) {
    return days_left(client_certificate(ep));
}

int64_t conn_certificate_until_ms(const struct conn *c, const struct endpoint *ep) {
    int64_t server = INT64_MAX, client = INT64_MAX;
    bool has_server = time_left(server_certificate(c), &server);
    bool has_client = c->tls && time_left(client_certificate(ep), &client);

    if (!has_server && !has_client)
        return 0;
    return clock_wall_ms() + (server < client ? server : client) * 1000;
}

void conn_tls_close(struct conn *c) {
    if (c->tls && c->stage == CONN_READY) {
        ERR_clear_error();
        (void)SSL_shutdown(c->tls); /* says goodbye when that does not wait */
    }
    SSL_free(c->tls);
    SSL_CTX_free(c->tls_context);
    ERR_clear_error();
}
