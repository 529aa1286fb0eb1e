#include "web-api/job_view.h"

#include <stdio.h>
#include <string.h>

#include "services/alert/runbook.h"
#include "services/job/job_health.h"
#include "services/job/job_spec.h"
#include "services/job/job_state.h"
#include "web-api/etag.h"
#include "web-api/job_actions.h"
#include "web-api/json_time.h"

static json_t *text_or_null(const char *text) {
    return text[0] ? json_string(text) : json_null();
}

static json_t *positive_or_null(int64_t number) {
    return number > 0 ? json_integer(number) : json_null();
}

static json_t *or_null(json_t *value) {
    return value ? json_incref(value) : json_null();
}

static bool state_is(const struct store_job *job, const char *state) {
    return strcmp(job->state, state) == 0;
}

static bool phase_is(const struct store_job *job, const char *phase) {
    return strcmp(job->progress.phase, phase) == 0;
}

/* The copy is over: everything of the snapshot is at the destination. */
static bool is_copied(const struct store_job *job) {
    const char *position = job->progress.position_state;

    return strcmp(position, "tail") == 0 || strcmp(position, "done") == 0 ||
           strcmp(position, "stopped") == 0 || strcmp(position, "sealed") == 0 ||
           strcmp(position, "forgotten") == 0 || phase_is(job, "incremental");
}

static double percent_done(const struct store_job *job) {
    const struct store_progress *p = &job->progress;
    double done = 0;

    if (is_copied(job))
        return 100.0;
    if (p->bytes_total > 0)
        done = 100.0 * (double)p->bytes_done / (double)p->bytes_total;
    else if (p->keys_total > 0)
        done = 100.0 * (double)p->keys_done / (double)p->keys_total;
    /* Totals are what the source said when the copy began; only the end is 100. */
    return done > 99.9 ? 99.9 : (double)(int64_t)(done * 10) / 10;
}

static json_t *eta_seconds(const struct store_job *job) {
    const struct store_progress *p = &job->progress;

    if (!phase_is(job, "full") || is_copied(job))
        return json_null();
    if (p->bytes_total > p->bytes_done && p->bytes_per_second > 0)
        return json_integer((p->bytes_total - p->bytes_done) / p->bytes_per_second);
    if (p->keys_total > p->keys_done && p->keys_per_second > 0)
        return json_integer((p->keys_total - p->keys_done) / p->keys_per_second);
    return json_null();
}

/* Of a job that was stopped: does the destination hold all the source held then? */
static json_t *drained(const struct store_job *job) {
    const char *position = job->progress.position_state;

    if (!state_is(job, "stopped") ||
        (strcmp(position, "stopped") != 0 && strcmp(position, "done") != 0 &&
         strcmp(position, "forgotten") != 0))
        return json_null();
    return json_boolean(job->progress.not_drained == 0);
}

/* Unsupported values stop a job today, so none is ever skipped for that; the member is
 * the contract's. */
static json_t *view_progress(const struct store_job *job) {
    const struct store_progress *p = &job->progress;
    /* The count is of before the snapshot: what came in between is in the copy, too. */
    int64_t total =
        p->keys_total > 0 && p->keys_done > p->keys_total ? p->keys_done : p->keys_total;

    return json_pack(
        "{s:{s:I, s:o, s:I, s:o, s:f, s:o, s:{s:I, s:I, s:I, s:i}, s:i, s:I}, s:{s:I, s:I, "
        "s:I, s:I, s:o}}",
        "full", "keys_done", (json_int_t)p->keys_done, "keys_total", positive_or_null(total),
        "bytes_done", (json_int_t)p->bytes_done, "bytes_total", positive_or_null(p->bytes_total),
        "percent", percent_done(job), "eta_seconds", eta_seconds(job), "skipped", "expired",
        (json_int_t)p->keys_expired, "filtered", (json_int_t)p->keys_filtered, "conflict",
        (json_int_t)p->keys_conflict, "unsupported", 0, "failed", 0, "field_expiries_dropped",
        (json_int_t)p->field_expiries_dropped, "incremental", "commands_applied",
        (json_int_t)p->commands_applied, "bytes_applied", (json_int_t)p->bytes_applied, "skipped",
        (json_int_t)p->commands_skipped, "rejected", (json_int_t)p->commands_rejected, "drained",
        drained(job));
}

