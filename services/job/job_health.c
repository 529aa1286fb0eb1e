#include "services/job/job_health.h"

#include <string.h>

enum {
    BEATS_MISSED = 3,
    BEAT_USUAL_MS = 1000,
    REPORT_MS = 2000, /* workers report once a second, and what they report takes its way */
    REPORTS_MISSED_MS = 5000,
    SKEW_LEAST_MS = 2000,              /* less may be the way of a report */
    FAR_SECONDS_MAX = 365 * 24 * 3600, /* what is further off is not in sight */
};

bool job_health_is_moving(enum job_state state) {
    return state == JOB_RUNNING || state == JOB_PAUSING || state == JOB_STOPPING ||
           state == JOB_CUTTING_OVER;
}

int64_t job_health_worker_now(const struct job_seen *job) {
    int64_t skew_ms = job->progress->clock_skew_ms;

    return skew_ms > SKEW_LEAST_MS || skew_ms < -SKEW_LEAST_MS ? job->now_ms - skew_ms
                                                               : job->now_ms;
}

/* ---- latency ------------------------------------------------------------------------------ */

static int64_t interval_ms(const struct store_progress *p) {
    return p->heartbeat_interval_ms > 0 ? p->heartbeat_interval_ms : BEAT_USUAL_MS;
}

bool job_health_beats_are_missed(const struct job_seen *job) {
    const struct store_progress *p = job->progress;

    return job_health_worker_now(job) - p->latency_at_ms >=
           BEATS_MISSED * interval_ms(p) + REPORT_MS;
}

/* The one after the last that was seen was written an interval after it, and is on its way still.
 * While that may be a matter of when one looked, the last one stands. */
static int64_t overdue_ms(const struct store_progress *p, int64_t at_ms) {
    int64_t latency_ms = p->latency_us / 1000;
    int64_t unseen_ms = at_ms - p->latency_at_ms + latency_ms - interval_ms(p);

    return at_ms - p->latency_at_ms > 2 * interval_ms(p) && unseen_ms > latency_ms ? unseen_ms
                                                                                   : latency_ms;
}

static struct job_latency by_heartbeat(const struct job_seen *job, bool moving) {
    const struct store_progress *p = job->progress;
    int64_t now_ms = job_health_worker_now(job);
    bool fresh = moving && !job_health_beats_are_missed(job);
    bool is_told = p->sampled_at_ms > 0 && p->sampled_at_ms < now_ms;

    return (struct job_latency){
        .ms = overdue_ms(p, fresh && is_told ? p->sampled_at_ms : now_ms),
        .method = "heartbeat",
        .quality = fresh ? "measured" : "stale",
    };
}

static struct job_latency by_offset(const struct job_seen *job, bool moving) {
    const struct store_progress *p = job->progress;
    int64_t told_ms = p->sampled_at_ms > 0 ? job_health_worker_now(job) - p->sampled_at_ms : 0;
    bool fresh = moving && told_ms < REPORTS_MISSED_MS;
    struct job_latency found = {
        .ms = -1,
        .method = "offset",
        .quality = fresh ? "estimated" : "stale",
        .reason = p->heartbeat_state == 2 ? "heartbeat_refused" : NULL,
    };

    if (p->offset_lag_ms > 0)
        found.ms = p->offset_lag_ms;
    else if (p->lag_bytes == 0)
        found.ms = 0;
    else if (p->source_bytes_per_second > 0)
        found.ms = p->lag_bytes * 1000 / p->source_bytes_per_second;
    if (found.ms >= 0 && !fresh && told_ms > 0)
        found.ms += told_ms;
    return found;
}

struct job_latency job_health_latency(const struct job_seen *job) {
    const struct store_progress *p = job->progress;
    bool moving = job_health_is_moving(job->state);

    /* What is there before a start was left by an earlier one. */
    if (job_state_is_final(job->state) || !job_state_holds_destination(job->state) ||
        (strcmp(p->phase, "incremental") != 0 && p->latency_at_ms == 0))
        return (struct job_latency){.ms = -1};
    if (p->latency_at_ms > 0 && (p->heartbeat_state != 2 || !job_health_beats_are_missed(job)))
        return by_heartbeat(job, moving);
    return by_offset(job, moving);
}

