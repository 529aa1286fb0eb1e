/* conn.h - a non-blocking byte stream to a server, plain or TLS.
 *
 * A connection is started, shakes hands in steps while the owner polls
 * conn_fd() for conn_events(), and is then read and written without ever
 * blocking. conn_open() does the first two and waits. TLS verifies chain and name
 * unless the endpoint says otherwise, needs 1.2 or newer, and its early close is
 * the same as a plain close: CLOSED. OpenSSL writes with write(2), so the process
 * must ignore SIGPIPE (process_harden does).
 *
 * Which addresses may be dialled: egress.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "proto/base/err.h"
#include "services/net/endpoint.h"

struct conn;

/* Where an attempt ended: lets a precheck say which step failed. */
enum conn_stage { CONN_RESOLVING, CONN_CONNECTING, CONN_TLS_HANDSHAKE, CONN_READY };

/* Resolve and begin to connect. Resolving waits for the resolver, at most
 * ep->connect_timeout_ms. `cred` is read only here (its client key); may be NULL.
 * Neither is needed after the call.
 * Errors: RESOLVE, CONNECT (also: no permitted address or path), TLS (bad PEM), CONFIG. */
MUST_CHECK bool conn_start(struct conn **ret, const struct endpoint *ep,
                           const struct credentials *cred, struct err *err);

/* Go one step. *ret_done: ready for reading and writing. Otherwise poll conn_fd()
 * for conn_events(c, false, false) and call again; the caller keeps the deadline.
 * Errors: CONNECT, TLS, CLOSED. */
MUST_CHECK bool conn_handshake(struct conn *c, bool *ret_done, struct err *err);

/* Both, waiting at most timeout_ms in all (<= 0: the endpoint's connect_timeout_ms).
 * Errors: as above, and TIMEOUT. */
MUST_CHECK bool conn_open(struct conn **ret, const struct endpoint *ep,
                          const struct credentials *cred, int64_t timeout_ms, struct err *err);

/* Read what is there, at most `cap`. *ret_n == 0 with true: nothing now; poll.
 * Errors: CLOSED (end of stream, reset), TLS. */
MUST_CHECK bool conn_read(struct conn *c, void *dst, size_t cap, size_t *ret_n, struct err *err);

/* Write some of the pieces in order; *ret_n may be less than their sum, also 0.
 * After a short write the next call must offer the same bytes first and not fewer (TLS).
 * Errors: CLOSED, TLS. */
MUST_CHECK bool conn_writev(struct conn *c, const struct iovec *iov, int iov_count, size_t *ret_n,
                            struct err *err);

/* Events of poll(2) (EPOLLIN and EPOLLOUT have the same bits) to wait for, given
 * what the owner wants next. TLS may need the other direction than the owner. */
short conn_events(const struct conn *c, bool want_read, bool want_write);

/* Bytes are readable that poll will not tell of (in the TLS layer). */
bool conn_has_pending(const struct conn *c);

int conn_fd(const struct conn *c);
enum conn_stage conn_stage_of(const struct conn *c);

/* "address:port" or path that was dialled, for log lines. */
const char *conn_peer(const struct conn *c);

/* Days until the server's certificate expires, negative when it has; INT32_MAX without TLS. */
int32_t conn_certificate_days(const struct conn *c);

/* The same of the certificate that `ep` has for us to show; INT32_MAX without one. No I/O. */
int32_t conn_client_certificate_days(const struct endpoint *ep);

/* Until when the certificates are valid that were shown on it, the server's and that of `ep`: wall
 * clock ms of the earlier end, 0 = there is none. */
int64_t conn_certificate_until_ms(const struct conn *c, const struct endpoint *ep);

/* NULL is fine. Sends TLS close_notify if that does not wait. */
void conn_close(struct conn *c);