static bool is_moving(const struct store_job *job) {
    return state_is(job, "running") || state_is(job, "pausing") || state_is(job, "stopping");
}

static json_t *view_rates(const struct store_job *job) {
    const struct store_progress *p = &job->progress;
    bool moving = is_moving(job);
    /* The worker's average fades for some seconds; keys are copied by the copy alone. */
    bool copies = moving && !phase_is(job, "incremental");

    return json_pack("{s:I, s:I, s:I}", "keys_per_second",
                     (json_int_t)(copies ? p->keys_per_second : 0), "commands_per_second",
                     (json_int_t)(moving ? p->commands_per_second : 0), "bytes_per_second",
                     (json_int_t)(moving ? p->bytes_per_second : 0));
}

/* Of a job that was read, by the clock of where it was: that of this machine may be another. */
static struct job_seen seen_of(const struct store_job *job, int64_t now_ms) {
    struct job_seen seen = {.state = JOB_DRAFT,
                            .progress = &job->progress,
                            .now_ms = job->read_ms > 0 ? job->read_ms : now_ms};

    (void)!job_state_parse(job->state, &seen.state);
    seen.attention = json_string_value(json_object_get(job->attention, "code"));
    if (!json_time_parse(json_object_get(job->retry_state, "deadline_at"), &seen.retry_deadline_ms))
        seen.retry_deadline_ms = 0;
    return seen;
}

static json_t *view_latency(const struct store_job *job, const struct job_seen *seen) {
    struct job_latency latency = job_health_latency(seen);
    const struct store_progress *p = &job->progress;

    return json_pack("{s:o, s:s?, s:s?, s:s?, s:o, s:o}", "ms",
                     latency.ms < 0 ? json_null() : json_integer(latency.ms), "method",
                     latency.method, "quality", latency.quality, "reason", latency.reason,
                     "lag_bytes", latency.method ? json_integer(p->lag_bytes) : json_null(),
                     "sampled_at", json_time(p->sampled_at_ms));
}

static json_t *view_safe_for(const struct job_seen *seen) {
    struct job_safe_for safe = job_health_safe_for(seen);

    if (!safe.limited_by)
        return json_pack("{s:n, s:n}", "seconds", "limited_by");
    return json_pack("{s:I, s:s}", "seconds", (json_int_t)safe.seconds, "limited_by",
                     safe.limited_by);
}

static json_t *view_expiry(const struct store_job *job) {
    const char *mode = json_string_value(json_object_get(job->spec, "expiry"));
    json_t *settled = json_null();

    if (mode && strcmp(mode, "exact") == 0)
        settled = json_true();
    else if (job->has_task && job->progress.position_state[0])
        settled = json_boolean(job->progress.settled == 1);
    return json_pack("{s:s?, s:o}", "mode", mode, "settled", settled);
}

/* The last cutover, also one that was given up; null before the first. */
static json_t *view_cutover(const struct store_job *job) {
    const struct store_progress *p = &job->progress;
    const char *state = p->cutover_state;

    /* Asked for, and no worker has said anything of it yet. */
    if (state_is(job, "cutting_over") && (!state[0] || strcmp(state, "aborted") == 0))
        state = "preparing";
    if (!state[0])
        return json_null();
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:I, s:o, s:o}", "state", state, "source_offset",
                     positive_or_null(p->cutover_source_offset), "applied_offset",
                     positive_or_null(p->cutover_applied_offset), "write_pause_ms",
                     positive_or_null(p->cutover_pause_ms), "write_pause_deadline",
                     json_time(p->cutover_deadline_ms), "stray_writes",
                     (json_int_t)p->cutover_stray_writes, "aborted_because",
                     text_or_null(p->cutover_because), "detail", text_or_null(p->cutover_detail));
}

