#include "services/flow/lane_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "proto/resp/resp_error.h"
#include "proto/resp/resp_write.h"
#include "services/common/clock.h"
#include "services/common/failpoint.h"

enum {
    OUT_MAX = 64 * 1024,
    IN_MAX = 1024 * 1024, /* what is read at once, and a line; long strings are passed over */
    READ_CHUNK = 64 * 1024,
    SCRIPT_MAX = 1200 * 1024 * 1024, /* as a unit of the tail */
    IOV_MAX_USED = 512,
};

/* An error seal that outlives us: when we die between EXEC and reading its reply,
 * the next claim still learns that a command failed or keys were evicted. Plain EVAL, because an
 * EVALSHA inside EXEC answers NOSCRIPT after a SCRIPT FLUSH. */
static const char seal_begin[] =
    "local n=string.match(redis.call('INFO','stats'),'total_error_replies:(%d+)') "
    "redis.call('HSET',KEYS[1],'base',n) return 1";
static const char seal_end[] = "local s=redis.call('INFO','stats') "
                               "local n=string.match(s,'total_error_replies:(%d+)') "
                               "local d=tonumber(n)-tonumber(redis.call('HGET',KEYS[1],'base')) "
                               /* Keys it evicts are missing there without any command having
                                * failed. Its count begins at 0 when it is started anew. */
                               "local e=tonumber(string.match(s,'evicted_keys:(%d+)')) "
                               "local w=tonumber(redis.call('HGET',KEYS[1],'evicted') or e) "
                               "if e<w then w=0 end d=d+e-w "
                               "if e>w then redis.call('HINCRBY',KEYS[1],'gone',e-w) end "
                               "if d>0 then redis.call('HINCRBY',KEYS[1],'err',d) end "
                               "redis.call('HSET',KEYS[1],'evicted',e) return d";

void lane_init(struct lane *lane, const struct task_spec *spec, enum lane_mode mode) {
    *lane = (struct lane){
        .state = LANE_CLOSED,
        .mode = mode,
        .client = REDIS_CLIENT_INIT,
        .spec = spec,
        .database = spec->lowest_database,
        .head = BUF_INIT(OUT_MAX),
        .tail = BUF_INIT(OUT_MAX),
        .script = {.own = BUF_INIT(SCRIPT_MAX)},
        .in = BUF_INIT(IN_MAX),
        .position = BUF_INIT(OUT_MAX),
    };
    position_key(spec, lane->key);
}

void lane_close(struct lane *lane) {
    redis_client_close(&lane->client);
    buf_done(&lane->head);
    buf_done(&lane->tail);
    unit_done(&lane->script);
    buf_done(&lane->in);
    buf_done(&lane->position);
    lane->state = LANE_CLOSED;
}

/* ---- going out ----------------------------------------------------------------- */

bool lane_put_gate(struct lane *lane, struct buf *out, struct err *err) {
    return ((lane->spec->faults & TASK_FAULT_COPY_UNFENCED && lane->mode == LANE_COPY)
                ? resp_put_words(out, err, "PING", NULL)
                : resp_put_words(out, err, "WATCH", lane->key, NULL)) &&
           resp_put_words(out, err, "HMGET", lane->key, "epoch", "off", "err", NULL) &&
           resp_put_words(out, err, "MULTI", NULL);
}

/* Two commands; in a script one, because a second one could be refused when the first had its
 * effect. */
static bool put_position(struct lane *lane, struct buf *out, const struct position *position,
                         const struct lane_position *end, bool in_script, uint32_t *ret_count,
                         struct err *err) {
    char next[24], db[16], seq[24];
    struct str set[10] = {STR_LIT("HSET"), str_from(lane->key)};
    size_t n = 2;

    *ret_count = 1;
    snprintf(next, sizeof(next), "%" PRIu64, end->next);
    snprintf(seq, sizeof(seq), "%" PRIu64, position->seq + 1);
    snprintf(db, sizeof(db), "%d", end->source_db);
    set[n++] = STR_LIT("off");
    set[n++] = str_from(next);
    if (end->mark) {
        set[n++] = STR_LIT("mark");
        set[n++] = str_from(end->mark);
        return resp_put_command(out, n, set, err);
    }
    set[n++] = STR_LIT("db");
    set[n++] = str_from(db);
    if (end->replid) {
        set[n++] = STR_LIT("rid");
        set[n++] = str_from(end->replid);
    }
    if (in_script) {
        set[n++] = STR_LIT("seq");
        set[n++] = str_from(seq);
        return resp_put_command(out, n, set, err);
    }
    *ret_count = 2;
    return resp_put_command(out, n, set, err) &&
           resp_put_words(out, err, "HINCRBY", lane->key, "seq", "1", NULL);
}

