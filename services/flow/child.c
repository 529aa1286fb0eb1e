#include "services/flow/child.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { SEND_TIMEOUT_MS = 10000, ANSWER_TIMEOUT_MS = 30000, ASIDE_MAX = 8 };

/* What came while an answer was waited for. A child has one conversation, and only a
 * child asks: a supervisor's is always empty. */
static json_t *aside[ASIDE_MAX];
static int aside_count;

static int64_t now_ms(void) {
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

bool child_socket_pair(int ret_fds[2], struct err *err) {
    int fds[2], size = 2 * CHILD_MESSAGE_MAX;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
        return err_set(err, ERR_IO, "socketpair: %s", strerror(errno));
    /* A packet counts against the sender's buffer with the kernel's overhead. Where
     * the system's limit is lower the set value is clipped and a large message fails
     * by name (TOO_BIG), so a failure here need not be one. */
    for (int i = 0; i < 2; i++)
        (void)setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    ret_fds[0] = fds[0];
    ret_fds[1] = fds[1];
    return true;
}

/* Wait until `fd` is ready for `events`. Returns 1 ready, 0 too late, -1 errno. */
static int wait_for(int fd, short events, int timeout_ms) {
    struct pollfd waiting = {.fd = fd, .events = events};
    int64_t end = now_ms() + timeout_ms;

    for (;;) {
        int64_t left = timeout_ms ? end - now_ms() : 0;
        int n = poll(&waiting, 1, left > 0 ? (int)left : 0);

        if (n >= 0)
            return n;
        if (errno != EINTR)
            return -1;
        if (timeout_ms == 0 || now_ms() >= end)
            return 0;
    }
}

static bool send_bytes(int fd, const char *text, size_t len, int timeout_ms, struct err *err) {
    int64_t end = now_ms() + timeout_ms;

    for (;;) {
        int64_t left;

        if (send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len)
            return true;
        if (errno == EINTR)
            continue;
        if (errno == EPIPE || errno == ECONNRESET || errno == ECONNREFUSED || errno == ENOTCONN)
            return err_set(err, ERR_CLOSED, "the other process is gone");
        if (errno == EMSGSIZE)
            return err_set(err, ERR_TOO_BIG, "a message of %zu bytes passes the socket's limit",
                           len);
        if (errno != EAGAIN && errno != ENOBUFS)
            return err_set(err, ERR_IO, "sending a message: %s", strerror(errno));
        left = end - now_ms();
        if (left <= 0)
            return err_set(err, ERR_TIMEOUT, "the other process does not read its messages");
        if (wait_for(fd, POLLOUT, left < 50 ? (int)left : 50) < 0)
            return err_set(err, ERR_IO, "waiting to send: %s", strerror(errno));
    }
}

bool child_send_within(int fd, const json_t *message, int timeout_ms, struct err *err) {
    char *text = NULL;
    size_t len = json_dumpb(message, NULL, 0, JSON_COMPACT);
    bool ok;

    if (len == 0)
        return err_set(err, ERR_INTERNAL, "a message is no JSON object");
    if (len > CHILD_MESSAGE_MAX)
        return err_set(err, ERR_TOO_BIG, "a message of %zu bytes passes the limit of %d", len,
                       CHILD_MESSAGE_MAX);
    text = malloc(len);
    if (!text)
        return err_set(err, ERR_MEMORY, "no memory for a message of %zu bytes", len);
    ok = json_dumpb(message, text, len, JSON_COMPACT) == len
             ? send_bytes(fd, text, len, timeout_ms, err)
             : err_set(err, ERR_INTERNAL, "a message changed while it was written");
    explicit_bzero(text, len);
    free(text);
    return ok;
}

bool child_send(int fd, const json_t *message, struct err *err) {
    return child_send_within(fd, message, SEND_TIMEOUT_MS, err);
}

static bool parse(const char *text, size_t len, json_t **ret_message, struct err *err) {
    json_error_t why;
    json_t *message = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);

    if (!message)
        return err_set(err, ERR_PROTOCOL, "a message is not JSON: %s", why.text);
    if (!json_is_string(json_object_get(message, "type"))) {
        json_decref(message);
        return err_set(err, ERR_PROTOCOL, "a message has no member \"type\"");
    }
    *ret_message = message;
    return true;
}

