#include "services/flow/lane.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/resp/resp_error.h"
#include "proto/resp/resp_write.h"
#include "services/common/clock.h"

enum {
    OUT_MAX = 64 * 1024,
    IN_MAX = 64 * 1024 * 1024, /* one element of one reply; XRANGE is no write */
    READ_CHUNK = 64 * 1024,
    IOV_MAX_USED = 512,
};

/* The replies of a unit and of the gate behind it, in order. */
enum step {
    STEP_QUEUED,
    STEP_EXEC,
    STEP_ELEMENTS,
    STEP_WATCH,
    STEP_HMGET,
    STEP_FIELDS,
    STEP_MULTI,
    STEP_LATE, /* KF_FAULTS only */
};

/* An error seal that outlives us: when we die between EXEC and reading its reply,
 * the next claim still learns that a command failed. Plain EVAL, because an
 * EVALSHA inside EXEC answers NOSCRIPT after a SCRIPT FLUSH. */
static const char seal_begin[] =
    "local n=string.match(redis.call('INFO','stats'),'total_error_replies:(%d+)') "
    "redis.call('HSET',KEYS[1],'base',n) return 1";
static const char seal_end[] =
    "local n=string.match(redis.call('INFO','stats'),'total_error_replies:(%d+)') "
    "local d=tonumber(n)-tonumber(redis.call('HGET',KEYS[1],'base')) "
    "if d>0 then redis.call('HINCRBY',KEYS[1],'err',d) end return d";

void lane_init(struct lane *lane, const struct task_spec *spec, enum lane_mode mode) {
    *lane = (struct lane){
        .state = LANE_CLOSED,
        .mode = mode,
        .client = REDIS_CLIENT_INIT,
        .spec = spec,
        .database = spec->lowest_database,
        .head = BUF_INIT(OUT_MAX),
        .tail = BUF_INIT(OUT_MAX),
        .in = BUF_INIT(IN_MAX),
        .position = BUF_INIT(OUT_MAX),
    };
    position_key(spec, lane->key);
}

void lane_close(struct lane *lane) {
    redis_client_close(&lane->client);
    buf_done(&lane->head);
    buf_done(&lane->tail);
    buf_done(&lane->in);
    buf_done(&lane->position);
    lane->state = LANE_CLOSED;
}

/* ---- going out ----------------------------------------------------------------- */

static bool put_gate(struct lane *lane, struct buf *out, struct err *err) {
    return ((lane->spec->faults & TASK_FAULT_COPY_UNFENCED && lane->mode == LANE_COPY)
                ? resp_put_words(out, err, "PING", NULL)
                : resp_put_words(out, err, "WATCH", lane->key, NULL)) &&
           resp_put_words(out, err, "HMGET", lane->key, "epoch", "off", "err", NULL) &&
           resp_put_words(out, err, "MULTI", NULL);
}

static bool put_position(struct lane *lane, struct buf *out, const struct position *position,
                         const struct lane_position *end, struct err *err) {
    char next[24], db[16], generation[24], lease[24], epoch[24];
    struct str set[20] = {STR_LIT("HSET"), str_from(lane->key)};
    size_t n = 2;

    snprintf(next, sizeof(next), "%" PRIu64, end->next);
    snprintf(db, sizeof(db), "%d", end->source_db);
    set[n++] = STR_LIT("off");
    set[n++] = str_from(next);
    set[n++] = STR_LIT("db");
    set[n++] = str_from(db);
    if (end->replid || end->whole) {
        set[n++] = STR_LIT("rid");
        set[n++] = str_from(end->replid ? end->replid : position->replid);
    }
    if (end->whole) {
        snprintf(generation, sizeof(generation), "%" PRIu64, position->generation);
        snprintf(lease, sizeof(lease), "%" PRIu64, position->lease);
        snprintf(epoch, sizeof(epoch), "%" PRIu64, position->epoch);
        set[n++] = STR_LIT("gen");
        set[n++] = str_from(generation);
        set[n++] = STR_LIT("lease");
        set[n++] = str_from(lease);
        set[n++] = STR_LIT("epoch");
        set[n++] = str_from(epoch);
        set[n++] = STR_LIT("state");
        set[n++] = STR_LIT("tail");
    }
    if (!resp_put_command(out, n, set, err))
        return false;
    if (!end->whole)
        return resp_put_words(out, err, "HINCRBY", lane->key, "seq", "1", NULL);
    /* seq and what few numbers are left; the hash is new. */
    snprintf(next, sizeof(next), "%" PRIu64, position->seq + 1);
    return resp_put_words(out, err, "HSET", lane->key, "v", "1", "err", "0", "fresh",
                          position->fresh ? "1" : "0", "seq", next, NULL);
}