/* Its share of what the owners of its ends let through; null where none limits it. */
static json_t *view_role_limits(const struct store_job *job) {
    const struct store_progress *p = &job->progress;

    if (p->role_rps <= 0 && p->role_bytes_per_second <= 0)
        return json_null();
    return json_pack("{s:o, s:o}", "rps", positive_or_null(p->role_rps), "bytes_per_second",
                     positive_or_null(p->role_bytes_per_second));
}

/* Our key on the destination: does anything keep what we start there from writing? */
static json_t *view_seal(const struct store_job *job) {
    const char *position = job->progress.position_state;

    if (strcmp(position, "forgotten") == 0)
        return json_string("forgotten");
    if (strcmp(position, "sealed") == 0 || strcmp(position, "done") == 0 ||
        strcmp(position, "stopped") == 0)
        return json_string(json_is_true(json_object_get(job->wanted, "forget")) ? "forgetting"
                                                                                : "set");
    return json_null();
}

static void add_drift(json_t *warnings, const char *end, const json_t *facts) {
    const json_t *entry;
    size_t i;

    json_array_foreach(json_object_get(facts, "drift"), i, entry) {
        const char *words[4] = {"what", "was", "is", "at"};

        for (size_t k = 0; k < LENGTH_OF(words); k++)
            if (!(words[k] = json_string_value(json_object_get(entry, words[k]))))
                words[k] = "?";
        json_array_append_new(
            warnings,
            json_pack("{s:s, s:o, s:o}", "code", "config_drift", "pointer",
                      json_sprintf("/%s", end), "detail",
                      json_sprintf("The %s's %s was %s when the job met it and is %s since %s.",
                                   end, words[0], words[1], words[2], words[3])));
    }
}

/* Of the specification, and of what its ends have become since. */
static json_t *view_warnings(const struct store_job *job) {
    json_t *warnings = job->warnings ? json_copy(job->warnings) : json_array();

    add_drift(warnings, "source", job->source_facts);
    add_drift(warnings, "destination", job->destination_facts);
    return warnings;
}

static json_t *view_end(const struct store_job *job, const char *end, const json_t *facts) {
    json_t *spec = json_object_get(job->spec, end);
    json_t *view = spec ? json_copy(spec) : NULL, *label;
    static const char *const names[] = {"product", "version", "topology"};

    if (!view)
        return json_null();
    label = json_object_get(json_object_get(spec, "inline"), "label");
    if (!json_object_get(view, "label"))
        json_object_set_new(view, "label", or_null(label));
    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        json_t *fact = json_object_get(facts, names[i]);

        /* What was asked for, until (and unless) a worker says what it found. */
        if (fact || !json_object_get(view, names[i]))
            json_object_set_new(view, names[i], or_null(fact));
    }
    return view;
}

/* What following the source can promise. A full-only copy cannot know whether the
 * source was written meanwhile, unless the worker says so. */
static json_t *view_consistency(const struct store_job *job) {
    const json_t *migration = json_object_get(job->spec, "migration");
    const char *policy =
        json_string_value(json_object_get(job->destination_facts, "maxmemory_policy"));
    json_t *said = json_object_get(job->source_facts, "consistency");

    if (!job->has_task)
        return json_null();
    if (policy && strcmp(policy, "noeviction") != 0 &&
        job->progress.destination_memory_max_bytes > 0)
        return json_string("at_risk");
    if (json_is_string(said))
        return json_incref(said);
    return json_is_true(json_object_get(migration, "incremental")) ? json_string("exact")
                                                                   : json_null();
}

