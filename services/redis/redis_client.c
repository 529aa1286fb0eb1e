#include "services/redis/redis_client.h"

#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "proto/resp/resp_write.h"
#include "services/common/clock.h"
#include "services/redis/redis_primary.h"

enum { READ_PIECE = 16 * 1024 };

/* Take what the connection has and count the replies that are whole. */
static bool take_replies(struct redis_client *client, struct arena *arena, size_t count,
                         const struct resp_value **replies, size_t *got, struct err *err) {
    char piece[READ_PIECE];
    size_t n;

    do {
        if (!conn_read(client->conn, piece, sizeof(piece), &n, err))
            return false;
        if (n > 0 && !resp_reader_feed(client->reader, str_of(piece, n), err))
            return err_wrap(err, "a reply of %s", client->label);
        while (*got < count) {
            enum resp_status status = resp_reader_next(client->reader, arena, &replies[*got], err);

            if (status == RESP_WRONG)
                return err_wrap(err, "a reply of %s", client->label);
            if (status == RESP_NEED_MORE)
                break;
            (*got)++;
        }
    } while (n > 0 && *got < count);
    return true;
}

bool redis_client_pipeline(struct redis_client *client, struct str commands, size_t count,
                           struct arena *arena, const struct resp_value **ret_replies,
                           struct err *err) {
    int64_t deadline = clock_mono_ms() + client->timeout_ms;
    size_t sent = 0, got = 0;
    struct err broken = ERR_INIT, lost = ERR_INIT; /* of writing, of reading */

    if (!client->conn)
        return err_set(err, ERR_CLOSED, "the connection to %s is closed", client->label);
    for (;;) {
        /* The conn API takes what writev takes, which is not const. */
        struct iovec rest = {.iov_base = (void *)(uintptr_t)(commands.ptr + sent),
                             .iov_len = commands.len - sent};
        struct pollfd waiting = {.fd = conn_fd(client->conn)};
        int64_t left = deadline - clock_mono_ms();
        size_t n = 0;

        if (sent < commands.len && broken.code == ERR_NONE &&
            conn_writev(client->conn, &rest, 1, &n, &broken))
            sent += n;
        /* Read before reporting a failed write: the reason is usually in there. */
        if (!take_replies(client, arena, count, ret_replies, &got, &lost)) {
            /* A TLS alert tells why the other direction was cut. */
            *err = broken.code == ERR_NONE || lost.code == ERR_TLS ? lost : broken;
            return false;
        }
        if (got == count)
            return true;
        if (broken.code != ERR_NONE) {
            *err = broken;
            return false;
        }
        if (left <= 0)
            return err_set(err, ERR_TIMEOUT, "%s did not answer in %lld ms", client->label,
                           (long long)client->timeout_ms);
        waiting.events = conn_events(client->conn, true, sent < commands.len);
        if (!conn_has_pending(client->conn))
            (void)poll(&waiting, 1, (int)(left < INT_MAX ? left : INT_MAX));
    }
}

bool redis_client_command(struct redis_client *client, size_t argc, const struct str *argv,
                          struct arena *arena, const struct resp_value **ret, struct err *err) {
    struct buf out = BUF_INIT(REDIS_CLIENT_REQUEST_MAX);
    bool ok = resp_put_command(&out, argc, argv, err) &&
              redis_client_pipeline(client, buf_str(&out), 1, arena, ret, err);

    if (out.ptr)
        explicit_bzero(out.ptr, out.cap); /* AUTH passes here */
    buf_done(&out);
    return ok;
}

bool redis_client_call(struct redis_client *client, struct arena *arena,
                       const struct resp_value **ret, struct err *err, ...) {
    struct str argv[32];
    size_t argc = 0;
    const char *word;
    va_list words;

    va_start(words, err);
    while ((word = va_arg(words, const char *)) && argc < LENGTH_OF(argv))
        argv[argc++] = str_from(word);
    va_end(words);
    return redis_client_command(client, argc, argv, arena, ret, err);
}

