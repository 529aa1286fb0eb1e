#include "web-api/precheck_view.h"

#include <string.h>

#include "services/precheck/check.h"
#include "web-api/etag.h"
#include "web-api/json_time.h"
#include "web-api/probe_view.h"

static json_t *or_null(json_t *value) {
    return value ? json_incref(value) : json_null();
}

/* As the catalogue has them: both ends are asked at the same time, and who is first is chance. */
static json_t *in_order(const json_t *items) {
    size_t count, i;
    const struct check_info *rows = check_catalogue(&count);
    json_t *list = json_array(), *item;

    for (size_t row = 0; row <= count; row++) {
        json_array_foreach(items, i, item) {
            const char *id = json_string_value(json_object_get(item, "id"));
            bool known = id && check_find(id) < count;

            if (row < count ? known && strcmp(id, rows[row].id) == 0 : !known)
                json_array_append(list, item);
        }
    }
    return list;
}

/* A pool without workers looks like a run that never ends: it is named. */
static json_t *worker_of(const struct store_precheck *precheck) {
    const char *pool = json_string_value(json_object_get(precheck->spec, "worker_pool"));

    return json_sprintf("A free worker of the pool %s", pool ? pool : "shared");
}

json_t *precheck_view(const struct store_precheck *precheck) {
    if (strcmp(precheck->purpose, "connectivity") == 0)
        return probe_view_connectivity(precheck);
    if (strcmp(precheck->purpose, "discover") == 0)
        return probe_view_discover(precheck);

    bool waits = strcmp(precheck->state, "queued") == 0;
    json_t *summary =
        check_summary(precheck->items, waits || strcmp(precheck->state, "running") == 0);
    json_t *view = json_pack(
        "{s:s, s:o, s:s, s:s, s:O, s:O, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
        precheck->id, "job_id", precheck->job[0] ? json_string(precheck->job) : json_null(),
        "state", waits ? "running" : precheck->state, "probe", precheck->probe, "success_rate",
        json_object_get(summary, "success_rate"), "counts", json_object_get(summary, "counts"),
        "facts", or_null(precheck->facts), "plan", or_null(precheck->plan), "last_error",
        or_null(precheck->last_error), "items", in_order(precheck->items), "fresh_since",
        json_time(precheck->fresh_ms), "created_at", json_time(precheck->created_ms), "started_at",
        json_time(precheck->started_ms), "finished_at", json_time(precheck->finished_ms));

    json_object_set_new(view, "waiting_for", waits ? worker_of(precheck) : json_null());
    json_decref(summary);
    etag_add(view, precheck->version);
    return view;
}
