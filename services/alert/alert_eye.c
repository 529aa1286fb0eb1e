#include "services/alert/alert_eye.h"

#include <stdio.h>
#include <string.h>

static const char *text_of(const json_t *row, const char *name) {
    return json_string_value(json_object_get(row, name));
}

static int64_t ms_of(const json_t *row, const char *name) {
    return json_integer_value(json_object_get(row, name));
}

bool alert_job_from_row(const json_t *row, int64_t now_ms, struct alert_job *ret) {
    const char *state = text_of(row, "state");

    *ret = (struct alert_job){
        .id = text_of(row, "id"),
        .account = text_of(row, "account"),
        .name = text_of(row, "name"),
        .labels = json_object_get(row, "labels"),
        .error = text_of(row, "error"),
        .started_ms = ms_of(row, "started_ms"),
        .retry_since_ms = ms_of(row, "retry_since_ms"),
        .has_caught_up = json_is_true(json_object_get(row, "caught_up")),
    };
    store_progress_from_json(json_object_get(row, "progress"), &ret->progress);
    ret->seen.progress = &ret->progress;
    ret->seen.now_ms = now_ms;
    ret->seen.retry_deadline_ms = ms_of(row, "retry_deadline_ms");
    ret->seen.attention = text_of(row, "attention");
    if (!ret->id || !ret->account || !state || !job_state_parse(state, &ret->seen.state))
        return false;
    ret->is_ended = job_state_is_final(ret->seen.state) && ret->seen.state != JOB_FAILED;
    return true;
}

/* ---- looking ----------------------------------------------------------------------------- */

static struct alert_seen know(double value) {
    return (struct alert_seen){.is_known = true, .value = value};
}

static struct alert_seen look_latency(const struct alert_job *job) {
    struct job_latency latency = job_health_latency(&job->seen);

    if (latency.ms < 0)
        return (struct alert_seen){.is_known = false};
    return know((double)latency.ms / 1000);
}

static struct alert_seen look_heartbeat(const struct alert_job *job) {
    const struct store_progress *p = &job->progress;

    /* Nobody is to write any: what fired for it is over. */
    if (p->heartbeat_state == 2 ||
        (!job_health_is_moving(job->seen.state) && job->seen.state != JOB_RETRYING))
        return know(0);
    if (p->heartbeat_state != 1 || strcmp(p->phase, "incremental") != 0 || p->latency_at_ms == 0)
        return (struct alert_seen){.is_known = false};
    return know(job_health_beats_are_missed(&job->seen) ? 1 : 0);
}

/* Also when no worker tells anything of it. */
static struct alert_seen look_still(const struct alert_job *job) {
    int64_t moved_ms = job->progress.moved_at_ms;

    if (!job_health_is_moving(job->seen.state) || moved_ms == 0)
        return know(0);
    return know((double)(job_health_worker_now(&job->seen) - moved_ms) / 1000);
}

static struct alert_seen look_memory(const struct alert_job *job) {
    const struct store_progress *p = &job->progress;

    if (p->destination_memory_bytes <= 0 || p->destination_memory_max_bytes <= 0)
        return (struct alert_seen){.is_known = false};
    return know(100.0 * (double)p->destination_memory_bytes /
                (double)p->destination_memory_max_bytes);
}

static struct alert_seen look_days(int64_t until_ms, int64_t now_ms) {
    return know(until_ms > 0 ? (double)(until_ms - now_ms) / 86400000 : ALERT_NO_END);
}

static struct alert_seen look_safe_for(const struct alert_job *job) {
    struct job_safe_for safe = job_health_safe_for(&job->seen);

    /* Nothing in sight is as good as it gets. */
    return know(safe.limited_by ? (double)safe.seconds : ALERT_NO_END);
}

struct alert_seen alert_eye_look(const struct alert_rule *rule, const struct alert_job *job) {
    enum job_state state = job->seen.state;
    bool copies = strcmp(job->progress.phase, "full") == 0 ||
                  strcmp(job->progress.phase, "snapshot_wait") == 0;
    struct alert_seen seen = {.is_known = false};

    if (job->is_ended)
        return (struct alert_seen){.is_over = true};
    switch (rule->type) {
    case ALERT_LATENCY:
        seen = look_latency(job);
        break;
    case ALERT_ERROR:
        seen = know(state == JOB_FAILED || state == JOB_BLOCKED);
        break;
    case ALERT_BLOCKED:
        seen = know(state == JOB_BLOCKED);
        break;
    case ALERT_PRECHECK_FAILED:
        seen = know(state == JOB_PRECHECK_FAILED);
        break;
    case ALERT_FULL_TIMEOUT:
        seen = know(copies && job->started_ms > 0
                        ? (double)(job->seen.now_ms - job->started_ms) / 3600000
                        : 0);
        break;
    case ALERT_STALLED:
        seen = look_still(job);
        break;
    case ALERT_RETRYING:
        seen = know(state == JOB_RETRYING && job->retry_since_ms > 0
                        ? (double)(job->seen.now_ms - job->retry_since_ms) / 1000
                        : 0);
        break;
    case ALERT_HEARTBEAT_STALE:
        seen = look_heartbeat(job);
        break;
    case ALERT_DESTINATION_MEMORY:
        seen = look_memory(job);
        break;
    case ALERT_EVICTION:
        seen = know(job->progress.destination_evicted_keys > 0);
        break;
    case ALERT_SAFE_FOR:
        seen = look_safe_for(job);
        break;
    case ALERT_CERTIFICATE_EXPIRING:
        seen = look_days(job->progress.certificate_until_ms, job_health_worker_now(&job->seen));
        break;
    case ALERT_ROLE_EXPIRING:
        seen = look_days(job->progress.role_until_ms, job->seen.now_ms);
        break;
    case ALERT_TYPE_COUNT:
        break;
    }
    seen.is_excused = rule->type == ALERT_LATENCY && !job->has_caught_up;
    return seen;
}

/* Who is woken wants to know why; the code only, since what is told leaves the house. */
static const char *why_it_stands(const struct alert_job *job) {
    if (job->seen.state == JOB_BLOCKED && job->seen.attention)
        return job->seen.attention;
    return job->seen.state == JOB_FAILED && job->error ? job->error : "";
}

void alert_eye_describe(const struct alert_rule *rule, const struct alert_job *job,
                        const struct alert_seen *seen, char *dst, size_t size) {
    const struct alert_type_row *type = alert_type_row(rule->type);
    const char *why = why_it_stands(job);

    if (seen->is_over)
        snprintf(dst, size, "The job %s has ended", job->name ? job->name : job->id);
    else if (type->side && seen->is_known && seen->value < ALERT_NO_END)
        snprintf(dst, size, "%s: job %s, %.1f %s; the rule says %g", type->title,
                 job->name ? job->name : job->id, seen->value, type->unit, rule->threshold);
    else
        snprintf(dst, size, "%s: job %s%s%s", type->title, job->name ? job->name : job->id,
                 why[0] ? ", " : "", why);
}
