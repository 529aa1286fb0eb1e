#include "services/net/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "services/common/clock.h"
#include "services/net/conn_impl.h"
#include "services/net/egress.h"
#include "services/net/lookup.h"

enum { TLS_RECORD_MAX = 16384, WRITEV_MAX = 64 };

static bool resolve(struct conn *c, const struct endpoint *ep, struct err *err) {
    int code = lookup_host(ep->host, ep->port, ep->connect_timeout_ms, &c->addresses);

    if (code == LOOKUP_TOO_SLOW)
        return err_set(err, ERR_RESOLVE, "resolving %s took more than %u ms", c->label,
                       ep->connect_timeout_ms);
    return code == 0 || err_set(err, ERR_RESOLVE, "resolving %s: %s", c->label, gai_strerror(code));
}

static void set_options(int fd) {
    static const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},    {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, 30},  /* s: a host that vanished is noticed in a minute */
        {IPPROTO_TCP, TCP_KEEPINTVL, 10}, /* s */
        {IPPROTO_TCP, TCP_KEEPCNT, 3},
    };

    for (size_t i = 0; i < LENGTH_OF(options); i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
}

static void close_socket(struct conn *c) {
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

/* The first failure tells most, unless it only says that this machine has no such network. */
static void note_failure(struct conn *c, int error) {
    if (c->last_errno == 0 || c->last_errno == ENETUNREACH || c->last_errno == EAFNOSUPPORT)
        c->last_errno = error;
}

static bool not_permitted(const struct conn *c, struct err *err) {
    return err_set(err, ERR_CONNECT,
                   "connecting to %s: this service may not dial that address (see "
                   "KEYFERRY_EGRESS_ALLOW and KEYFERRY_EGRESS_DENY)",
                   c->label);
}

/* A unix socket connects at once or not at all; EAGAIN is a listener that is overrun. */
static bool connect_unix(struct conn *c, const struct endpoint *ep, struct err *err) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct egress *policy;

    if (strlen(ep->host) >= sizeof(address.sun_path))
        return err_set(err, ERR_CONNECT, "the path of the socket is too long");
    memcpy(address.sun_path, ep->host, strlen(ep->host));
    if (!egress_of_process(&policy, err))
        return false;
    if (!egress_permits(policy, (const struct sockaddr *)&address))
        return not_permitted(c, err);
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
        return err_set(err, ERR_CONNECT, "connecting to %s: %s", c->label, strerror(errno));
    snprintf(c->peer, sizeof(c->peer), "%.79s", ep->host);
    return true;
}

/* Begin to connect to the next address that may be dialled.
 * Errors: CONNECT when there is none left. */