static void add_actions(json_t *view, const struct store_job *job) {
    enum job_state state;
    json_t *allowed, *blocked;

    if (!job_state_parse(job->state, &state))
        return; /* the database holds no other states */
    job_actions(state, job_spec_unbuilt(job->spec), &allowed, &blocked);
    json_object_set_new(view, "allowed_actions", allowed);
    json_object_set_new(view, "blocked_actions", blocked);
}

/* With the page that says more. */
static json_t *view_attention(const json_t *attention) {
    const char *code = json_string_value(json_object_get(attention, "code"));
    json_t *view;
    char url[128];

    if (!code)
        return json_null();
    view = json_copy((json_t *)(uintptr_t)attention);
    snprintf(url, sizeof(url), RUNBOOK_PATH "attention.%s", code);
    json_object_set_new(view, "doc_url", json_string(url));
    return view;
}

static void add_state(json_t *view, const struct store_job *job) {
    enum job_state state;
    const char *alias = job_state_parse(job->state, &state) ? job_state_dts_status(state) : NULL;
    bool running = state_is(job, "running");

    json_object_set_new(view, "state", json_string(job->state));
    json_object_set_new(view, "phase", running ? text_or_null(job->phase) : json_null());
    json_object_set_new(view, "sync_state", running ? text_or_null(job->sync_state) : json_null());
    json_object_set_new(view, "dts_status", alias ? json_string(alias) : json_null());
    json_object_set_new(view, "attention", view_attention(job->attention));
    json_object_set_new(view, "last_error", or_null(job->last_error));
    add_actions(view, job);
    /* The one that was chosen, else the one that is wished for. */
    if (job->instance_class[0])
        json_object_set_new(view, "instance_class", json_string(job->instance_class));
}

/* The specification's members in the order of the contract; the database keeps
 * another one. Those this list does not know come last. */
static void add_spec(json_t *view, const json_t *spec) {
    static const char *const order[] = {"kind",
                                        "name",
                                        "labels",
                                        "environment",
                                        "resource_group",
                                        "region",
                                        "worker_pool",
                                        "source",
                                        "destination",
                                        "migration",
                                        "objects",
                                        "conflict_mode",
                                        "conflict_scope",
                                        "retry",
                                        "throttle",
                                        "expiry",
                                        "hash_field_expiry",
                                        "heartbeat",
                                        "verification",
                                        "alerts"};

    for (size_t i = 0; i < LENGTH_OF(order); i++) {
        json_t *value = json_object_get(spec, order[i]);

        if (value)
            json_object_set(view, order[i], value);
    }
    json_object_update_missing(view, (json_t *)(uintptr_t)spec);
}

json_t *job_view_bare(const struct store_job *job, int64_t now_wall_ms) {
    struct job_seen seen = seen_of(job, now_wall_ms);
    const struct store_progress *p = &job->progress;
    json_t *view = json_pack("{s:s}", "id", job->id);

    add_spec(view, job->spec);
    json_object_set_new(view, "name", json_string(job->name));
    add_state(view, job);
    json_object_set_new(view, "source", view_end(job, "source", job->source_facts));
    json_object_set_new(view, "destination", view_end(job, "destination", job->destination_facts));
    json_object_set_new(view, "progress", view_progress(job));
    json_object_set_new(view, "rates", view_rates(job));
    json_object_set_new(view, "latency", view_latency(job, &seen));
    json_object_set_new(view, "retry_state", or_null(job->retry_state));
    json_object_set_new(view, "safe_for", view_safe_for(&seen));
    json_object_set_new(view, "expiry", view_expiry(job));
    json_object_set_new(view, "cutover", view_cutover(job));
    json_object_set_new(view, "seal", view_seal(job));
    json_object_set_new(view, "spool",
                        json_pack("{s:o, s:o}", "bytes",
                                  job->has_task ? json_integer(p->spool_bytes) : json_null(),
                                  "quota_bytes", positive_or_null(p->spool_quota_bytes)));
    json_object_set_new(view, "destination_memory",
                        json_pack("{s:o, s:o}", "used_bytes",
                                  positive_or_null(p->destination_memory_bytes), "max_bytes",
                                  positive_or_null(p->destination_memory_max_bytes)));
    json_object_set_new(view, "role_limits", view_role_limits(job));
    json_object_set_new(view, "consistency", view_consistency(job));
    json_object_set_new(view, "warnings", view_warnings(job));
    json_object_set_new(view, "worker", text_or_null(job->worker));
    json_object_set_new(view, "created_at", json_time(job->created_ms));
    json_object_set_new(view, "started_at", json_time(job->started_ms));
    json_object_set_new(view, "finished_at", json_time(job->finished_ms));
    return view;
}