/* All commands between MULTI and EXEC that are not the unit's own. */
static bool frame_unit(struct lane *lane, const struct position *position,
                       const struct lane_position *end, uint32_t *ret_own, struct err *err) {
    bool seal = end && lane->seal && !end->whole;
    uint32_t own = 0;
    char db[16];

    buf_clear(&lane->head);
    buf_clear(&lane->tail);
    buf_clear(&lane->position);
    if (seal) {
        if (!resp_put_words(&lane->head, err, "EVAL", seal_begin, "1", lane->key, NULL))
            return false;
        own++;
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
        own++;
    }
    lane->position_after = end && (lane->spec->faults & TASK_FAULT_POSITION_OUTSIDE_UNIT);
    if (end) {
        if (!put_position(lane, lane->position_after ? &lane->position : &lane->tail, position, end,
                          err))
            return false;
        own += lane->position_after ? 0 : 2;
        lane->expect_next = end->next;
        lane->has_next = true;
    }
    *ret_own = own;
    return resp_put_words(&lane->tail, err, "EXEC", NULL) &&
           (lane->position_after || put_gate(lane, &lane->tail, err));
}

/* The bytes from `sent` on as an iovec. */
static int gather(const struct lane *lane, struct iovec *iov) {
    struct str parts[2] = {buf_str(&lane->head), buf_str(&lane->tail)};
    size_t skip = lane->sent;
    int n = 0;
    uint32_t pieces = lane->unit ? lane->unit->piece_count : 0;

    for (uint32_t i = 0; i < pieces + 2 && n < IOV_MAX_USED; i++) {
        struct str s = i == 0            ? parts[0]
                       : i == pieces + 1 ? parts[1]
                                         : unit_piece_str(lane->unit, i - 1);

        if (skip >= s.len) {
            skip -= s.len;
            continue;
        }
        s = str_skip(s, skip);
        skip = 0;
        iov[n++] = (struct iovec){.iov_base = (void *)(uintptr_t)s.ptr, .iov_len = s.len};
    }
    return n;
}

static size_t out_bytes(const struct lane *lane) {
    return lane->head.len + lane->tail.len + (lane->unit ? lane->unit->bytes : 0);
}

