/* lane.h - one connection to the destination that writes fenced, atomic units.
 *
 * I/O: owns a connection; never blocks after lane_open. At most one EXEC is
 * outstanding. A unit goes out as
 *
 *     [seal] commands… [position] EXEC · WATCH pos · HMGET pos epoch off err · MULTI
 *     (or: EVAL of commands and position, EXEC · … : lane_script.h)
 *
 * and the next one only when every reply of this one is in: EXEC succeeded, every
 * element of it is good, the position shows our epoch and the offset we wrote,
 * nothing has failed there, and the next MULTI was accepted. Anything else ends
 * the lane: nothing more is sent, and whoever goes on must claim first.
 *
 * Why not more units in flight, and why commands never precede their MULTI's
 * reply: a refused unit does not stop the next one, and commands behind a refused
 * MULTI run bare (measured on Redis 6.0, 7.0, 8.6, Valkey 8.1, 9.1).
 */
#pragma once

#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/resp/resp_reply.h"
#include "services/flow/lane_script.h"
#include "services/flow/position.h"
#include "services/flow/unit.h"
#include "services/redis/redis_client.h"

/* A destination that is silent for longer is taken for dead. A FLUSHALL of a large
 * server is the longest a living one may think. */
enum { LANE_ANSWER_MAX_MS = 120000 };

enum lane_state {
    LANE_CLOSED,
    LANE_GATE,  /* WATCH, HMGET and MULTI are out; their replies are not in */
    LANE_READY, /* a MULTI is open and guarded: a unit may be sent */
    LANE_BUSY,  /* a unit is out */
};

enum lane_mode { LANE_COPY, LANE_TAIL };

struct lane {
    enum lane_state state;
    enum lane_mode mode;
    struct redis_client client;
    const struct task_spec *spec;
    char key[POSITION_KEY_MAX];
    int database;                          /* of the position */
    const struct lane_script_names *names; /* units are scripts; NULL: the server counts its
                                              errors for us */

    /* What the gate must show. */
    uint64_t expect_epoch, expect_next;

    /* Going out: the unit's pieces between two buffers of ours. */
    struct buf head, tail;
    struct unit script;  /* what is sent in the unit's place (lane_script.h) */
    struct unit *unit;   /* borrowed while BUSY */
    size_t sent;         /* bytes of head, unit and tail together */
    int64_t moved_at_ms; /* monotonic: when the connection last took or gave something */
    int64_t sent_at_us;  /* monotonic: when the unit began to go out */
    uint64_t took_us;    /* until it was answered; of the last unit */

    /* Coming in. */
    struct buf in;
    size_t in_at;
    uint32_t queued_left;  /* "+QUEUED" still to come */
    uint32_t exec_count;   /* elements the EXEC must have */
    uint32_t seal_at[2];   /* which of them are the seal's; UINT32_MAX = none */
    bool is_unsealed;      /* one of those was refused: `refused` says why */
    int step;              /* which reply is next, see lane.c */
    struct resp_skip skip; /* inside an element of EXEC */
    uint32_t element;
    struct err refused; /* the first refusal of this unit */
    bool was_refused;
    bool position_after; /* KF_FAULTS: the position is sent after EXEC, as a negative control */
    struct buf position;
    uint32_t position_count; /* commands that write it */
};

/* Where a unit ends. */
struct lane_position {
    uint64_t next;    /* first byte not in the unit: of the history, or of the snapshot */
    const char *mark; /* in a copy: copy_mark.h; NULL in a tail */
    bool by_unit;     /* the unit's own commands write the position; the gate expects it */
    bool stops;       /* with by_unit: behind a command that fails nothing more happens */
    int source_db;
    const char *replid; /* 40 hex, when it changed since the last unit; else NULL */
};

void lane_init(struct lane *lane, const struct task_spec *spec, enum lane_mode mode);

/* Take over an open client, whose database is the position's, and send the first
 * gate. `position` is what was claimed. With `names` units go as scripts, else the server
 * counts its errors and lets us read the count. */
MUST_CHECK bool lane_start(struct lane *lane, struct redis_client client,
                           const struct position *position, const struct lane_script_names *names,
                           struct err *err);
void lane_close(struct lane *lane); /* fine in every state; frees the buffers too */

/* Send the unit; the lane must be READY. The unit is the lane's until it is READY
 * again.
 * Errors: those of conn_writev, MEMORY; those of lane_script_make. */
MUST_CHECK bool lane_send(struct lane *lane, struct unit *unit, const struct position *position,
                          const struct lane_position *end, struct err *err);

/* Do what can be done without waiting: write, read, judge replies.
 * Errors end the lane:
 *   DEST_DOWN                the connection; no answer within LANE_ANSWER_MAX_MS
 *   FENCED                   EXEC answered nil, or the gate shows another claim
 *   POSITION_MISSING         our key is gone
 *   DIVERGED                 a command of a tail unit failed when executed, or of any
 *                            unit before we died
 *   DEST_OOM, DEST_NOPERM …  the unit was refused as a whole: nothing of it happened; or its
 *                seal alone was, and all else of it is there and good
 *   PROTOCOL                 a reply that does not belong here
 * A command of a copy's unit that fails when executed (DEST_RESTORE, …) is an error like
 * these, but the lane is READY: the rest of the unit and its position are there, and the
 * next unit may take the position back. */
MUST_CHECK bool lane_pump(struct lane *lane, struct err *err);

/* For poll(2). */
static inline int lane_fd(const struct lane *lane) {
    return conn_fd(lane->client.conn);
}
short lane_events(const struct lane *lane);

/* Give the client back, outside any transaction and without a WATCH: for settling
 * and closing. The lane must be READY and is CLOSED afterwards.
 * Errors: those of redis_client_call. */
MUST_CHECK bool lane_leave(struct lane *lane, struct redis_client *ret_client, struct err *err);
