#include "web-api/precheck_view.h"

#include <string.h>

#include "web-api/etag.h"
#include "web-api/json_time.h"

static const char *const results[] = {"pass", "warn", "fail", "ignored", "skipped", "error"};

static json_t *count_results(const json_t *items) {
    json_t *counts = json_object();
    const json_t *item;
    size_t i;

    for (size_t k = 0; k < LENGTH_OF(results); k++)
        json_object_set_new(counts, results[k], json_integer(0));
    json_array_foreach(items, i, item) {
        const char *result = json_string_value(json_object_get(item, "result"));
        json_t *count = result ? json_object_get(counts, result) : NULL;

        if (count)
            json_integer_set(count, json_integer_value(count) + 1);
    }
    return counts;
}

/* Percent of the items that do not stand in the way; null while there is none. */
static json_t *success_rate(const json_t *counts) {
    json_int_t good = json_integer_value(json_object_get(counts, "pass")) +
                      json_integer_value(json_object_get(counts, "ignored")) +
                      json_integer_value(json_object_get(counts, "skipped"));
    json_int_t bad = json_integer_value(json_object_get(counts, "warn")) +
                     json_integer_value(json_object_get(counts, "fail")) +
                     json_integer_value(json_object_get(counts, "error"));

    return good + bad == 0 ? json_null() : json_integer(good * 100 / (good + bad));
}

static json_t *or_null(json_t *value) {
    return value ? json_incref(value) : json_null();
}

json_t *precheck_view(const struct store_precheck *precheck) {
    json_t *counts = count_results(precheck->items), *rate = success_rate(counts);
    bool waits = strcmp(precheck->state, "queued") == 0;
    json_t *view = json_pack(
        "{s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:O, s:o, s:o, s:o}", "id", precheck->id,
        "job_id", precheck->job[0] ? json_string(precheck->job) : json_null(), "state",
        waits ? "running" : precheck->state, "probe", precheck->probe, "success_rate", rate,
        "counts", counts, "facts", or_null(precheck->facts), "plan", or_null(precheck->plan),
        "last_error", or_null(precheck->last_error), "items", precheck->items, "created_at",
        json_time(precheck->created_ms), "started_at", json_time(precheck->started_ms),
        "finished_at", json_time(precheck->finished_ms));

    etag_add(view, precheck->version);
    return view;
}
