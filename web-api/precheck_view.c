#include "web-api/precheck_view.h"

#include <string.h>

#include "services/precheck/check.h"
#include "web-api/etag.h"
#include "web-api/json_time.h"

static json_t *or_null(json_t *value) {
    return value ? json_incref(value) : json_null();
}

json_t *precheck_view(const struct store_precheck *precheck) {
    json_t *summary = check_summary(precheck->items);
    bool waits = strcmp(precheck->state, "queued") == 0;
    json_t *view = json_pack(
        "{s:s, s:o, s:s, s:s, s:O, s:O, s:o, s:o, s:o, s:O, s:o, s:o, s:o}", "id", precheck->id,
        "job_id", precheck->job[0] ? json_string(precheck->job) : json_null(), "state",
        waits ? "running" : precheck->state, "probe", precheck->probe, "success_rate",
        json_object_get(summary, "success_rate"), "counts", json_object_get(summary, "counts"),
        "facts", or_null(precheck->facts), "plan", or_null(precheck->plan), "last_error",
        or_null(precheck->last_error), "items", precheck->items, "created_at",
        json_time(precheck->created_ms), "started_at", json_time(precheck->started_ms),
        "finished_at", json_time(precheck->finished_ms));

    json_decref(summary);
    etag_add(view, precheck->version);
    return view;
}
