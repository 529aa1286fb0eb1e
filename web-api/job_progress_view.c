#include "web-api/job_progress_view.h"

#include <string.h>

#include "web-api/json_out.h"
#include "web-api/json_time.h"

static bool state_is(const struct store_job *job, const char *state) {
    return strcmp(job->state, state) == 0;
}

static bool phase_is(const struct store_job *job, const char *phase) {
    return strcmp(job->progress.phase, phase) == 0;
}

static bool position_is(const struct store_job *job, const char *position) {
    return strcmp(job->progress.position_state, position) == 0;
}

/* ---- how far the copy is ---- */

/* It is over: everything of the snapshot is at the destination. */
static bool is_copied(const struct store_job *job) {
    return position_is(job, "tail") || position_is(job, "done") || position_is(job, "stopped") ||
           position_is(job, "sealed") || position_is(job, "forgotten") ||
           phase_is(job, "incremental");
}

int64_t job_progress_view_permille(const struct store_job *job) {
    const struct store_progress *p = &job->progress;
    double done = 0;

    if (is_copied(job))
        return 1000;
    if (p->bytes_total > 0)
        done = 1000.0 * (double)p->bytes_done / (double)p->bytes_total;
    else if (p->keys_total > 0)
        done = 1000.0 * (double)p->keys_done / (double)p->keys_total;
    /* Totals are what the source said when the copy began; only the end is 100. */
    return done > 999 ? 999 : (int64_t)done;
}

static void write_percent(struct buf *dst, int64_t permille) {
    char tenth = (char)('0' + permille % 10);

    json_out_int(dst, "percent", permille / 10);
    json_out_raw(dst, STR_LIT("."));
    json_out_raw(dst, str_of(&tenth, 1));
}

static void write_eta(struct buf *dst, const struct store_job *job) {
    const struct store_progress *p = &job->progress;

    if (!phase_is(job, "full") || is_copied(job))
        json_out_null(dst, "eta_seconds");
    else if (p->bytes_total > p->bytes_done && p->bytes_per_second > 0)
        json_out_int(dst, "eta_seconds", (p->bytes_total - p->bytes_done) / p->bytes_per_second);
    else if (p->keys_total > p->keys_done && p->keys_per_second > 0)
        json_out_int(dst, "eta_seconds", (p->keys_total - p->keys_done) / p->keys_per_second);
    else
        json_out_null(dst, "eta_seconds");
}

/* Unsupported values stop a job today, so none is ever skipped for that; the member is
 * the contract's. */
static void write_full(struct buf *dst, const struct store_job *job) {
    const struct store_progress *p = &job->progress;
    /* The count is of before the snapshot: what came in between is in the copy, too. */
    int64_t total =
        p->keys_total > 0 && p->keys_done > p->keys_total ? p->keys_done : p->keys_total;

    json_out_open(dst, "full", '{');
    json_out_int(dst, "keys_done", p->keys_done);
    json_out_positive(dst, "keys_total", total);
    json_out_int(dst, "bytes_done", p->bytes_done);
    json_out_positive(dst, "bytes_total", p->bytes_total);
    write_percent(dst, job_progress_view_permille(job));
    write_eta(dst, job);
    json_out_open(dst, "skipped", '{');
    json_out_int(dst, "expired", p->keys_expired);
    json_out_int(dst, "filtered", p->keys_filtered);
    json_out_int(dst, "conflict", p->keys_conflict);
    json_out_int(dst, "unsupported", 0);
    json_out_close(dst, '}');
    json_out_int(dst, "failed", 0);
    json_out_int(dst, "field_expiries_dropped", p->field_expiries_dropped);
    json_out_close(dst, '}');
}

/* Of a job that was stopped: does the destination hold all the source held then? */
static void write_drained(struct buf *dst, const struct store_job *job) {
    if (state_is(job, "stopped") &&
        (position_is(job, "stopped") || position_is(job, "done") || position_is(job, "forgotten")))
        json_out_bool(dst, "drained", job->progress.not_drained == 0);
    else
        json_out_null(dst, "drained");
}

static void write_incremental(struct buf *dst, const struct store_job *job) {
    const struct store_progress *p = &job->progress;

    json_out_open(dst, "incremental", '{');
    json_out_int(dst, "commands_applied", p->commands_applied);
    json_out_int(dst, "bytes_applied", p->bytes_applied);
    json_out_int(dst, "skipped", p->commands_skipped);
    json_out_int(dst, "rejected", p->commands_rejected);
    write_drained(dst, job);
    json_out_close(dst, '}');
}

/* ---- how fast, how late, how long ---- */

static void write_rates(struct buf *dst, const struct store_job *job) {
    const struct store_progress *p = &job->progress;
    bool moving = state_is(job, "running") || state_is(job, "pausing") || state_is(job, "stopping");
    /* The worker's average fades for some seconds; keys are copied by the copy alone. */
    bool copies = moving && !phase_is(job, "incremental");

    json_out_open(dst, "rates", '{');
    json_out_int(dst, "keys_per_second", copies ? p->keys_per_second : 0);
    json_out_int(dst, "commands_per_second", moving ? p->commands_per_second : 0);
    json_out_int(dst, "bytes_per_second", moving ? p->bytes_per_second : 0);
    json_out_close(dst, '}');
}