/* KF_FAULTS: the position is written once the data is in. */
static bool is_position_late(const struct lane *lane, const struct lane_position *end) {
    return (lane->spec->faults & TASK_FAULT_POSITION_OUTSIDE_UNIT) && lane->mode == LANE_TAIL &&
           !end->by_unit;
}

/* One EVAL of the unit and its position: for a server that does not count its errors, and where all
 * that stands behind a command that fails must not happen. */
static bool frame_script(struct lane *lane, const struct position *position,
                         const struct lane_position *end, struct err *err) {
    struct lane_script_frame frame = {
        .names = lane->names,
        .key = str_from(lane->key),
        .database = lane->database,
        .stops = end->stops,
    };
    size_t words;

    buf_clear(&lane->head);
    buf_clear(&lane->tail);
    buf_clear(&lane->position);
    lane->position_after = is_position_late(lane, end);
    if (!end->by_unit &&
        !put_position(lane, &lane->position, position, end, true, &lane->position_count, err))
        return false;
    if (!lane->position_after && !end->by_unit) {
        frame.position = buf_str(&lane->position);
        frame.position_count = lane->position_count;
    }
    if (!lane_script_make(&frame, lane->unit, &lane->script, &words, err) ||
        !resp_put_array(&lane->head, words, err))
        return false;
    lane->unit = &lane->script;
    lane->expect_next = end->next;
    return resp_put_words(&lane->tail, err, "EXEC", NULL) &&
           (lane->position_after || lane_put_gate(lane, &lane->tail, err));
}

/* All commands between MULTI and EXEC that are not the unit's own. */
static bool frame_unit(struct lane *lane, const struct position *position,
                       const struct lane_position *end, uint32_t *ret_own, struct err *err) {
    bool unfenced = lane->mode == LANE_COPY && (lane->spec->faults & TASK_FAULT_COPY_UNFENCED);
    /* A unit that only moves the position has nothing that could fail. */
    bool may_fail = lane->unit->commands > 0 && !end->by_unit && !unfenced &&
                    !(lane->spec->faults & TASK_FAULT_ERRORS_UNSEALED);
    bool seal = !lane->names && may_fail;
    uint32_t own = 0;
    char db[16];

    *ret_own = 0;
    lane->seal_at[0] = lane->seal_at[1] = UINT32_MAX;
    if ((lane->names && may_fail) || (end->stops && !unfenced))
        return frame_script(lane, position, end, err);
    buf_clear(&lane->head);
    buf_clear(&lane->tail);
    buf_clear(&lane->position);
    if (seal) {
        if (!resp_put_words(&lane->head, err, "EVAL", seal_begin, "1", lane->key, NULL))
            return false;
        lane->seal_at[0] = own++;
    }
    if (lane->unit->database != lane->database) {
        snprintf(db, sizeof(db), "%d", lane->database);
        if (!resp_put_words(&lane->tail, err, "SELECT", db, NULL))
            return false;
        own++;
    }
    if (seal) {
        if (!resp_put_words(&lane->tail, err, "EVAL", seal_end, "1", lane->key, NULL))
            return false;
        lane->seal_at[1] = lane->unit->commands + own++;
    }
    lane->position_after = is_position_late(lane, end);
    /* KF_FAULTS: a copy without its fence has no position either, or the mark of a late
     * unit would be noticed in its stead. */
    if (unfenced) {
        *ret_own = own;
        return resp_put_words(&lane->tail, err, "EXEC", NULL) &&
               lane_put_gate(lane, &lane->tail, err);
    }
    if (!end->by_unit) {
        if (!put_position(lane, lane->position_after ? &lane->position : &lane->tail, position, end,
                          false, &lane->position_count, err))
            return false;
        if (!lane->position_after)
            own += lane->position_count;
    }
    lane->expect_next = end->next;
    *ret_own = own;
    return resp_put_words(&lane->tail, err, "EXEC", NULL) &&
           (lane->position_after || lane_put_gate(lane, &lane->tail, err));
}

/* The bytes from `sent` on as an iovec, `most` of them. */
static int gather(const struct lane *lane, struct iovec *iov, size_t most) {
    struct str parts[2] = {buf_str(&lane->head), buf_str(&lane->tail)};
    size_t skip = lane->sent;
    int n = 0;
    uint32_t pieces = lane->unit ? lane->unit->piece_count : 0;

    for (uint32_t i = 0; i < pieces + 2 && n < IOV_MAX_USED && most > 0; i++) {
        struct str s = i == 0            ? parts[0]
                       : i == pieces + 1 ? parts[1]
                                         : unit_piece_str(lane->unit, i - 1);

        if (skip >= s.len) {
            skip -= s.len;
            continue;
        }
        s = str_first(str_skip(s, skip), most);
        most -= s.len;
        skip = 0;
        iov[n++] = (struct iovec){.iov_base = (void *)(uintptr_t)s.ptr, .iov_len = s.len};
    }
    return n;
}