json_t *job_view(const struct store_job *job, int64_t now_wall_ms) {
    json_t *view = job_view_bare(job, now_wall_ms);

    etag_add(view, job->version);
    return view;
}

/* A step that stands says why. */
static json_t *problem_of_step(const struct store_job *job, const json_t *step) {
    const char *state = json_string_value(json_object_get(step, "state"));
    const json_t *why = job->attention ? job->attention : job->last_error;
    bool stands = state && (strcmp(state, "blocked") == 0 || strcmp(state, "failed") == 0 ||
                            (strcmp(state, "running") == 0 && state_is(job, "retrying")));
    const char *name = json_string_value(json_object_get(step, "name"));

    if (!stands || !why || (name && strcmp(name, "precheck") == 0))
        return json_null();
    return json_pack("{s:o, s:o}", "code", or_null(json_object_get(why, "code")), "detail",
                     or_null(json_object_get(why, "detail")));
}

void job_view_steps(const struct store_job *job, json_t *steps) {
    json_t *step;
    size_t i;

    json_array_foreach(steps, i, step) {
        const char *name = json_string_value(json_object_get(step, "name"));
        const char *state = json_string_value(json_object_get(step, "state"));
        bool is_done = state && (strcmp(state, "done") == 0 || strcmp(state, "passed") == 0);
        bool is_full = name && strcmp(name, "full") == 0;

        json_object_set_new(step, "percent",
                            is_done   ? json_real(100.0)
                            : is_full ? json_real(job->has_task ? percent_done(job) : 0.0)
                                      : json_null());
        json_object_set_new(step, "problem", problem_of_step(job, step));
    }
}

json_t *job_view_shards(const struct store_job *job) {
    static const char *const links[] = {"down", "snapshot", "stream"};
    const struct store_progress *p = &job->progress;
    json_t *shards = json_array();

    if (!job->has_task)
        return shards;
    json_array_append_new(
        shards, json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:s, s:I, s:I, s:I, "
                          "s:o, s:o, s:o, s:o}",
                          "task", 0, "node", or_null(json_object_get(job->source_facts, "address")),
                          "run_id", or_null(json_object_get(job->source_facts, "run_id")), "worker",
                          text_or_null(job->worker), "position_state",
                          text_or_null(p->position_state), "replication_id",
                          text_or_null(p->replid), "offset_received", (json_int_t)p->stream_end,
                          "offset_applied", (json_int_t)p->applied_offset, "offset_source",
                          (json_int_t)p->source_offset, "lag_bytes", (json_int_t)p->lag_bytes,
                          "link", p->link >= 0 && p->link <= 2 ? links[p->link] : "down",
                          "rdb_bytes", (json_int_t)p->bytes_done, "reconnects",
                          (json_int_t)p->reconnects, "full_syncs", (json_int_t)p->full_syncs,
                          "heartbeat_written_at", json_time(p->heartbeat_written_at_ms),
                          "heartbeat_seen_at", json_time(p->latency_at_ms), "latency_us",
                          p->latency_at_ms ? json_integer(p->latency_us) : json_null(),
                          "sampled_at", json_time(p->sampled_at_ms)));
    return shards;
}
