/* What a job is doing: steps, shards, charts, log. */
#include <stdlib.h>
#include <string.h>

#include "services/common/clock.h"
#include "sql/store_event.h"
#include "sql/store_rejected.h"
#include "web-api/call.h"
#include "web-api/handlers/handlers.h"
#include "web-api/job_view.h"
#include "web-api/page.h"

/* A list that is always whole. */
static void reply_all(struct reply *reply, json_t *items_taken) {
    reply_json(reply, 200, json_pack("{s:o, s:n}", "items", items_taken, "next_cursor"));
}

bool job_views_steps(struct call *call, struct reply *reply, struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    json_t *steps;
    bool ok = call_job(call, &job, err) && store_job_steps(call->store, job.id, &steps, err);

    if (ok)
        reply_all(reply, steps);
    store_job_done(&job);
    return ok;
}

bool job_views_shards(struct call *call, struct reply *reply, struct err *err) {
    struct store_job job = STORE_JOB_INIT;

    if (!call_job(call, &job, err))
        return false;
    reply_all(reply, job_view_shards(&job));
    store_job_done(&job);
    return true;
}

static const char *level_of(const char *type) {
    static const struct {
        const char *type, *level;
    } rows[] = {{"failed", "error"},         {"blocked", "error"},        {"retrying", "warn"},
                {"precheck.failed", "warn"}, {"cutover.failed", "error"}, {"full_resync", "warn"}};

    for (size_t i = 0; type && i < LENGTH_OF(rows); i++)
        if (strcmp(type, rows[i].type) == 0)
            return rows[i].level;
    return "info";
}

static const char *log_key(const json_t *item) {
    return json_string_value(json_object_get(item, "key"));
}

/* The job's history as a log: what happened, oldest first. */
bool job_views_logs(struct call *call, struct reply *reply, struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    json_t *events, *event, *items, *answer;
    struct page page;
    size_t i;
    bool ok;

    if (!page_parse(call->request, "logs", &page, err) || !call_job(call, &job, err))
        return false;
    ok = store_event_list(call->store, job.id, strtoll(page.after, NULL, 10), page.limit + 1,
                          &events, err);
    store_job_done(&job);
    if (!ok)
        return false;
    items = json_array();
    json_array_foreach(events, i, event) {
        const char *type = json_string_value(json_object_get(event, "type"));
        json_t *line = json_copy(event);

        json_object_del(line, "number");
        json_object_set_new(line, "level", json_string(level_of(type)));
        json_object_set_new(
            line, "key",
            json_sprintf("%lld", json_integer_value(json_object_get(event, "number"))));
        json_array_append_new(items, line);
    }
    json_decref(events);
    answer = page_json(&page, items, log_key);
    json_array_foreach(json_object_get(answer, "items"), i, event) json_object_del(event, "key");
    reply_json(reply, 200, answer);
    return true;
}