/* ---- safe for ----------------------------------------------------------------------------- */

static void limit(struct job_safe_for *found, int64_t seconds, const char *by) {
    if (seconds > FAR_SECONDS_MAX)
        return;
    if (!found->limited_by || seconds < found->seconds)
        *found = (struct job_safe_for){seconds > 0 ? seconds : 0, by};
}

static void limit_until(struct job_safe_for *found, int64_t until_ms, int64_t now_ms,
                        const char *by) {
    if (until_ms > 0)
        limit(found, (until_ms - now_ms) / 1000, by);
}

/* Nobody has asked the source since: its rate of then is what there is. */
static void limit_by_backlog_of_then(const struct job_seen *job, struct job_safe_for *found) {
    const struct store_progress *p = job->progress;
    int64_t behind = p->source_offset - p->stream_end;

    if (strcmp(p->phase, "incremental") != 0 || p->backlog_bytes <= 0 || p->source_offset <= 0 ||
        p->source_bytes_per_second <= 0)
        return;
    limit(found,
          (p->backlog_bytes - (behind > 0 ? behind : 0)) / p->source_bytes_per_second -
              (job_health_worker_now(job) - p->sampled_at_ms) / 1000,
          "backlog");
}

static void limit_by_memory(const struct store_progress *p, struct job_safe_for *found) {
    int64_t room = p->destination_memory_max_bytes - p->destination_memory_bytes, seconds;

    if (p->destination_memory_max_bytes <= 0 || p->destination_memory_bytes <= 0 ||
        p->destination_memory_growth <= 0)
        return;
    seconds = room / p->destination_memory_growth;
    /* What a copy brings comes to an end. */
    if (strcmp(p->phase, "full") == 0 && p->bytes_per_second > 0 &&
        p->bytes_total > p->bytes_done &&
        (p->bytes_total - p->bytes_done) / p->bytes_per_second < seconds)
        return;
    limit(found, seconds, "memory");
}

static void limit_running(const struct job_seen *job, struct job_safe_for *found) {
    const struct store_progress *p = job->progress;
    int64_t room = p->spool_quota_bytes - p->spool_bytes;

    if (p->source_bytes_per_second > 0 && room >= 0)
        limit(found, room / p->source_bytes_per_second, "spool");
    limit_by_memory(p, found);
}

static void limit_retrying(const struct job_seen *job, struct job_safe_for *found) {
    const struct store_progress *p = job->progress;

    limit_until(found, job->retry_deadline_ms, job_health_worker_now(job), "retry");
    if (p->backlog_seconds >= 0 && p->backlog_bytes > 0)
        limit(found, p->backlog_seconds - (job_health_worker_now(job) - p->sampled_at_ms) / 1000,
              "backlog");
}

static bool has_no_way_back(const char *attention) {
    return attention &&
           (strcmp(attention, "needs_recopy") == 0 || strcmp(attention, "diverged") == 0);
}

struct job_safe_for job_health_safe_for(const struct job_seen *job) {
    const struct store_progress *p = job->progress;
    struct job_safe_for found = {.limited_by = NULL};
    bool goes_on = job->state == JOB_RUNNING || job->state == JOB_RETRYING;

    if (job->state == JOB_RUNNING)
        limit_running(job, &found);
    else if (job->state == JOB_RETRYING)
        limit_retrying(job, &found);
    else if (job->state == JOB_PAUSED || job->state == JOB_FAILED ||
             (job->state == JOB_BLOCKED && !has_no_way_back(job->attention)))
        limit_by_backlog_of_then(job, &found);
    if (goes_on || job->state == JOB_PAUSED) {
        limit_until(&found, p->certificate_until_ms, job_health_worker_now(job), "certificate");
        limit_until(&found, p->role_until_ms, job->now_ms, "role");
    }
    return found;
}