static bool try_next(struct conn *c, struct err *err) {
    const struct egress *policy;

    if (!egress_of_process(&policy, err))
        return false;
    for (; c->next; c->next = c->next->ai_next) {
        const struct addrinfo *ai = c->next;
        char host[64] = "?", port[8] = "?";

        if (!egress_permits(policy, ai->ai_addr)) {
            c->refusals++;
            continue;
        }
        close_socket(c);
        c->fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (c->fd < 0) {
            note_failure(c, errno);
            continue;
        }
        set_options(c->fd);
        if (connect(c->fd, ai->ai_addr, ai->ai_addrlen) != 0 && errno != EINPROGRESS) {
            note_failure(c, errno);
            continue;
        }
        (void)getnameinfo(ai->ai_addr, ai->ai_addrlen, host, sizeof(host), port, sizeof(port),
                          NI_NUMERICHOST | NI_NUMERICSERV);
        snprintf(c->peer, sizeof(c->peer), strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
        c->next = c->next->ai_next;
        return true;
    }
    if (c->last_errno == 0 && c->refusals > 0)
        return not_permitted(c, err);
    return err_set(err, ERR_CONNECT, "connecting to %s: %s", c->label,
                   c->last_errno ? strerror(c->last_errno) : "no address");
}

static bool connect_tcp(struct conn *c, const struct endpoint *ep, const struct credentials *cred,
                        struct err *err) {
    if ((ep->tls && !conn_tls_prepare(c, ep, cred, err)) || !resolve(c, ep, err))
        return false;
    c->next = c->addresses;
    return try_next(c, err);
}

bool conn_start(struct conn **ret, const struct endpoint *ep, const struct credentials *cred,
                struct err *err) {
    struct conn *c;

    if (endpoint_is_file(ep))
        return err_set(err, ERR_CONNECT, "%s is no server", ep->label);
    c = calloc(1, sizeof(*c));
    if (!c)
        abort();
    c->fd = -1;
    c->stage = CONN_RESOLVING;
    snprintf(c->label, sizeof(c->label), "%s", ep->label);
    if (endpoint_is_unix(ep) ? !connect_unix(c, ep, err) : !connect_tcp(c, ep, cred, err)) {
        conn_close(c);
        return false;
    }
    c->stage = CONN_CONNECTING;
    *ret = c;
    return true;
}

/* On one's own machine TCP can connect a socket to itself when nobody listens on a port
 * of the ephemeral range: no server is there. */
static bool is_self(int fd) {
    struct sockaddr_storage own = {0}, peer = {0};
    socklen_t own_len = sizeof(own), peer_len = sizeof(peer);

    return getsockname(fd, (struct sockaddr *)&own, &own_len) == 0 &&
           getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0 && own_len == peer_len &&
           memcmp(&own, &peer, own_len) == 0;
}

/* *ret_done: the TCP connection stands. */
static bool finish_connect(struct conn *c, bool *ret_done, struct err *err) {
    struct pollfd poll_fd = {.fd = c->fd, .events = POLLOUT};
    int error = 0;
    socklen_t len = sizeof(error);

    *ret_done = false;
    if (poll(&poll_fd, 1, 0) == 0)
        return true;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error == 0 && is_self(c->fd))
        error = ECONNREFUSED;
    if (error != 0) {
        note_failure(c, error);
        return try_next(c, err);
    }
    freeaddrinfo(c->addresses);
    c->addresses = c->next = NULL;
    c->stage = c->tls ? CONN_TLS_HANDSHAKE : CONN_READY;
    *ret_done = true;
    return true;
}

bool conn_handshake(struct conn *c, bool *ret_done, struct err *err) {
    bool connected = true;

    *ret_done = false;
    if (c->stage == CONN_CONNECTING && !finish_connect(c, &connected, err))
        return false;
    if (!connected)
        return true;
    if (c->stage == CONN_TLS_HANDSHAKE) {
        if (!conn_tls_handshake(c, ret_done, err))
            return false;
        if (*ret_done)
            c->stage = CONN_READY;
        return true;
    }
    *ret_done = true;
    return true;
}

bool conn_open(struct conn **ret, const struct endpoint *ep, const struct credentials *cred,
               int64_t timeout_ms, struct err *err) {
    int64_t limit_ms = timeout_ms > 0 ? timeout_ms : ep->connect_timeout_ms;
    int64_t deadline = clock_mono_ms() + limit_ms;
    struct conn *c = NULL;
    bool done = false;

    if (!conn_start(&c, ep, cred, err))
        return false;
    while (conn_handshake(c, &done, err)) {
        struct pollfd poll_fd = {.fd = c->fd, .events = conn_events(c, false, false)};
        int64_t left = deadline - clock_mono_ms();

        if (done) {
            *ret = c;
            return true;
        }
        if (left <= 0) {
            (void)err_set(err, ERR_TIMEOUT, "%s with %s took more than %lld ms",
                          c->stage == CONN_CONNECTING ? "connecting" : "the TLS handshake",
                          c->label, (long long)limit_ms);
            break;
        }
        (void)poll(&poll_fd, 1, (int)(left < INT_MAX ? left : INT_MAX));
    }
    conn_close(c);
    return false;
}

