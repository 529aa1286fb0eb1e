/* receiver.h - what the parts of a receive process share. Private to receive*.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "services/flow/control.h"
#include "services/flow/position.h"
#include "services/flow/source_link.h"
#include "services/flow/source_side.h"
#include "services/flow/spool_meta.h"
#include "services/flow/spool_writer.h"
#include "services/flow/task_spec.h"

struct receiver {
    int socket_fd, spool_fd;
    int bell, apply_bell;
    struct task_spec spec;
    struct control_block *control;
    struct position position; /* what apply found when it claimed */
    struct redis_info source;

    struct spool_meta meta;
    struct spool_writer snapshot, stream;

    /* One link for both, or two: the snapshot's and the stream's. */
    struct source_link main_link, snapshot_link;
    bool resuming; /* PSYNC was asked to go on: a snapshot instead is news */
    uint64_t new_generation;
    bool full_sync_allowed; /* the supervisor granted the one under way */
    bool stream_heard;      /* the source streams: no ACK is needed to wake it */
    int64_t ack_at_ms;      /* when the next ACK is due */
    int64_t trim_at_ms;
    int64_t tail_since_ms; /* when the tail was first seen to run; 0 = not yet */
    struct source_side side;
    char *buffer;
};

enum { RECEIVER_BUFFER_BYTES = 256 * 1024 };

/* Decide how to go on (receive_plan.c): continue from the spool, from the
 * position, or with a full sync, and open the first link.
 * Errors: FULL_RESYNC_NEEDED, FULL_SYNC_BUDGET, of the links and the spool. */
MUST_CHECK bool receive_plan(struct receiver *r, struct err *err);

/* The spool can serve a task that is at `position` (a snapshot only when whole). */
bool receive_holds(const struct receiver *r, const struct position *position);

/* It holds what `position` needs, or is just getting it. */
bool receive_serves(const struct receiver *r, const struct position *position);

/* What the links report: the sink of both. */
struct source_link_sink receive_sink(struct receiver *r);

/* The supervisor allows one full sync, or says no. Errors: FULL_SYNC_BUDGET. */
MUST_CHECK bool receive_ask_full_sync(struct receiver *r, const char *reason, struct err *err);

/* Ask for the login and open `link`. */
MUST_CHECK bool receive_open_link(struct receiver *r, struct source_link *link,
                                  const struct psync_options *options, struct err *err);

/* Show what the logs hold. */
void receive_publish(struct receiver *r);