static bool receive_one(int fd, int timeout_ms, json_t **ret_message, struct err *err) {
    char *text;
    ssize_t len, got;
    bool ok;

    switch (wait_for(fd, POLLIN, timeout_ms)) {
    case 0:
        *ret_message = NULL;
        return true;
    case -1:
        return err_set(err, ERR_IO, "waiting for a message: %s", strerror(errno));
    default:
        break;
    }
    do
        len = recv(fd, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
    while (len < 0 && errno == EINTR);
    if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        *ret_message = NULL;
        return true;
    }
    /* We send no empty message: an empty one is the end. */
    if (len == 0 || (len < 0 && errno == ECONNRESET))
        return err_set(err, ERR_CLOSED, "the other process is gone");
    if (len < 0)
        return err_set(err, ERR_IO, "receiving a message: %s", strerror(errno));
    if (len > CHILD_MESSAGE_MAX)
        return err_set(err, ERR_PROTOCOL, "a message of %zd bytes passes the limit of %d", len,
                       CHILD_MESSAGE_MAX);
    text = malloc((size_t)len);
    if (!text)
        return err_set(err, ERR_MEMORY, "no memory for a message of %zd bytes", len);
    do
        got = recv(fd, text, (size_t)len, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    ok = got == len ? parse(text, (size_t)len, ret_message, err)
                    : err_set(err, ERR_IO, "a message was cut: %zd of %zd bytes", got, len);
    explicit_bzero(text, (size_t)len);
    free(text);
    return ok;
}

static void send_error(int fd, const struct err *why, json_int_t lease, const char *sealed) {
    char detail[ERR_FRAMES * (ERR_FRAME_LEN + 2)];
    struct err ignored = ERR_INIT;
    json_t *text, *message;

    err_format(why, detail, sizeof(detail));
    text = json_string(detail);
    if (!text) /* not UTF-8: a server's words; the code alone still says what it is */
        text = json_string("(the reason is not valid UTF-8)");
    message =
        json_pack("{s:s, s:s, s:o}", "type", "error", "code", err_slug(why->code), "detail", text);
    if (!message)
        return;
    if (lease >= 0)
        json_object_set_new(message, "lease", json_integer(lease));
    if (sealed)
        json_object_set_new(message, "sealed", json_string(sealed));
    if (!child_send(fd, message, &ignored))
        err_clear(&ignored);
    json_decref(message);
}

bool child_receive(int fd, int timeout_ms, json_t **ret_message, struct err *err) {
    if (aside_count == 0)
        return receive_one(fd, timeout_ms, ret_message, err);
    *ret_message = aside[0];
    memmove(&aside[0], &aside[1], (size_t)--aside_count * sizeof(aside[0]));
    return true;
}

bool child_has_aside(void) {
    return aside_count > 0;
}

void child_send_error(int fd, const struct err *why) {
    send_error(fd, why, -1, NULL);
}

void child_send_refused(int fd, const struct err *why, uint64_t lease, const char *sealed) {
    json_int_t known = lease > INT64_MAX ? INT64_MAX : (json_int_t)lease;

    send_error(fd, why, why->code == ERR_LEASE_BEHIND ? known : -1,
               why->code == ERR_SEALED ? sealed : NULL);
}

bool child_ask(int fd, const json_t *request, const char *answer_type, json_t **ret_answer,
               struct err *err) {
    int64_t end = now_ms() + ANSWER_TIMEOUT_MS;

    if (!child_send(fd, request, err))
        return false;
    for (;;) {
        int64_t left = end - now_ms();
        json_t *message = NULL;

        if (!receive_one(fd, left > 0 ? (int)left : 0, &message, err))
            return false;
        if (!message)
            return err_set(err, ERR_TIMEOUT, "the supervisor did not answer with \"%s\" in %d s",
                           answer_type, ANSWER_TIMEOUT_MS / 1000);
        if (strcmp(json_string_value(json_object_get(message, "type")), answer_type) == 0) {
            *ret_answer = message;
            return true;
        }
        if (aside_count == ASIDE_MAX) {
            json_decref(message);
            return err_set(err, ERR_PROTOCOL, "the supervisor sent %d messages instead of \"%s\"",
                           ASIDE_MAX, answer_type);
        }
        aside[aside_count++] = message;
    }
}
