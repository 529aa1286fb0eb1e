#include "services/common/metric_server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/base/str.h"
#include "services/common/clock.h"
#include "services/common/listener.h"
#include "services/common/log.h"

enum { CLIENTS_MAX = 8, HEAD_MAX = 4096, PAGE_MAX = 256 * 1024, CLIENT_MS = 5000, PORTS_MAX = 64 };

struct client {
    int fd; /* -1 = a free place */
    int64_t since_ms;
    char head[HEAD_MAX];
    size_t head_len;
    struct buf answer; /* empty until the head is whole */
    size_t sent;
};

struct metric_server {
    enum metric_process process;
    int listen_fd, epoll_fd;
    struct client clients[CLIENTS_MAX];
};

/* ---- open and close ---- */

static bool listen_near(const char *address, int *ret_fd, uint16_t *ret_port, struct err *err) {
    const char *colon = strrchr(address, ':');
    uint64_t port;

    if (listener_open(address, ret_fd, ret_port, err))
        return true;
    if (err->code != ERR_IO || !colon || !str_parse_u64(str_from(colon + 1), &port))
        return false;
    for (uint64_t next = port + 1; next < port + PORTS_MAX && next <= UINT16_MAX; next++) {
        struct err ignored = ERR_INIT;
        char other[300];

        snprintf(other, sizeof(other), "%.*s:%u", (int)(colon - address), address, (unsigned)next);
        if (listener_open(other, ret_fd, ret_port, &ignored)) {
            err_clear(err);
            return true;
        }
    }
    return false;
}

static bool watch(const struct metric_server *s, int fd, uint32_t events, void *who) {
    struct epoll_event event = {.events = events, .data = {.ptr = who}};

    return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

bool metric_server_open(const char *address, enum metric_process process,
                        struct metric_server **ret, struct err *err) {
    struct metric_server *s;
    uint16_t port;
    int fd;

    *ret = NULL;
    if (strcmp(address, "off") == 0)
        return true;
    if (!listen_near(address, &fd, &port, err))
        return err_wrap(err, "the address of /metrics");
    s = calloc(1, sizeof(*s));
    if (!s)
        abort();
    s->process = process;
    s->listen_fd = fd;
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < CLIENTS_MAX; i++)
        s->clients[i] = (struct client){.fd = -1, .answer = BUF_INIT(PAGE_MAX)};
    /* A client that went away again is nothing to wait for. */
    if (s->epoll_fd < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || !watch(s, fd, EPOLLIN, NULL)) {
        err_set(err, ERR_IO, "the socket of /metrics: %s", strerror(errno));
        metric_server_close(s);
        return false;
    }
    log_event(LOG_LEVEL_INFO, "metrics.ready", LOG_INT("port", port));
    *ret = s;
    return true;
}

static void drop(struct client *c) {
    if (c->fd >= 0)
        close(c->fd);
    buf_done(&c->answer);
    *c = (struct client){.fd = -1, .answer = BUF_INIT(PAGE_MAX)};
}

void metric_server_close(struct metric_server *s) {
    if (!s)
        return;
    for (int i = 0; i < CLIENTS_MAX; i++)
        drop(&s->clients[i]);
    close(s->listen_fd);
    if (s->epoll_fd >= 0)
        close(s->epoll_fd);
    free(s);
}

int metric_server_fd(const struct metric_server *s) {
    return s ? s->epoll_fd : -1;
}

/* ---- a request ---- */

static bool put_page(const struct metric_server *s, struct client *c, bool with_body) {
    struct buf page = BUF_INIT(PAGE_MAX);
    struct err ignored = ERR_INIT;
    bool ok =
        metric_format(s->process, &page, &ignored) &&
        buf_printf(&c->answer, &ignored,
                   "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                   "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                   page.len) &&
        (!with_body || buf_append(&c->answer, buf_str(&page), &ignored));

    buf_done(&page);
    return ok;
}

static bool put_refusal(struct client *c, const char *status) {
    struct err ignored = ERR_INIT;

    return buf_printf(&c->answer, &ignored,
                      "HTTP/1.1 %s\r\nAllow: GET, HEAD\r\nContent-Length: 0\r\n"
                      "Connection: close\r\n\r\n",
                      status);
}

static bool put_answer(const struct metric_server *s, struct client *c) {
    struct str head = str_of(c->head, c->head_len), method, path;
    bool gets;

    if (!str_cut(&head, ' ', &method) || !str_cut(&head, ' ', &path))
        return put_refusal(c, "400 Bad Request");
    gets = str_equal(method, STR_LIT("GET"));
    if (!gets && !str_equal(method, STR_LIT("HEAD")))
        return put_refusal(c, "405 Method Not Allowed");
    if (!str_equal(path, STR_LIT("/metrics")) && !str_starts_with(path, STR_LIT("/metrics?")))
        return put_refusal(c, "404 Not Found");
    return put_page(s, c, gets);
}

/* False: the client is done with, or gone. */
static bool read_head(struct metric_server *s, struct client *c) {
    ssize_t n = read(c->fd, c->head + c->head_len, HEAD_MAX - c->head_len);
    struct epoll_event event = {.events = EPOLLOUT, .data = {.ptr = c}};

    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    c->head_len += (size_t)n;
    if (!memmem(c->head, c->head_len, "\r\n\r\n", 4))
        return c->head_len < HEAD_MAX;
    return put_answer(s, c) && epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, c->fd, &event) == 0;
}

static bool write_answer(struct client *c) {
    ssize_t n = write(c->fd, c->answer.ptr + c->sent, c->answer.len - c->sent);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    c->sent += (size_t)n;
    return c->sent < c->answer.len;
}

/* ---- serving ---- */

static struct client *place_for_one(struct metric_server *s) {
    struct client *oldest = &s->clients[0];

    for (int i = 0; i < CLIENTS_MAX; i++) {
        if (s->clients[i].fd < 0)
            return &s->clients[i];
        if (s->clients[i].since_ms < oldest->since_ms)
            oldest = &s->clients[i];
    }
    drop(oldest);
    return oldest;
}

static void take_clients(struct metric_server *s) {
    for (int i = 0; i < CLIENTS_MAX; i++) {
        int fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        struct client *c;

        if (fd < 0)
            return;
        c = place_for_one(s);
        c->fd = fd;
        c->since_ms = clock_mono_ms();
        if (!watch(s, fd, EPOLLIN, c))
            drop(c);
    }
}

void metric_server_serve(struct metric_server *s) {
    struct epoll_event events[CLIENTS_MAX + 1];
    bool somebody_new = false;
    int count;

    if (!s)
        return;
    count = epoll_wait(s->epoll_fd, events, CLIENTS_MAX + 1, 0);
    for (int i = 0; i < count; i++) {
        struct client *c = events[i].data.ptr;

        if (!c)
            somebody_new = true;
        else if (!(c->answer.len == 0 ? read_head(s, c) : write_answer(c)))
            drop(c);
    }
    for (int i = 0; i < CLIENTS_MAX; i++) {
        if (s->clients[i].fd >= 0 && clock_mono_ms() - s->clients[i].since_ms > CLIENT_MS)
            drop(&s->clients[i]);
    }
    /* Last: a place that is given anew is no longer that of an event above. */
    if (somebody_new)
        take_clients(s);
}
