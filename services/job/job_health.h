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
    int64_t retry_deadline_ms; /* wall clock; 0 = no retry clock runs */
    int64_t now_ms;
};

/* `method` and `quality` are NULL while there is nothing to say: before the tail, after the
 * end. ms -1 = not known. A heartbeat that was not seen for a while is itself a lower bound. */
struct job_latency {
    int64_t ms;
    const char *method;  /* heartbeat, offset */
    const char *quality; /* measured, estimated, stale */
};
struct job_latency job_health_latency(const struct job_seen *job);

/* Until the source's backlog no longer reaches us, the retry clock runs out, or the spool would
 * be full if the destination stopped answering now. limited_by NULL = nothing is in sight. */
struct job_safe_for {
    int64_t seconds;
    const char *limited_by; /* backlog, retry, spool */
};
struct job_safe_for job_health_safe_for(const struct job_seen *job);

/* Does a worker move data for it, in this state? */
bool job_health_is_moving(enum job_state state);