static bool would_block(int error) {
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

bool conn_read(struct conn *c, void *dst, size_t cap, size_t *ret_n, struct err *err) {
    ssize_t n;

    if (c->tls)
        return conn_tls_read(c, dst, cap, ret_n, err);
    n = recv(c->fd, dst, cap, 0);
    if (n < 0 && !would_block(errno))
        return err_set(err, ERR_CLOSED, "reading from %s: %s", c->label, strerror(errno));
    if (n == 0 && cap > 0)
        return err_set(err, ERR_CLOSED, "%s closed the connection", c->label);
    *ret_n = n > 0 ? (size_t)n : 0;
    return true;
}

/* The first bytes of the pieces from `skip` on, in one run of at most `cap`: where they
 * stand when one piece has them, else copied to `room`. */
static struct str gather(const struct iovec *iov, int count, size_t skip, char *room, size_t cap) {
    size_t len = 0;

    for (int i = 0; i < count && len < cap; i++) {
        const char *from = iov[i].iov_base;
        size_t take = iov[i].iov_len;

        if (skip >= take) {
            skip -= take;
            continue;
        }
        from += skip;
        take -= skip;
        skip = 0;
        if (len == 0 && take >= cap)
            return str_of(from, cap);
        take = take < cap - len ? take : cap - len;
        memcpy(room + len, from, take);
        len += take;
    }
    return str_of(room, len);
}

/* One TLS record of full size after the other. A record that had to wait is offered again
 * with the same bytes, as OpenSSL demands, as long as the caller offers the same. */
static bool tls_writev(struct conn *c, const struct iovec *iov, int count, size_t *ret_n,
                       struct err *err) {
    char room[TLS_RECORD_MAX];
    size_t total = 0, n = 0;

    for (;;) {
        struct str piece = gather(iov, count, total, room, sizeof(room));
        struct err later = ERR_INIT;

        if (piece.len == 0)
            break;
        if (!conn_tls_write(c, piece.ptr, piece.len, &n, &later)) {
            if (total > 0)
                break;
            *err = later;
            return false;
        }
        total += n;
        if (n < piece.len)
            break;
    }
    *ret_n = total;
    return true;
}

bool conn_writev(struct conn *c, const struct iovec *iov, int iov_count, size_t *ret_n,
                 struct err *err) {
    struct iovec pieces[WRITEV_MAX];
    struct msghdr message = {.msg_iov = pieces};
    ssize_t n;

    if (c->tls)
        return tls_writev(c, iov, iov_count, ret_n, err);
    if (iov_count > WRITEV_MAX)
        iov_count = WRITEV_MAX;
    memcpy(pieces, iov, (size_t)iov_count * sizeof(*iov));
    message.msg_iovlen = (size_t)iov_count;
    n = sendmsg(c->fd, &message, MSG_NOSIGNAL);
    if (n < 0 && !would_block(errno))
        return err_set(err, ERR_CLOSED, "writing to %s: %s", c->label, strerror(errno));
    *ret_n = n > 0 ? (size_t)n : 0;
    return true;
}

short conn_events(const struct conn *c, bool want_read, bool want_write) {
    short events = 0;

    if (c->stage == CONN_CONNECTING)
        return POLLOUT;
    if (c->stage == CONN_TLS_HANDSHAKE)
        return c->tls_waits ? c->tls_waits : POLLOUT;
    if (want_read)
        events |= (short)(POLLIN | (c->tls ? c->tls_waits : 0));
    if (want_write)
        events |= c->tls && c->tls_write_waits ? c->tls_write_waits : POLLOUT;
    return events;
}

bool conn_has_pending(const struct conn *c) {
    return c->tls_has_more;
}

int conn_fd(const struct conn *c) {
    return c->fd;
}

enum conn_stage conn_stage_of(const struct conn *c) {
    return c->stage;
}

const char *conn_peer(const struct conn *c) {
    return c->peer;
}

void conn_close(struct conn *c) {
    if (!c)
        return;
    conn_tls_close(c);
    close_socket(c);
    if (c->addresses)
        freeaddrinfo(c->addresses);
    free(c);
}