struct job_seen job_progress_view_seen(const struct store_job *job, int64_t now_ms) {
    struct job_seen seen = {.state = JOB_DRAFT,
                            .progress = &job->progress,
                            .now_ms = job->read_ms > 0 ? job->read_ms : now_ms};

    (void)!job_state_parse(job->state, &seen.state);
    seen.attention = json_string_value(json_object_get(job->attention, "code"));
    if (!json_time_parse(json_object_get(job->retry_state, "deadline_at"), &seen.retry_deadline_ms))
        seen.retry_deadline_ms = 0;
    return seen;
}

static void write_latency(struct buf *dst, const struct job_seen *seen) {
    struct job_latency latency = job_health_latency(seen);

    json_out_open(dst, "latency", '{');
    if (latency.ms < 0)
        json_out_null(dst, "ms");
    else
        json_out_int(dst, "ms", latency.ms);
    json_out_text(dst, "method", latency.method);
    json_out_text(dst, "quality", latency.quality);
    json_out_text(dst, "reason", latency.reason);
    if (latency.method)
        json_out_int(dst, "lag_bytes", seen->progress->lag_bytes);
    else
        json_out_null(dst, "lag_bytes");
    json_out_time(dst, "sampled_at", seen->progress->sampled_at_ms);
    json_out_close(dst, '}');
}

static void write_safe_for(struct buf *dst, const struct job_seen *seen) {
    struct job_safe_for safe = job_health_safe_for(seen);

    json_out_open(dst, "safe_for", '{');
    if (safe.limited_by)
        json_out_int(dst, "seconds", safe.seconds);
    else
        json_out_null(dst, "seconds");
    json_out_text(dst, "limited_by", safe.limited_by);
    json_out_close(dst, '}');
}

void job_progress_view_write(struct buf *dst, const struct store_job *job,
                             const struct job_seen *seen) {
    json_out_open(dst, "progress", '{');
    write_full(dst, job);
    write_incremental(dst, job);
    json_out_close(dst, '}');
    write_rates(dst, job);
    write_latency(dst, seen);
    json_out_value(dst, "retry_state", job->retry_state);
    write_safe_for(dst, seen);
}

/* ---- cutover ---- */

void job_progress_view_cutover(struct buf *dst, const struct store_job *job) {
    const struct store_progress *p = &job->progress;
    const char *state = p->cutover_state;

    /* Asked for, and no worker has said anything of it yet. */
    if (state_is(job, "cutting_over") && (!state[0] || strcmp(state, "aborted") == 0))
        state = "preparing";
    if (!state[0]) {
        json_out_raw(dst, STR_LIT("null"));
        return;
    }
    json_out_raw(dst, STR_LIT("{"));
    json_out_text(dst, "state", state);
    json_out_positive(dst, "source_offset", p->cutover_source_offset);
    json_out_positive(dst, "applied_offset", p->cutover_applied_offset);
    json_out_positive(dst, "write_pause_ms", p->cutover_pause_ms);
    json_out_time(dst, "write_pause_deadline", p->cutover_deadline_ms);
    json_out_int(dst, "stray_writes", p->cutover_stray_writes);
    /* No hook can be asked for yet, and who is still connected is told by /clients alone. */
    json_out_null(dst, "hook");
    json_out_null(dst, "clients_left");
    json_out_text_or_null(dst, "aborted_because", p->cutover_because);
    json_out_text_or_null(dst, "detail", p->cutover_detail);
    json_out_close(dst, '}');
}

/* ---- what it takes up ---- */

/* Our key on the destination: does anything keep what we start there from writing? */
static const char *seal_of(const struct store_job *job) {
    if (position_is(job, "forgotten"))
        return "forgotten";
    if (position_is(job, "sealed") || position_is(job, "done") || position_is(job, "stopped"))
        return json_is_true(json_object_get(job->wanted, "forget")) ? "forgetting" : "set";
    return NULL;
}

/* Its share of what the owners of its ends let through; null where none limits it. */
static void write_role_limits(struct buf *dst, const struct store_job *job) {
    const struct store_progress *p = &job->progress;

    if (p->role_rps <= 0 && p->role_bytes_per_second <= 0) {
        json_out_null(dst, "role_limits");
        return;
    }
    json_out_open(dst, "role_limits", '{');
    json_out_positive(dst, "rps", p->role_rps);
    json_out_positive(dst, "bytes_per_second", p->role_bytes_per_second);
    json_out_close(dst, '}');
}

void job_progress_view_write_places(struct buf *dst, const struct store_job *job) {
    const struct store_progress *p = &job->progress;

    json_out_text(dst, "seal", seal_of(job));
    json_out_open(dst, "spool", '{');
    if (job->has_task)
        json_out_int(dst, "bytes", p->spool_bytes);
    else
        json_out_null(dst, "bytes");
    json_out_positive(dst, "quota_bytes", p->spool_quota_bytes);
    json_out_close(dst, '}');
    json_out_open(dst, "destination_memory", '{');
    json_out_positive(dst, "used_bytes", p->destination_memory_bytes);
    json_out_positive(dst, "max_bytes", p->destination_memory_max_bytes);
    json_out_close(dst, '}');
    write_role_limits(dst, job);
}
