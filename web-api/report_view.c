#include "web-api/report_view.h"

#include <stdlib.h>
#include <string.h>

#include "web-api/job_objects_view.h"
#include "web-api/job_view.h"
#include "web-api/json_time.h"
#include "web-api/report_parts.h"

static json_t *or_null(json_t *value) {
    return value ? json_incref(value) : json_null();
}

static json_t *member(const json_t *object, const char *name) {
    return or_null(json_object_get(object, name));
}

/* ---- who and when ---- */

static const char *text(const json_t *object, const char *name) {
    const char *value = json_string_value(json_object_get(object, name));

    return value ? value : "";
}

static json_t *event_json(const json_t *event) {
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "at", member(event, "at"), "what",
                     member(event, "sentence"), "state", member(event, "state"), "detail",
                     member(event, "detail"), "by", member(event, "actor"));
}

/* What persons did, by the keys they did it with. */
static json_t *people(const struct report *r) {
    json_t *list = json_array(), *event;
    size_t i;

    json_array_foreach(r->events, i, event) {
        if (strncmp(text(event, "actor"), "key:", 4) == 0 &&
            json_array_size(list) < REPORT_EVENTS_SHOWN)
            json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "at", member(event, "at"),
                                                  "by", member(event, "actor"), "what",
                                                  member(event, "sentence")));
    }
    return list;
}

/* The first and the last are what matters in a history that is long. */
static json_t *history(const struct report *r) {
    size_t count = json_array_size(r->events), half = REPORT_EVENTS_SHOWN / 2;
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        if (i < half || i + half >= count)
            json_array_append_new(list, event_json(json_array_get(r->events, i)));
    return list;
}

static const json_t *step(const struct report *r, const char *name) {
    const json_t *row;
    size_t i;

    json_array_foreach(r->steps, i, row) {
        if (strcmp(text(row, "name"), name) == 0)
            return row;
    }
    return NULL;
}

/* Seconds between two times of a step; null while it is not over. */
static json_t *seconds_of(const json_t *row) {
    int64_t from, to;

    if (!json_time_parse(json_object_get(row, "started_at"), &from) ||
        !json_time_parse(json_object_get(row, "finished_at"), &to) || to < from)
        return json_null();
    return json_real((double)(to - from) / 1000);
}

static json_t *when(const struct report *r) {
    const struct store_job *job = r->counts.job;
    int64_t until = job->finished_ms ? job->finished_ms : r->counts.now_ms;

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:O?}", "created_at", json_time(job->created_ms),
                     "started_at", json_time(job->started_ms), "finished_at",
                     json_time(job->finished_ms), "duration_seconds",
                     job->started_ms ? json_integer((until - job->started_ms) / 1000) : json_null(),
                     "copy_seconds", seconds_of(step(r, "full")), "steps", r->steps);
}

/* ---- plan and precheck ---- */

static json_t *compared(const char *what, json_t *planned, json_t *measured) {
    return json_pack("{s:s, s:o, s:o}", "what", what, "planned", planned, "measured", measured);
}

static json_t *plan(const struct report *r, const json_t *view) {
    const json_t *made = r->precheck ? r->precheck->plan : NULL;
    const struct store_progress *p = &r->counts.job->progress;
    json_t *list = json_array();

    json_array_append_new(list, compared("method", member(made, "method"), json_null()));
    json_array_append_new(list, compared("duration_seconds", member(made, "duration_seconds"),
                                         seconds_of(step(r, "full"))));
    json_array_append_new(list, compared("spool_bytes", member(made, "spool_bytes"),
                                         report_parts_highest(r, SERIES_spool_bytes)));
    json_array_append_new(
        list, compared("source_forks", member(made, "source_forks"), json_integer(p->full_syncs)));
    json_array_append_new(list,
                          compared("write_pause_ms", member(made, "write_pause_ms"),
                                   member(json_object_get(view, "cutover"), "write_pause_ms")));
    return list;
}

static json_t *precheck(const struct report *r) {
    json_t *ignored, *item;
    size_t i;

    if (!r->precheck)
        return json_null();
    ignored = json_array();
    json_array_foreach(r->precheck->items, i, item) {
        if (strcmp(text(item, "result"), "ignored") == 0)
            json_array_append_new(
                ignored,
                json_pack("{s:o, s:o, s:o, s:o, s:o}", "check", member(item, "id"), "message",
                          member(item, "message"), "reason", member(item, "reason"), "by",
                          member(item, "ignored_by"), "at", member(item, "ignored_at")));
    }
    return json_pack("{s:s, s:s, s:o, s:o}", "id", r->precheck->id, "state", r->precheck->state,
                     "finished_at", json_time(r->precheck->finished_ms), "ignored", ignored);
}

/* ---- all of it ---- */

static json_t *end_json(const json_t *view, const char *end) {
    const json_t *is = json_object_get(view, end);

    return json_pack("{s:o, s:o, s:o, s:o}", "label", member(is, "label"), "product",
                     member(is, "product"), "version", member(is, "version"), "topology",
                     member(is, "topology"));
}

static json_t *job_json(const struct report *r, const json_t *view) {
    static const char *const members[] = {
        "id",          "name",           "state",      "attention",     "kind",   "labels",
        "environment", "instance_class", "last_error", "conflict_mode", "expiry", "consistency"};
    json_t *job = json_object();

    for (size_t i = 0; i < LENGTH_OF(members); i++)
        json_object_set_new(job, members[i], member(view, members[i]));
    json_object_set_new(job, "migration", member(r->counts.job->spec, "migration"));
    return job;
}

json_t *report_view(const struct report *r) {
    const struct store_job *job = r->counts.job;
    json_t *view = job_view(job, r->counts.now_ms);
    json_t *report =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "generated_at", json_time(r->counts.now_ms),
                  "job", job_json(r, view), "source", end_json(view, "source"), "destination",
                  end_json(view, "destination"), "when", when(r), "people", people(r));

    json_object_set_new(report, "objects", job_objects_view(job));
    json_object_set_new(report, "plan", plan(r, view));
    json_object_set_new(report, "precheck", precheck(r));
    json_object_set_new(report, "progress", member(view, "progress"));
    json_object_set_new(report, "throughput", report_parts_throughput(r));
    json_object_set_new(report, "latency", report_parts_latency(r));
    json_object_set_new(report, "waiting", report_parts_waiting(job));
    json_object_set_new(report, "disturbances", report_parts_disturbances(r));
    json_object_set_new(report, "commands",
                        r->by_command ? json_incref((json_t *)(uintptr_t)r->by_command)
                                      : json_array());
    json_object_set_new(report, "work", report_parts_work(job));
    json_object_set_new(report, "memory", report_parts_memory(r));
    json_object_set_new(report, "key_counts", key_counts_view(&r->counts));
    json_object_set_new(report, "cutover", member(view, "cutover"));
    json_object_set_new(report, "seal", member(view, "seal"));
    json_object_set_new(report, "guarantees", report_parts_guarantees(r, view));
    json_object_set_new(
        report, "events_left_out",
        json_integer(json_array_size(r->events) > REPORT_EVENTS_SHOWN
                         ? (json_int_t)json_array_size(r->events) - REPORT_EVENTS_SHOWN
                         : 0));
    json_object_set_new(report, "events", history(r));
    json_decref(view);
    return report;
}
