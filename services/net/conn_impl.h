/* conn_impl.h - the inside of a connection, shared by conn.c and conn_tls.c only. */
#pragma once

#include <netdb.h>
#include <openssl/ssl.h>

#include "services/net/conn.h"

struct conn {
    int fd; /* -1 = none yet */
    enum conn_stage stage;
    struct addrinfo *addresses; /* owned until connected */
    struct addrinfo *next;      /* the address to try after the one under way */
    int refusals;               /* addresses the egress policy refused */
    int last_errno;             /* of the latest attempt */
    SSL_CTX *tls_context;       /* NULL = plain */
    SSL *tls;
    short tls_waits;       /* events the TLS layer asked for in the last read or handshake */
    short tls_write_waits; /* the same of the last write */
    bool tls_has_more;     /* the last read left something that poll will not tell of */
    char label[300];
    char peer[80];
};

/* Make the context and the session; no I/O. Errors: TLS (PEM, trust store). */
MUST_CHECK bool conn_tls_prepare(struct conn *c, const struct endpoint *ep,
                                 const struct credentials *cred, struct err *err);

/* The socket is connected: one step of the handshake. */
MUST_CHECK bool conn_tls_handshake(struct conn *c, bool *ret_done, struct err *err);

MUST_CHECK bool conn_tls_read(struct conn *c, void *dst, size_t cap, size_t *ret_n,
                              struct err *err);
MUST_CHECK bool conn_tls_write(struct conn *c, const void *src, size_t len, size_t *ret_n,
                               struct err *err);
void conn_tls_close(struct conn *c);