static bool push(struct lane *lane, struct err *err) {
    struct iovec iov[IOV_MAX_USED];

    while (lane->sent < out_bytes(lane)) {
        size_t n;
        int count = gather(lane, iov);

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
                bool seal, struct err *err) {
    lane->client = client;
    lane->seal = seal;
    lane->expect_epoch = position->epoch;
    lane->expect_next = position->next;
    lane->has_next = lane->mode == LANE_TAIL;
    buf_clear(&lane->head);
    buf_clear(&lane->tail);
    buf_clear(&lane->in);
    lane->unit = NULL;
    lane->sent = lane->in_at = 0;
    lane->was_refused = false;
    lane->step = STEP_WATCH;
    lane->state = LANE_GATE;
    return put_gate(lane, &lane->tail, err) && push(lane, err);
}

bool lane_send(struct lane *lane, struct unit *unit, const struct position *position,
               const struct lane_position *end, struct err *err) {
    uint32_t own;

    lane->unit = unit;
    lane->sent = 0;
    if (!frame_unit(lane, position, end, &own, err))
        return false;
    lane->queued_left = lane->exec_count = unit->commands + own;
    lane->step = STEP_QUEUED;
    lane->was_refused = false;
    lane->state = LANE_BUSY;
    return push(lane, err);
}

/* ---- coming in ----------------------------------------------------------------- */

/* Remember the first refusal; the rest of the replies still has to be read. */
static void refuse(struct lane *lane, struct str text) {
    char shown[128];

    if (lane->was_refused)
        return;
    /* Only the class word and the sentence of the server: no argument of a user's. */
    str_escape(str_first(text, 100), shown, sizeof(shown));
    lane->was_refused = true;
    (void)err_set(&lane->refused, resp_error_destination(resp_error_class(text)),
                  "the destination answered %s", shown);
}

/* +QUEUED for every command: long runs of the same nine bytes. */
static enum resp_status take_queued(struct lane *lane, struct str in, size_t *ret_used,
                                    struct err *err) {
    static const char queued[] = "+QUEUED\r\n";
    enum { QUEUED_LEN = sizeof(queued) - 1 };
    size_t at = 0;

    while (lane->queued_left > 0) {
        struct resp_item item;
        enum resp_status status;
        size_t used;

        if (in.len - at >= QUEUED_LEN && memcmp(in.ptr + at, queued, QUEUED_LEN) == 0) {
            at += QUEUED_LEN;
            lane->queued_left--;
            continue;
        }
        status = resp_reply_next(str_skip(in, at), &used, &item, err);
        if (status != RESP_GOT) {
            *ret_used = at;
            return status;
        }
        if (item.type == RESP_ERROR) {
            refuse(lane, item.str);
        } else {
            (void)err_set(err, ERR_PROTOCOL, "a command of a transaction was not queued");
            return RESP_WRONG;
        }
        at += used;
        lane->queued_left--;
    }
    *ret_used = at;
    lane->step = STEP_EXEC;
    return RESP_GOT;
}

static enum resp_status fail(struct err *err, enum err_code code, const char *what) {
    (void)err_set(err, code, "%s", what);
    return RESP_WRONG;
}

static enum resp_status take_exec(struct lane *lane, struct str in, size_t *ret_used,
                                  struct err *err) {
    struct resp_item item;
    enum resp_status status = resp_reply_next(in, ret_used, &item, err);

    if (status != RESP_GOT)
        return status;
    if (lane->was_refused || item.type == RESP_ERROR) {
        if (item.type == RESP_ERROR)
            refuse(lane, item.str);
        *err = lane->refused;
        (void)err_wrap(err, "a transaction was refused as a whole");
        return RESP_WRONG;
    }
    if (item.type == RESP_NIL)
        return fail(err, ERR_FENCED,
                    "EXEC answered nil: the position was changed by somebody else");
    if (item.type != RESP_ARRAY || item.integer != (int64_t)lane->exec_count)
        return fail(err, ERR_PROTOCOL, "EXEC answered another number of replies");
    lane->element = 0;
    lane->skip = RESP_SKIP_INIT;
    lane->step = STEP_ELEMENTS;
    return RESP_GOT;
}

/* A command failed although the transaction ran: both ends differ now. */
static enum resp_status failed_element(struct lane *lane, struct str error, struct err *err) {
    refuse(lane, error);
    *err = lane->refused;
    if (lane->mode == LANE_TAIL)
        (void)err_recode(err, ERR_DIVERGED,
                         "command %" PRIu32 " of a unit failed on the destination", lane->element);
    else
        (void)err_wrap(err, "command %" PRIu32 " of a batch failed on the destination",
                       lane->element);
    return RESP_WRONG;
}

static enum resp_status take_elements(struct lane *lane, struct str in, size_t *ret_used,
                                      struct err *err) {
    static const char ok[] = "+OK\r\n";
    enum { OK_LEN = sizeof(ok) - 1 };
    size_t at = 0;

    while (lane->element < lane->exec_count) {
        enum resp_status status;
        size_t used;

        if (lane->skip.depth == 0) {
            struct resp_item item;

            if (in.len - at >= OK_LEN && memcmp(in.ptr + at, ok, OK_LEN) == 0) {
                at += OK_LEN;
                lane->element++;
                continue;
            }
            if (at < in.len && in.ptr[at] == '-') {
                status = resp_reply_next(str_skip(in, at), &used, &item, err);
                *ret_used = at;
                return status == RESP_GOT ? failed_element(lane, item.str, err) : status;
            }
        }
        status = resp_reply_skip(&lane->skip, str_skip(in, at), &used, err);
        at += used;
        if (status != RESP_GOT) {
            *ret_used = at;
            return status;
        }
        if (lane->skip.errors > 0)
            return failed_element(lane, STR_LIT("ERR inside a nested reply"), err);
        lane->skip = RESP_SKIP_INIT;
        lane->element++;
    }
    *ret_used = at;
    lane->step = STEP_WATCH;
    return RESP_GOT;
}

static enum resp_status take_status(struct lane *lane, struct str in, size_t *ret_used,
                                    int next_step, struct err *err) {
    struct resp_item item;
    enum resp_status status = resp_reply_next(in, ret_used, &item, err);

    if (status != RESP_GOT)
        return status;
    if (item.type == RESP_ERROR) {
        refuse(lane, item.str);
        *err = lane->refused;
        (void)err_wrap(err, "the gate of a transaction was refused");
        return RESP_WRONG;
    }
    if (item.type != RESP_SIMPLE)
        return fail(err, ERR_PROTOCOL, "the gate of a transaction answered something else");
    lane->step = next_step;
    return RESP_GOT;
}

/* epoch, off, err: the three that say whether we may go on. */
static enum resp_status take_fields(struct lane *lane, struct str in, size_t *ret_used,
                                    struct err *err) {
    uint64_t value[3] = {0, 0, 0};
    bool known[3];
    size_t at = 0;

    for (int i = 0; i < 3; i++) {
        struct resp_item item;
        size_t used;
        enum resp_status status = resp_reply_next(str_skip(in, at), &used, &item, err);

        if (status != RESP_GOT)
            return status; /* nothing is taken before all three are there */
        known[i] = item.type == RESP_BULK && str_parse_u64(item.str, &value[i]);
        at += used;
    }
    *ret_used = at;
    lane->step = STEP_MULTI;
    if (lane->spec->faults & TASK_FAULT_CLAIM_LEFT_OUT ||
        (lane->spec->faults & TASK_FAULT_COPY_UNFENCED && lane->mode == LANE_COPY))
        return RESP_GOT;
    if (!known[0])
        return fail(err, ERR_POSITION_MISSING, "our key on the destination is gone");
    if (value[0] != lane->expect_epoch)
        return fail(err, ERR_FENCED, "the position on the destination has another owner");
    if (lane->mode == LANE_TAIL && value[2] > 0)
        return fail(err, ERR_DIVERGED, "a command failed on the destination");
    if (lane->has_next && (!known[1] || value[1] != lane->expect_next))
        return fail(err, ERR_FENCED, "the position on the destination moved without us");
    return RESP_GOT;
}

/* The negative control of "the position changes with the data" (KF_FAULTS): the
 * position follows by itself, once the data is in. */
static bool send_late_position(struct lane *lane, struct err *err) {
    buf_clear(&lane->head);
    buf_clear(&lane->tail);
    lane->unit = NULL;
    lane->sent = 0;
    lane->position_after = false;
    lane->queued_left = 2;
    lane->step = STEP_LATE;
    return buf_append(&lane->head, buf_str(&lane->position), err) &&
           put_gate(lane, &lane->tail, err) && push(lane, err);
}

static enum resp_status take_late(struct lane *lane, struct str in, size_t *ret_used,
                                  struct err *err) {
    struct resp_item item;
    enum resp_status status = resp_reply_next(in, ret_used, &item, err);

    if (status == RESP_GOT && --lane->queued_left == 0)
        lane->step = STEP_WATCH;
    return status;
}

static enum resp_status take_step(struct lane *lane, struct str in, size_t *ret_used,
                                  struct err *err) {
    struct resp_item item;
    enum resp_status status;

    *ret_used = 0;
    switch ((enum step)lane->step) {
    case STEP_QUEUED:
        return take_queued(lane, in, ret_used, err);
    case STEP_EXEC:
        return take_exec(lane, in, ret_used, err);
    case STEP_ELEMENTS:
        return take_elements(lane, in, ret_used, err);
    case STEP_WATCH:
        return take_status(lane, in, ret_used, STEP_HMGET, err);
    case STEP_HMGET:
        status = resp_reply_next(in, ret_used, &item, err);
        if (status == RESP_GOT && item.type == RESP_ERROR) {
            refuse(lane, item.str);
            *err = lane->refused;
            return RESP_WRONG;
        }
        if (status == RESP_GOT && (item.type != RESP_ARRAY || item.integer != 3))
            return fail(err, ERR_PROTOCOL, "HMGET answered something else");
        if (status == RESP_GOT)
            lane->step = STEP_FIELDS;
        return status;
    case STEP_FIELDS:
        return take_fields(lane, in, ret_used, err);
    case STEP_MULTI:
        status = take_status(lane, in, ret_used, STEP_QUEUED, err);
        if (status == RESP_GOT) {
            lane->state = LANE_READY;
            lane->unit = NULL;
        }
        return status;
    case STEP_LATE:
        return take_late(lane, in, ret_used, err);
    }
    return RESP_WRONG;
}

static bool judge(struct lane *lane, struct err *err) {
    while (lane->state == LANE_BUSY || lane->state == LANE_GATE) {
        struct str in = str_skip(buf_str(&lane->in), lane->in_at);
        size_t used;
        enum resp_status status = take_step(lane, in, &used, err);

        lane->in_at += used;
        if (status == RESP_WRONG)
            return false;
        if (status == RESP_NEED_MORE && used == 0)
            break;
        if (lane->position_after && lane->step == STEP_WATCH && !send_late_position(lane, err))
            return false;
    }
    if (lane->in_at == lane->in.len) {
        buf_clear(&lane->in);
        lane->in_at = 0;
    } else if (lane->in_at > READ_CHUNK) {
        buf_consume(&lane->in, lane->in_at);
        lane->in_at = 0;
    }
    return true;
}

bool lane_pump(struct lane *lane, struct err *err) {
    if (lane->state == LANE_CLOSED)
        return true;
    if (!push(lane, err))
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
        if (!judge(lane, err))
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
