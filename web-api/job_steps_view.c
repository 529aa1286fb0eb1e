#include "web-api/job_steps_view.h"

#include <string.h>

#include "web-api/job_progress_view.h"
#include "web-api/json_time.h"

static json_t *text_or_null(const char *text) {
    return text[0] ? json_string(text) : json_null();
}

static json_t *or_null(json_t *value) {
    return value ? json_incref(value) : json_null();
}

static double percent_done(const struct store_job *job) {
    return (double)job_progress_view_permille(job) / 10;
}

/* A step that stands says why. */
static json_t *problem_of_step(const struct store_job *job, const json_t *step) {
    const char *state = json_string_value(json_object_get(step, "state"));
    const json_t *why = job->attention ? job->attention : job->last_error;
    bool stands = state && (strcmp(state, "blocked") == 0 || strcmp(state, "failed") == 0 ||
                            (strcmp(state, "running") == 0 && strcmp(job->state, "retrying") == 0));
    const char *name = json_string_value(json_object_get(step, "name"));

    if (!stands || !why || (name && strcmp(name, "precheck") == 0))
        return json_null();
    return json_pack("{s:o, s:o}", "code", or_null(json_object_get(why, "code")), "detail",
                     or_null(json_object_get(why, "detail")));
}

void job_steps_view(const struct store_job *job, json_t *steps) {
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

/* The history that the job follows: what its worker met, else what the position named. */
static json_t *replication_id(const struct store_job *job) {
    json_t *history = json_object_get(job->source_facts, "history");

    return json_is_string(history) ? json_incref(history) : text_or_null(job->progress.replid);
}

json_t *job_steps_view_shards(const struct store_job *job) {
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
                          text_or_null(p->position_state), "replication_id", replication_id(job),
                          "offset_received", (json_int_t)p->stream_end, "offset_applied",
                          (json_int_t)p->applied_offset, "offset_source",
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
