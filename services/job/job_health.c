#include "services/job/job_health.h"

#include <string.h>

/* A heartbeat is written each second; one that was seen longer ago than this says
 * little about now. */
enum { LATENCY_FRESH_MS = 5000 };

bool job_health_is_moving(enum job_state state) {
    return state == JOB_RUNNING || state == JOB_PAUSING || state == JOB_STOPPING ||
           state == JOB_CUTTING_OVER;
}

struct job_latency job_health_latency(const struct job_seen *job) {
    const struct store_progress *p = job->progress;
    bool moving = job_health_is_moving(job->state);
    struct job_latency found = {.ms = -1};

    if (job_state_is_final(job->state) ||
        (strcmp(p->phase, "incremental") != 0 && p->latency_at_ms == 0))
        return found;
    if (p->latency_at_ms > 0) {
        int64_t age_ms = job->now_ms - p->latency_at_ms;
        bool fresh = age_ms < LATENCY_FRESH_MS && moving;

        found.method = "heartbeat";
        found.quality = fresh ? "measured" : "stale";
        found.ms = fresh || age_ms < p->latency_us / 1000 ? p->latency_us / 1000 : age_ms;
        return found;
    }
    found.method = "offset";
    found.quality = moving ? "estimated" : "stale";
    if (p->lag_bytes == 0)
        found.ms = 0;
    else if (p->bytes_per_second > 0)
        found.ms = p->lag_bytes * 1000 / p->bytes_per_second;
    return found;
}

static struct job_safe_for while_retrying(const struct job_seen *job) {
    const struct store_progress *p = job->progress;
    int64_t left_ms = job->retry_deadline_ms - job->now_ms;
    /* A worker that does not know it says 0 or -1. */
    int64_t backlog_ms = p->backlog_seconds * 1000 - (job->now_ms - p->sampled_at_ms);
    struct job_safe_for found = {.limited_by = NULL};

    if (p->backlog_seconds > 0 && (job->retry_deadline_ms == 0 || backlog_ms < left_ms))
        found = (struct job_safe_for){backlog_ms / 1000, "backlog"};
    else if (job->retry_deadline_ms != 0)
        found = (struct job_safe_for){left_ms / 1000, "retry"};
    if (found.seconds < 0)
        found.seconds = 0;
    return found;
}

struct job_safe_for job_health_safe_for(const struct job_seen *job) {
    const struct store_progress *p = job->progress;
    int64_t room = p->spool_quota_bytes - p->spool_bytes;

    if (job->state == JOB_RETRYING)
        return while_retrying(job);
    if (job->state == JOB_RUNNING && p->bytes_per_second > 0 && room >= 0)
        return (struct job_safe_for){room / p->bytes_per_second, "spool"};
    return (struct job_safe_for){.limited_by = NULL};
}