bool redis_client_refused(const struct redis_client *client, const struct resp_value *reply,
                          const char *doing, struct err *err) {
    enum resp_error class;
    char shown[140];

    if (reply->type != RESP_ERROR)
        return err_set(err, ERR_PROTOCOL, "%s: %s answered something unexpected", doing,
                       client->label);
    class = resp_error_class(reply->str);
    str_escape(resp_error_shown(reply->str), shown, sizeof(shown));
    return err_set(err,
                   client->side == REDIS_SOURCE ? resp_error_source(class)
                                                : resp_error_destination(class),
                   "%s: %s", doing, shown);
}

bool redis_client_not_now(const struct resp_value *reply) {
    return reply->type == RESP_ERROR &&
           err_retry_class(resp_error_destination(resp_error_class(reply->str))) == RETRY_LATER;
}

/* Replies that mean that we are not logged in, whatever was asked. */
static bool demands_login(const struct resp_value *reply) {
    enum resp_error class =
        reply->type == RESP_ERROR ? resp_error_class(reply->str) : RESP_ERROR_OTHER;

    return class == RESP_ERROR_NOAUTH || class == RESP_ERROR_DENIED ||
           class == RESP_ERROR_WRONGPASS;
}

/* The one word user:password. */
static bool auth_with_one_word(struct redis_client *client, struct str username,
                               struct str password, struct arena *arena,
                               const struct resp_value **ret, struct err *err) {
    struct str pieces[3] = {username, STR_LIT(":"), password};
    struct buf out = BUF_INIT(4096);
    bool ok = resp_put_array(&out, 2, err) && resp_put_literal(&out, "AUTH", err) &&
              resp_put_joined(&out, LENGTH_OF(pieces), pieces, err) &&
              redis_client_pipeline(client, buf_str(&out), 1, arena, ret, err);

    client->auth_joined = ok && resp_value_is(*ret, "OK");
    if (out.ptr)
        explicit_bzero(out.ptr, out.cap);
    buf_done(&out);
    return ok;
}

static bool knows_no_users(const struct resp_value *reply) {
    return reply->type == RESP_ERROR &&
           str_starts_with(reply->str, STR_LIT("ERR wrong number of arguments"));
}

static bool authenticate(struct redis_client *client, const struct endpoint *ep,
                         const struct credentials *cred, struct arena *arena, struct err *err) {
    struct str password = cred ? secret_str(&cred->password) : STR_EMPTY;
    struct str username = str_from(ep->username);
    struct str argv[3] = {STR_LIT("AUTH"), username, password};
    const struct resp_value *reply;

    if (username.len == 0 && password.len == 0)
        return true;
    if (username.len == 0)
        argv[1] = password;
    if (!redis_client_command(client, username.len ? 3 : 2, argv, arena, &reply, err))
        return false;
    if (username.len > 0 && knows_no_users(reply) &&
        !auth_with_one_word(client, username, password, arena, &reply, err))
        return false;
    if (resp_value_is(reply, "OK"))
        return true;
    (void)redis_client_refused(client, reply, "logging in", err);
    if (reply->type == RESP_ERROR && err->code != ERR_SOURCE_BUSY && err->code != ERR_DEST_BUSY)
        err->code = client->side == REDIS_SOURCE ? ERR_SOURCE_AUTH : ERR_DEST_AUTH;
    return false;
}

static bool introduce(struct redis_client *client, const struct endpoint *ep, struct arena *arena,
                      struct err *err) {
    struct buf out = BUF_INIT(4096);
    const struct resp_value *replies[2];
    char number[12];
    size_t count = ep->database > 0 ? 2 : 1;
    bool ok;

    snprintf(number, sizeof(number), "%d", ep->database);
    ok = resp_put_words(&out, err, "CLIENT", "SETNAME", "keyferry", NULL) &&
         (count == 1 || resp_put_words(&out, err, "SELECT", number, NULL)) &&
         redis_client_pipeline(client, buf_str(&out), count, arena, replies, err);
    buf_done(&out);
    if (!ok)
        return false;
    if (count == 2 && !resp_value_is(replies[1], "OK"))
        return redis_client_refused(client, replies[1], "selecting the database", err);
    return true;
}