static size_t out_bytes(const struct lane *lane) {
    return lane->head.len + lane->tail.len + (lane->unit ? lane->unit->bytes : 0);
}

bool lane_push(struct lane *lane, struct err *err) {
    struct iovec iov[IOV_MAX_USED];

    while (lane->sent < out_bytes(lane)) {
        size_t n, most = out_bytes(lane) - lane->sent;
        int count;

        if (failpoint_io(FAILPOINT_LANE_WRITE, &most))
            return err_set(err, ERR_DEST_DOWN, "writing to the destination: %s", strerror(errno));
        count = gather(lane, iov, most);
        if (!conn_writev(lane->client.conn, iov, count, &n, err))
            return err_recode(err, ERR_DEST_DOWN, "writing to the destination");
        if (n == 0)
            break;
        lane->sent += n;
        lane->moved_at_ms = clock_mono_ms();
    }
    return true;
}

bool lane_start(struct lane *lane, struct redis_client client, const struct position *position,
                const struct lane_script_names *names, struct err *err) {
    lane->client = client;
    lane->moved_at_ms = clock_mono_ms();
    lane->names = names;
    lane->expect_epoch = position->epoch;
    lane->expect_next = position->next;
    buf_clear(&lane->head);
    buf_clear(&lane->tail);
    buf_clear(&lane->in);
    lane->unit = NULL;
    lane->sent = lane->in_at = 0;
    lane->was_refused = lane->is_unsealed = false;
    lane->step = STEP_WATCH;
    lane->state = LANE_GATE;
    return lane_put_gate(lane, &lane->tail, err) && lane_push(lane, err) &&
           failpoint(FAILPOINT_LANE_GATE_SENT, err);
}

bool lane_send(struct lane *lane, struct unit *unit, const struct position *position,
               const struct lane_position *end, struct err *err) {
    uint32_t own;

    lane->unit = unit;
    lane->sent = 0;
    lane->sent_at_us = clock_mono_us();
    lane->moved_at_ms = lane->sent_at_us / 1000;
    if (!frame_unit(lane, position, end, &own, err))
        return false;
    lane->queued_left = lane->exec_count = lane->unit->commands + own;
    lane->step = STEP_QUEUED;
    lane->was_refused = lane->is_unsealed = false;
    lane->state = LANE_BUSY;
    return failpoint(FAILPOINT_LANE_UNIT_FRAMED, err) && lane_push(lane, err) &&
           failpoint(FAILPOINT_LANE_UNIT_SENT, err);
}

/* ---- both ways ------------------------------------------------------------------ */

bool lane_pump(struct lane *lane, struct err *err) {
    if (lane->state == LANE_CLOSED)
        return true;
    if (!lane_push(lane, err))
        return false;
    for (;;) {
        size_t n;

        if (!buf_reserve(&lane->in, READ_CHUNK, err))
            return err_recode(err, ERR_PROTOCOL, "a reply of the destination is too large");
        if (!conn_read(lane->client.conn, lane->in.ptr + lane->in.len, READ_CHUNK, &n, err))
            return err_recode(err, ERR_DEST_DOWN, "reading from the destination");
        if (n == 0)
            return lane->state == LANE_READY ||
                   clock_mono_ms() - lane->moved_at_ms < LANE_ANSWER_MAX_MS ||
                   err_set(err, ERR_DEST_DOWN, "no answer of the destination in %d s",
                           LANE_ANSWER_MAX_MS / 1000);
        lane->moved_at_ms = clock_mono_ms();
        lane->in.len += n;
        if (lane->state == LANE_READY)
            return err_set(err, ERR_PROTOCOL, "the destination answered what was not asked");
        if (!lane_judge(lane, err))
            return false;
        if (n < READ_CHUNK && !conn_has_pending(lane->client.conn))
            return true;
    }
}

short lane_events(const struct lane *lane) {
    return conn_events(lane->client.conn, true, lane->sent < out_bytes(lane));
}

bool lane_leave(struct lane *lane, struct redis_client *ret_client, struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    bool ok = redis_client_call(&lane->client, &arena, &reply, err, "DISCARD", NULL);

    arena_done(&arena);
    if (!ok)
        return err_recode(err, ERR_DEST_DOWN, "leaving a transaction");
    *ret_client = lane->client;
    lane->client = REDIS_CLIENT_INIT;
    lane->state = LANE_CLOSED;
    return true;
}
