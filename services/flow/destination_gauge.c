#include "services/flow/destination_gauge.h"

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "services/common/clock.h"
#include "services/redis/redis_info.h"

enum {
    ASK_MS = 5000,
    ASK_CALM_MS = 15000,
    ANSWER_MS = 20000,
    OPEN_AGAIN_MS = 60000,
    OPEN_MS = 250, /* and twice what it took the last time */
    OPEN_MAX_MS = 2000,
    SHOW_AGAIN_MS = 3600000, /* a certificate that was renewed is seen on a new connect */
    INFO_MAX = 1024 * 1024,
    READ_CHUNK = 16 * 1024,
};

void destination_gauge_init(struct destination_gauge *g, struct applier *a) {
    *g = (struct destination_gauge){
        .a = a,
        .client = REDIS_CLIENT_INIT,
        .in = BUF_INIT(INFO_MAX),
        .evicted_before = -1,
    };
}

static void give_up(struct destination_gauge *g, int64_t now) {
    redis_client_close(&g->client);
    buf_done(&g->in);
    g->asked_ms = 0;
    g->next_ms = now + OPEN_AGAIN_MS;
}

/* Opening waits, and nothing is applied meanwhile. */
static bool open_soon(struct destination_gauge *g) {
    struct err ignored = ERR_INIT;
    int64_t most_ms = OPEN_MS + 2 * g->a->opened_in_ms;

    return applier_connect_within(g->a, &g->client, most_ms < OPEN_MAX_MS ? most_ms : OPEN_MAX_MS,
                                  &ignored);
}

static bool open_client(struct destination_gauge *g, int64_t now) {
    int64_t until_ms;

    if (g->shown_ms && now - g->shown_ms > SHOW_AGAIN_MS)
        redis_client_close(&g->client);
    if (g->client.conn)
        return true;
    g->shown_ms = 0;
    if (!open_soon(g))
        return false;
    until_ms = conn_certificate_until_ms(g->client.conn, &g->a->spec.destination);
    CONTROL_SET(g->a, destination_certificate_until_ms, (uint64_t)until_ms);
    g->shown_ms = until_ms ? now : 0;
    return true;
}

static void ask(struct destination_gauge *g, int64_t now) {
    static const char question[] = "*1\r\n$4\r\nINFO\r\n";
    struct iovec iov = {.iov_base = (void *)(uintptr_t)question, .iov_len = sizeof(question) - 1};
    struct err ignored = ERR_INIT;
    size_t sent;

    if (!open_client(g, now)) {
        give_up(g, now);
        return;
    }
    buf_clear(&g->in);
    /* Before it is asked: what is applied meanwhile is not what it tells of. */
    g->applied = CONTROL_GET(g->a, applied_offset);
    /* What small a question does not go at once goes never. */
    if (!conn_writev(g->client.conn, &iov, 1, &sent, &ignored) || sent < iov.iov_len) {
        give_up(g, now);
        return;
    }
    g->asked_ms = now;
}

static void note(struct destination_gauge *g, struct str text) {
    struct redis_info *info = calloc(1, sizeof(*info));

    if (!info)
        return;
    redis_info_init(info);
    redis_info_parse(text, info);
    if (info->used_memory > 0)
        CONTROL_SET(g->a, destination_memory_bytes, (uint64_t)info->used_memory);
    if (info->maxmemory >= 0)
        CONTROL_SET(g->a, destination_memory_max_bytes, (uint64_t)info->maxmemory);
    if (info->evicted_keys >= 0 && g->evicted_before < 0)
        g->evicted_before = info->evicted_keys;
    /* A server that was started anew counts from 0 again. */
    if (info->evicted_keys >= 0 && info->evicted_keys < g->evicted_before)
        g->evicted_before = 0;
    if (info->evicted_keys > g->evicted_before) {
        CONTROL_ADD(g->a, destination_evicted_keys,
                    (uint64_t)(info->evicted_keys - g->evicted_before));
        g->evicted_before = info->evicted_keys;
    }
    free(info);
}

/* The answer as far as it is here: a bulk string, or an error. True when it is whole. */
static bool take_answer(struct destination_gauge *g) {
    struct str in = buf_str(&g->in), head;
    uint64_t len;

    if (in.len == 0 || !memchr(in.ptr, '\n', in.len))
        return false;
    if (in.ptr[0] != '$')
        return true; /* refused: unknown for good, as far as this connection goes */
    in = str_skip(in, 1);
    if (!str_cut(&in, '\r', &head) || !str_parse_u64(head, &len) || len > INFO_MAX)
        return true;
    if (in.len < 1 + len + 2)
        return false;
    note(g, str_first(str_skip(in, 1), (size_t)len));
    if (g->applied > 0 && CONTROL_GET(g->a, phase) == CONTROL_INCREMENTAL)
        CONTROL_SET(g->a, durable_offset,
                    durable_note(&g->durable, str_first(str_skip(in, 1), (size_t)len), g->applied,
                                 clock_mono_ms()));
    return true;
}

static void listen_for_answer(struct destination_gauge *g, int64_t now) {
    struct err ignored = ERR_INIT;

    for (;;) {
        size_t n;

        if (!buf_reserve(&g->in, READ_CHUNK, &ignored) ||
            !conn_read(g->client.conn, g->in.ptr + g->in.len, READ_CHUNK, &n, &ignored)) {
            give_up(g, now);
            return;
        }
        g->in.len += n;
        if (n == 0)
            break;
    }
    if (take_answer(g)) {
        g->asked_ms = 0;
        g->next_ms = now + (g->is_calm ? ASK_CALM_MS : ASK_MS);
    } else if (now - g->asked_ms > ANSWER_MS) {
        give_up(g, now);
    }
}

void destination_gauge_tick(struct destination_gauge *g) {
    int64_t now = clock_mono_ms();

    if (g->asked_ms)
        listen_for_answer(g, now);
    else if (now >= g->next_ms)
        ask(g, now);
}

void destination_gauge_last_look(struct destination_gauge *g) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    struct err ignored = ERR_INIT;

    redis_client_close(&g->client); /* a reply may be on its way */
    if (applier_connect(g->a, &g->client, &ignored) &&
        redis_client_call(&g->client, &arena, &reply, &ignored, "INFO", NULL) &&
        reply->type == RESP_BULK)
        note(g, reply->str);
    arena_done(&arena);
}

void destination_gauge_done(struct destination_gauge *g) {
    redis_client_close(&g->client);
    buf_done(&g->in);
}
