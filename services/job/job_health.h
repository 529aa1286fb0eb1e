/* job_health.h - how late a job is, and how long it can go on as it is.
 *
 * Pure: from what its worker last mirrored and the time. One answer for the API, the alerts
 * and the metrics.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "services/job/job_state.h"
#include "sql/store_progress.h"

struct job_seen {
    enum job_state state;
    const struct store_progress *progress;
    const char *attention;     /* its code; NULL = none */
    int64_t retry_deadline_ms; /* by the worker's clock; 0 = no retry clock runs */
    int64_t now_ms;            /* by the control database's clock */
};

/* The same moment by the clock of the worker, whose times those in `progress` are. */
int64_t job_health_worker_now(const struct job_seen *job);

/* `method` and `quality` are NULL while there is nothing to say: before the tail, after the
 * end. ms -1 = not known.
 *
 * By heartbeat: from its writing on the source to the destination's acknowledgement. One that was
 * due and was not seen is late by as much as it is overdue, so while nothing arrives the number
 * grows with the clock; after three that were missed it is stale. By offset, where the source
 * takes no heartbeat: how long ago the source's history ended where the destination is. */
struct job_latency {
    int64_t ms;
    const char *method;  /* heartbeat, offset */
    const char *quality; /* measured, estimated, stale */
    const char *reason;  /* heartbeat_refused: why it is no heartbeat; NULL = nothing to say */
};
struct job_latency job_health_latency(const struct job_seen *job);

/* Were three heartbeats missed, by the job's own interval? */
bool job_health_beats_are_missed(const struct job_seen *job);

/* What comes first, at the rates that were measured last:
 *   backlog      cut off or not at work: the source's backlog no longer reaches back to us
 *   retry        the retry clock runs out
 *   spool        it would be full if the destination stopped answering now
 *   memory       the destination is at its maxmemory, and the copy not done before
 *   certificate  one of those that are shown on a connect is not valid any more
 *   role         nor is the role by which an instance of another account is used
 * limited_by NULL = nothing is in sight. */
struct job_safe_for {
    int64_t seconds;
    const char *limited_by;
};
struct job_safe_for job_health_safe_for(const struct job_seen *job);

/* Does a worker move data for it, in this state? */
bool job_health_is_moving(enum job_state state);