/* A server in protected mode says why and hangs up; the reply is then the answer to our first
 * command, and the second finds the connection closed. */
bool redis_client_login(struct redis_client *client, struct conn *conn, const struct endpoint *ep,
                        const struct credentials *cred, enum redis_side side, int64_t timeout_ms,
                        struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *hello;
    bool ok;

    *client = (struct redis_client){
        .conn = conn,
        .reader = resp_reader_new(RESP_READER_LIMITS),
        .timeout_ms = timeout_ms > 0 ? timeout_ms : ep->connect_timeout_ms,
        .side = side,
    };
    snprintf(client->label, sizeof(client->label), "%s", ep->label);
    if (!client->reader) {
        redis_client_close(client);
        return err_set(err, ERR_MEMORY, "no memory for a reader");
    }
    ok = authenticate(client, ep, cred, &arena, err) &&
         redis_client_call(client, &arena, &hello, err, "PING", NULL);
    if (ok && demands_login(hello))
        ok = redis_client_refused(client, hello, "connecting", err);
    ok = ok && introduce(client, ep, &arena, err);
    arena_done(&arena);
    if (!ok) {
        redis_client_close(client);
        return err_wrap(err, "%s", ep->label);
    }
    return true;
}

bool redis_client_open(struct redis_client *client, const struct endpoint *ep,
                       const struct credentials *cred, enum redis_side side, int64_t timeout_ms,
                       struct err *err) {
    int64_t limit_ms = timeout_ms > 0 ? timeout_ms : ep->connect_timeout_ms;
    int64_t begin = clock_mono_ms(), left;
    struct conn *conn;

    if (endpoint_is_cluster(ep))
        return err_set(err, ERR_NOT_SUPPORTED_YET, "%.200s is a cluster, which is not built yet",
                       ep->label);
    if (endpoint_is_group(ep))
        return redis_primary_open(client, ep, cred, side, timeout_ms, NULL, err);
    *client = REDIS_CLIENT_INIT;
    if (!conn_open(&conn, ep, cred, limit_ms, err))
        return false;
    left = limit_ms - (clock_mono_ms() - begin);
    if (!redis_client_login(client, conn, ep, cred, side, left > 1 ? left : 1, err))
        return false;
    client->timeout_ms = limit_ms;
    return true;
}

bool redis_client_unexpected(const struct redis_client *client, const struct resp_value *reply,
                             const char *doing, struct err *err) {
    if (reply->type == RESP_ERROR)
        return redis_client_refused(client, reply, doing, err);
    return err_set(err, ERR_PROTOCOL, "%s: the %s answered with something else", doing,
                   client->side == REDIS_SOURCE ? "source" : "destination");
}

bool redis_client_info(struct redis_client *client, struct redis_info *ret, bool *ret_refused,
                       struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    bool ok;

    if (!redis_client_call(client, &arena, &reply, err, "INFO", NULL)) {
        arena_done(&arena);
        return false;
    }
    redis_info_init(ret);
    *ret_refused = false;
    ok = true;
    if (reply->type == RESP_BULK) {
        redis_info_parse(reply->str, ret);
    } else {
        enum resp_error class =
            reply->type == RESP_ERROR ? resp_error_class(reply->str) : RESP_ERROR_OTHER;

        *ret_refused = class == RESP_ERROR_NOPERM || class == RESP_ERROR_UNKNOWN_COMMAND;
        ok = *ret_refused || redis_client_refused(client, reply, "INFO", err);
    }
    arena_done(&arena);
    return ok;
}

void redis_client_close(struct redis_client *client) {
    conn_close(client->conn);
    resp_reader_free(client->reader);
    client->conn = NULL;
    client->reader = NULL;
}
