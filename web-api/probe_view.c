#include "web-api/probe_view.h"

#include <string.h>

#include "web-api/etag.h"
#include "web-api/json_time.h"

static json_t *or_null(json_t *value) {
    return value ? json_incref(value) : json_null();
}

static const json_t *item_of(const json_t *items, const char *id) {
    const json_t *item;
    size_t i;

    json_array_foreach(items, i, item) {
        const char *is = json_string_value(json_object_get(item, "id"));

        if (is && strcmp(is, id) == 0)
            return item;
    }
    return NULL;
}

/* How one step of the way to an end went. */
static const struct {
    const char *step, *source, *destination;
    const char *timing; /* of the end's facts; NULL = none */
} steps[] = {
    {"resolve", "src.dns", "dst.dns", NULL},
    {"connect", "src.connect", "dst.connect", "connect_us"},
    {"tls", "src.tls", "dst.tls", "tls_us"},
    {"login", "src.auth", "dst.auth", "login_us"},
    {"identity", "src.identity", "dst.identity", NULL},
    {"ping", "src.loading", "dst.writable", NULL},
    {"role", "src.role", "dst.writable", NULL},
    {"topology", "src.topology", "dst.cluster_health", NULL}, /* of clusters */
    {"replicate", "src.psync_permission", NULL, NULL},
    {"rights", "src.read_permission", "dst.permission", NULL},
};

static json_t *step_json(const json_t *item, const char *step, const json_t *micros) {
    static const char *const members[] = {"result", "observed", "message", "remedy", "shard"};
    json_t *object = json_pack("{s:s}", "step", step);

    for (size_t i = 0; i < LENGTH_OF(members); i++)
        json_object_set_new(object, members[i], or_null(json_object_get(item, members[i])));
    json_object_set_new(object, "ms",
                        json_is_integer(micros)
                            ? json_real((double)json_integer_value(micros) / 1000)
                            : json_null());
    return object;
}

static json_t *end_json(const struct store_precheck *run, const char *end) {
    const json_t *facts = json_object_get(run->facts, end);
    const json_t *timings = json_object_get(facts, "timings");
    const json_t *round_trip = json_object_get(facts, "round_trip_us");
    bool is_source = strcmp(end, "source") == 0;
    json_t *list = json_array();

    for (size_t i = 0; i < LENGTH_OF(steps); i++) {
        const char *id = is_source ? steps[i].source : steps[i].destination;
        const json_t *item = id ? item_of(run->items, id) : NULL;

        if (item)
            json_array_append_new(
                list,
                step_json(item, steps[i].step,
                          steps[i].timing ? json_object_get(timings, steps[i].timing) : NULL));
    }
    if (json_is_integer(round_trip))
        json_array_append_new(
            list, step_json(item_of(run->items, "net.latency"), "round_trip", round_trip));
    return json_pack("{s:s, s:O, s:b, s:o}", "end", end, "label",
                     json_object_get(json_object_get(run->spec, end), "label"), "reachable",
                     json_is_true(json_object_get(facts, "reachable")), "steps", list);
}

static const char *state_of(const struct store_precheck *run) {
    return strcmp(run->state, "queued") == 0 ? "running" : run->state;
}

json_t *probe_view_connectivity(const struct store_precheck *run) {
    static const char *const ends[] = {"source", "destination"};
    json_t *list = json_array(), *view;

    for (size_t i = 0; i < LENGTH_OF(ends); i++)
        if (json_is_object(json_object_get(run->spec, ends[i])))
            json_array_append_new(list, end_json(run, ends[i]));
    view = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "id", run->id, "state", state_of(run),
                     "probe", run->probe, "ends", list, "last_error", or_null(run->last_error),
                     "created_at", json_time(run->created_ms), "finished_at",
                     json_time(run->finished_ms));
    etag_add(view, run->version);
    return view;
}

/* What a finding says of a right: null where it was not asked or is not known. */
static json_t *right(const json_t *items, const char *id) {
    const char *result = json_string_value(json_object_get(item_of(items, id), "result"));

    if (!result || strcmp(result, "skipped") == 0 || strcmp(result, "error") == 0)
        return json_null();
    return json_boolean(strcmp(result, "pass") == 0);
}

json_t *probe_view_discover(const struct store_precheck *run) {
    json_t *facts = or_null(json_object_get(run->facts, "source")), *problems = json_array(), *view;
    const json_t *item;
    bool is_over = run->finished_ms > 0;
    size_t i;

    json_array_foreach(run->items, i, item) {
        const char *result = json_string_value(json_object_get(item, "result"));

        if (result && (strcmp(result, "fail") == 0 || strcmp(result, "error") == 0))
            json_array_append(problems, (json_t *)(uintptr_t)item);
    }
    view = json_pack(
        "{s:s, s:s, s:o, s:{s:o, s:o, s:o}, s:o, s:o, s:o, s:o}", "id", run->id, "state",
        !is_over                                            ? "running"
        : json_is_true(json_object_get(facts, "reachable")) ? "done"
                                                            : "failed",
        "facts", facts, "rights", "replicate", right(run->items, "src.psync_permission"), "read",
        right(run->items, "src.read_permission"), "write", right(run->items, "dst.permission"),
        "problems", problems, "last_error", or_null(run->last_error), "created_at",
        json_time(run->created_ms), "finished_at", json_time(run->finished_ms));
    etag_add(view, run->version);
    return view;
}
