#include "web-api/job_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/alert/runbook.h"
#include "services/job/job_state.h"
#include "sql/json_load.h"
#include "web-api/job_actions.h"
#include "web-api/job_progress_view.h"
#include "web-api/json_out.h"
#include "web-api/json_text.h"

static bool state_is(const struct store_job *job, const char *state) {
    return strcmp(job->state, state) == 0;
}

/* ---- what fills the holes of the specification ---- */

static void write_text(struct buf *dst, const char *text) {
    struct err err = ERR_INIT;

    if (!json_text_string(dst, str_from(text), &err))
        abort();
}

/* False: what the specification asked for stands there, until (and unless) a worker says what it
 * found. */
static bool fill_fact(struct buf *dst, const json_t *facts, int which) {
    const json_t *fact = json_object_get(facts, job_template_found[which]);

    if (fact)
        json_out_raw_value(dst, fact);
    return fact != NULL;
}

/* False: the value in the template stands. */
static bool fill(struct buf *dst, enum job_hole hole, const struct store_job *job, bool is_exact) {
    if (hole >= JOB_HOLE_DESTINATION)
        return fill_fact(dst, job->destination_facts, (int)(hole - JOB_HOLE_DESTINATION));
    if (hole >= JOB_HOLE_SOURCE)
        return fill_fact(dst, job->source_facts, (int)(hole - JOB_HOLE_SOURCE));
    if (hole == JOB_HOLE_CUTOVER) {
        job_progress_view_cutover(dst, job);
    } else if (hole == JOB_HOLE_SETTLED) {
        if (is_exact || !job->has_task || !job->progress.position_state[0])
            return false;
        json_out_raw(dst, job->progress.settled == 1 ? STR_LIT("true") : STR_LIT("false"));
    } else if (hole == JOB_HOLE_CLASS) {
        /* The one that was chosen, else the one that is wished for. */
        if (!job->instance_class[0])
            return false;
        write_text(dst, job->instance_class);
    } else {
        write_text(dst, job->name);
    }
    return true;
}

static void write_spec(struct buf *dst, const struct store_job *job, const struct job_template *t) {
    struct str text = buf_str(&t->text);
    size_t at = 0;

    for (int i = 0; i < t->hole_count; i++) {
        json_out_raw(dst, str_first(str_skip(text, at), t->holes[i].at - at));
        at = t->holes[i].at;
        if (fill(dst, t->holes[i].hole, job, t->is_exact))
            at += t->holes[i].len;
    }
    json_out_raw(dst, str_skip(text, at));
}

/* ---- what stands behind it ---- */

/* With the page that says more. */
static void write_attention(struct buf *dst, const json_t *attention) {
    const char *code = json_string_value(json_object_get(attention, "code"));
    json_t *view;
    char url[128];

    if (!code) {
        json_out_null(dst, "attention");
        return;
    }
    view = json_copy((json_t *)(uintptr_t)attention);
    snprintf(url, sizeof(url), RUNBOOK_PATH "attention.%s", code);
    json_object_set_new(view, "doc_url", json_string(url));
    json_out_value(dst, "attention", view);
    json_decref(view);
}

static void write_state(struct buf *dst, const struct store_job *job,
                        const struct job_template *t) {
    enum job_state state;
    bool is_known = job_state_parse(job->state, &state); /* the database holds no other states */
    bool running = state_is(job, "running");

    json_out_text(dst, "state", job->state);
    json_out_text_or_null(dst, "phase", running ? job->phase : "");
    json_out_text_or_null(dst, "sync_state", running ? job->sync_state : "");
    json_out_text(dst, "dts_status", is_known ? job_state_dts_status(state) : NULL);
    write_attention(dst, job->attention);
    json_out_value(dst, "last_error", job->last_error);
    if (is_known) {
        json_out_raw(dst, STR_LIT(","));
        json_out_raw(dst, job_actions_text(state, strcmp(job->progress.phase, "incremental") == 0,
                                           t->is_cluster[0], t->is_cluster[1]));
    }
}

/* What following the source can promise. A full-only copy cannot know whether the
 * source was written meanwhile, unless the worker says so. */
static const char *consistency(const struct store_job *job, bool is_incremental) {
    const char *policy =
        json_string_value(json_object_get(job->destination_facts, "maxmemory_policy"));
    const char *said = json_string_value(json_object_get(job->source_facts, "consistency"));

    if (!job->has_task)
        return NULL;
    if (policy && strcmp(policy, "noeviction") != 0 &&
        job->progress.destination_memory_max_bytes > 0)
        return "at_risk";
    if (said)
        return said;
    return is_incremental ? "exact" : NULL;
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
static void write_warnings(struct buf *dst, const struct store_job *job) {
    json_t *warnings = job->warnings ? json_copy(job->warnings) : json_array();

    add_drift(warnings, "source", job->source_facts);
    add_drift(warnings, "destination", job->destination_facts);
    json_out_value(dst, "warnings", warnings);
    json_decref(warnings);
}

void job_view_fill(struct buf *dst, const struct store_job *job, const struct job_template *spec,
                   int64_t now_wall_ms, char ret_tag[ETAG_SIZE]) {
    struct job_seen seen = job_progress_view_seen(job, now_wall_ms);
    size_t begin = dst->len;

    json_out_raw(dst, STR_LIT("{"));
    json_out_text(dst, "id", job->id);
    write_spec(dst, job, spec);
    write_state(dst, job, spec);
    job_progress_view_write(dst, job, &seen);
    job_progress_view_write_places(dst, job);
    json_out_text(dst, "consistency", consistency(job, spec->is_incremental));
    write_warnings(dst, job);
    json_out_text_or_null(dst, "worker", job->worker);
    json_out_time(dst, "created_at", job->created_ms);
    json_out_time(dst, "started_at", job->started_ms);
    json_out_time(dst, "finished_at", job->finished_ms);
    json_out_raw(dst, STR_LIT("}"));
    etag_close(dst, begin, job->version, ret_tag);
}

void job_view_write(struct buf *dst, const struct store_job *job, int64_t now_wall_ms,
                    char ret_tag[ETAG_SIZE]) {
    struct job_template spec = JOB_TEMPLATE_INIT;
    struct buf text = BUF_INIT(JSON_TEXT_MAX);

    json_out_raw_value(&text, job->spec);
    job_template_make(&spec, buf_str(&text));
    job_view_fill(dst, job, &spec, now_wall_ms, ret_tag);
    job_template_done(&spec);
    buf_done(&text);
}

json_t *job_view(const struct store_job *job, int64_t now_wall_ms) {
    struct buf text = BUF_INIT(JSON_TEXT_MAX);
    json_t *view;

    job_view_write(&text, job, now_wall_ms, NULL);
    view = json_load(text.ptr);
    buf_done(&text);
    return view;
}
