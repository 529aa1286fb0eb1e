#include <inttypes.h>

#include "proto/resp/resp_error.h"
#include "services/common/clock.h"
#include "services/common/failpoint.h"
#include "services/flow/lane_parts.h"

enum { KEEP_PARSED_BYTES = 64 * 1024 };

static void note_refusal(struct lane *lane, struct str text) {
    char shown[128];

    str_escape(str_first(resp_error_shown(text), 100), shown, sizeof(shown));
    (void)err_set(&lane->refused, resp_error_destination(resp_error_class(text)),
                  "the destination answered %s", shown);
}

/* Remember the first refusal; the rest of the replies still has to be read. */
static void refuse(struct lane *lane, struct str text) {
    if (lane->was_refused)
        return;
    note_refusal(lane, text);
    lane->was_refused = true;
}

/* A seal that may not look (INFO was taken from the account) has counted nothing. That is no
 * failure of the data, whose replies tell for themselves; the next claim finds another way. */
static bool is_of_seal(struct lane *lane, struct str error) {
    if (lane->element != lane->seal_at[0] && lane->element != lane->seal_at[1])
        return false;
    if (!lane->was_refused && !lane->is_unsealed) {
        note_refusal(lane, error);
        (void)err_wrap(&lane->refused, "counting the destination's errors");
    }
    lane->is_unsealed = true;
    return true;
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
    failpoint_pass(FAILPOINT_LANE_EXEC_ANSWERED);
    lane->element = 0;
    lane->skip = RESP_SKIP_INIT;
    lane->step = STEP_ELEMENTS;
    return RESP_GOT;
}

/* Commands of a script failed; *error becomes the first one's. Else the script itself was
 * refused, by its first write or by the server: nothing has happened. */
static bool script_has_run(struct str *error) {
    struct str count;

    if (!str_starts_with(*error, STR_LIT(LANE_SCRIPT_FAILED)))
        return false;
    *error = str_skip(*error, sizeof(LANE_SCRIPT_FAILED) - 1);
    if (!str_cut(error, ' ', &count))
        *error = count;
    return true;
}

/* A command failed although the transaction ran: both ends differ now. A copy may write
 * its unit again, so the rest of the replies is read first. */
static enum resp_status failed_element(struct lane *lane, struct str error, struct err *err) {
    if (lane->was_refused || is_of_seal(lane, error))
        return RESP_GOT;
    if (lane->unit == &lane->script && !script_has_run(&error)) {
        refuse(lane, error);
        *err = lane->refused;
        (void)err_wrap(err, "a script was refused, and the position is where it was");
        return RESP_WRONG;
    }
    refuse(lane, error);
    if (lane->mode == LANE_COPY) {
        (void)err_wrap(&lane->refused, "command %" PRIu32 " of a batch failed on the destination",
                       lane->element);
        return RESP_GOT;
    }
    *err = lane->refused;
    (void)err_recode(err, ERR_DIVERGED, "command %" PRIu32 " of a unit failed on the destination",
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

        if (lane->skip.depth == 0 && lane->skip.string_left == 0) {
            struct resp_item item;

            if (in.len - at >= OK_LEN && memcmp(in.ptr + at, ok, OK_LEN) == 0) {
                at += OK_LEN;
                lane->element++;
                continue;
            }
            if (at < in.len && in.ptr[at] == '-') {
                status = resp_reply_next(str_skip(in, at), &used, &item, err);
                if (status == RESP_GOT)
                    status = failed_element(lane, item.str, err);
                if (status != RESP_GOT) {
                    *ret_used = at;
                    return status;
                }
                at += used;
                lane->element++;
                continue;
            }
        }
        status = resp_reply_skip(&lane->skip, str_skip(in, at), &used, err);
        at += used;
        if (status != RESP_GOT) {
            *ret_used = at;
            return status;
        }
        if (lane->skip.errors > 0 &&
            failed_element(lane, STR_LIT("ERR inside a nested reply"), err) != RESP_GOT)
            return RESP_WRONG;
        lane->skip = RESP_SKIP_INIT;
        lane->element++;
    }
    *ret_used = at;
    lane->step = STEP_WATCH;
    failpoint_pass(FAILPOINT_LANE_REPLIES_JUDGED);
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
    /* A copy takes the unit back that its own reply names; one that died could not. */
    if (value[2] > 0 && !lane->was_refused)
        return fail(err, ERR_DIVERGED, "a command failed on the destination, or it evicted keys");
    if (!known[1] || value[1] != lane->expect_next)
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
    lane->queued_left = lane->position_count;
    lane->step = STEP_LATE;
    return buf_append(&lane->head, buf_str(&lane->position), err) &&
           lane_put_gate(lane, &lane->tail, err) && lane_push(lane, err);
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
            if (lane->unit)
                lane->took_us = (uint64_t)(clock_mono_us() - lane->sent_at_us);
            lane->state = LANE_READY;
            lane->unit = NULL;
            failpoint_pass(FAILPOINT_LANE_READY);
        }
        if (status == RESP_GOT && (lane->was_refused || lane->is_unsealed)) {
            *err = lane->refused;
            return RESP_WRONG;
        }
        return status;
    case STEP_LATE:
        return take_late(lane, in, ret_used, err);
    }
    return RESP_WRONG;
}

bool lane_judge(struct lane *lane, struct err *err) {
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
    } else if (lane->in_at > KEEP_PARSED_BYTES) {
        buf_consume(&lane->in, lane->in_at);
        lane->in_at = 0;
    }
    return true;
}
