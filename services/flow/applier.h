/* applier.h - what the stages of an apply process share.
 *
 * One task, one process, one thread: apply.c fills it, copy.c, tail.c and settle.c
 * work on it in turn. Nothing in it outlives the process.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/command/command_rewrite.h"
#include "proto/rdb/rdb_accept.h"
#include "services/flow/control.h"
#include "services/flow/lane.h"
#include "services/flow/position.h"
#include "services/flow/task_spec.h"

struct applier {
    int socket_fd;
    int spool_fd; /* directory of the task's spool */
    int bell;
    struct control_block *control;
    struct task_spec spec;
    struct position position; /* as claimed, moved on as units are acknowledged */

    /* Facts of the destination. */
    struct command_target target;
    bool has_functions; /* 7.0 */
    struct rdb_destination destination;
    uint64_t bulk_max;          /* bytes of one argument (proto-max-bulk-len) */
    bool keeps_idle;            /* RESTORE … IDLETIME is of use */
    bool keeps_freq;            /* RESTORE … FREQ is */
    uint64_t by_commands_until; /* offset of the snapshot: a payload before it was refused */
    struct buf kept; /* uint64_t: ends of records behind the mark whose keys the destination had */
    bool can_seal;   /* it counts error replies and lets us read the count */
    struct lane_script_names names;              /* of its commands, where it does not */
    uint8_t database_ok[TASK_DATABASES_MAX / 8]; /* SELECT n works */

    int64_t opened_in_ms; /* the last connection to it was, by name and login */

    /* How fast it answers: control.destination_latency_us. */
    struct {
        uint64_t slowest_us, quickest_us; /* since `since_us`; ever */
        int64_t since_us;
    } answers;
};

/* Open one more connection to the destination, logged in and in the position's
 * database. Errors: those of redis_client_open; of asking for credentials. */
MUST_CHECK bool applier_connect(struct applier *a, struct redis_client *ret_client,
                                struct err *err);

/* The same, and every call of that client, within `timeout_ms`. */
MUST_CHECK bool applier_connect_within(struct applier *a, struct redis_client *ret_client,
                                       int64_t timeout_ms, struct err *err);

/* The destination database of a source database: -1 when it is not selected.
 * Errors: DEST_DB_RANGE when the destination does not have it. */
MUST_CHECK bool applier_map_database(const struct applier *a, uint64_t source_db,
                                     int *ret_destination, struct err *err);

/* Tell receive, by way of the supervisor, where the task is now. Errors: of child_send. */
MUST_CHECK bool applier_say_start(struct applier *a, struct err *err);

/* A unit was answered after so long. */
void applier_note_answer(struct applier *a, uint64_t took_us);
/* A message that is its type alone. Errors: of child_send. */
MUST_CHECK bool applier_say(struct applier *a, const char *type, struct err *err);

/* What the supervisor wants, now. */
static inline enum control_want applier_want(const struct applier *a) {
    return (enum control_want)atomic_load_explicit(&a->control->want, memory_order_relaxed);
}

/* A cutover may be sealed at this moment. */
bool applier_may_seal(const struct applier *a);

#define CONTROL_SET(a, field, value)                                                               \
    atomic_store_explicit(&(a)->control->field, (value), memory_order_relaxed)
#define CONTROL_ADD(a, field, value)                                                               \
    atomic_fetch_add_explicit(&(a)->control->field, (value), memory_order_relaxed)
#define CONTROL_GET(a, field) atomic_load_explicit(&(a)->control->field, memory_order_relaxed)

/* How a stage ended when it did not fail. */
enum applier_next {
    APPLIER_ON,      /* the next stage may begin */
    APPLIER_PAUSED,  /* asked to pause */
    APPLIER_STOP,    /* asked to stop: settle and close */
    APPLIER_SEAL,    /* a cutover: everything is applied and the seal may be set */
    APPLIER_RESTART, /* begin again with a claim (a new snapshot replaced the one at work) */
};
