/* What a job is doing: steps, shards, charts, log. */
#include <stdlib.h>
#include <string.h>

#include "services/common/clock.h"
#include "sql/store_event.h"
#include "sql/store_rejected.h"
#include "web-api/call.h"
#include "web-api/handlers/handlers.h"
#include "web-api/job_steps_view.h"
#include "web-api/json_time.h"
#include "web-api/page.h"

bool job_views_steps(struct call *call, struct reply *reply, struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    json_t *steps;
    bool ok = call_job(call, &job, err) && store_job_steps(call->store, job.id, &steps, err);

    if (ok) {
        job_steps_view(&job, steps);
        ok = page_whole(call->request, "steps", reply, steps, err);
    }
    store_job_done(&job);
    return ok;
}

bool job_views_shards(struct call *call, struct reply *reply, struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    bool ok = call_job(call, &job, err) &&
              page_whole(call->request, "shards", reply, job_steps_view_shards(&job), err);

    store_job_done(&job);
    return ok;
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

/* ---- log ---- */

enum { READ_AT_ONCE = 200, READ_MAX = 5000, Q_MAX = 100 };

struct log {
    struct page page;
    const char *level, *code, *text; /* NULL = any */
    int64_t from_ms, to_ms;
    int64_t read; /* the number of the last event looked at */
    json_t *items;
};

static bool read_text(struct call *call, const char *name, const char **ret, struct err *err) {
    struct str text;

    if (!request_query(call->request, name, &text))
        return true;
    *ret = arena_dup(call->arena, text);
    return (text.len > 0 && text.len <= Q_MAX) ||
           err_set(err, ERR_VALIDATION, "%s: must be 1 to %d bytes", name, Q_MAX);
}

static bool read_time(struct call *call, const char *name, int64_t *ms, struct err *err) {
    struct str text;
    json_t *json;
    bool ok;

    if (!request_query(call->request, name, &text))
        return true;
    json = json_stringn(text.ptr, text.len);
    ok = json_time_parse(json, ms);
    json_decref(json);
    return ok ||
           err_set(err, ERR_VALIDATION, "%s: must be a time like 2026-11-20T09:54:00.000Z", name);
}

static bool read_log(struct call *call, struct log *log, struct err *err) {
    static const char *const levels[] = {"info", "warn", "error"};
    bool is_level = false;

    if (!page_parse(call->request, "logs", &log->page, err) ||
        !read_text(call, "level", &log->level, err) || !read_text(call, "code", &log->code, err) ||
        !read_text(call, "q", &log->text, err) || !read_time(call, "from", &log->from_ms, err) ||
        !read_time(call, "to", &log->to_ms, err))
        return false;
    for (size_t i = 0; log->level && i < LENGTH_OF(levels); i++)
        is_level = is_level || strcmp(log->level, levels[i]) == 0;
    return !log->level || is_level ||
           err_set(err, ERR_VALIDATION, "level: must be info, warn or error");
}

static bool contains(const json_t *event, const char *member, const char *text) {
    const char *value = json_string_value(json_object_get(event, member));

    return value && strcasestr(value, text);
}

static bool is_wanted(const struct log *log, const json_t *event) {
    const char *type = json_string_value(json_object_get(event, "type"));
    int64_t at = 0;

    (void)!json_time_parse(json_object_get(event, "at"), &at);
    return (!log->level || strcmp(level_of(type), log->level) == 0) &&
           (!log->code || (type && strcmp(type, log->code) == 0)) &&
           (!log->text || contains(event, "sentence", log->text) ||
            contains(event, "detail", log->text)) &&
           (!log->from_ms || at >= log->from_ms) && (!log->to_ms || at < log->to_ms);
}

static void add_line(struct log *log, const json_t *event) {
    json_t *line = json_copy((json_t *)(uintptr_t)event);

    json_object_del(line, "number");
    json_object_set_new(line, "level",
                        json_string(level_of(json_string_value(json_object_get(event, "type")))));
    json_object_set_new(line, "key", json_sprintf("%lld", (long long)log->read));
    json_array_append_new(log->items, line);
}

/* Until the page is full, or the history or what one call may look at is through. */
static bool fill(struct call *call, const char *job, struct log *log, struct err *err) {
    size_t wanted = (size_t)log->page.limit + 1;
    size_t seen = 0;

    while (json_array_size(log->items) < wanted && seen < READ_MAX) {
        json_t *events, *event;
        size_t count, i;

        if (!store_event_list(call->store, job, log->read, READ_AT_ONCE, &events, err))
            return false;
        count = json_array_size(events);
        json_array_foreach(events, i, event) {
            log->read = json_integer_value(json_object_get(event, "number"));
            if (json_array_size(log->items) < wanted && is_wanted(log, event))
                add_line(log, event);
        }
        seen += count;
        json_decref(events);
        if (count < READ_AT_ONCE)
            break;
    }
    return true;
}

/* The job's history as a log: what happened, oldest first. */
bool job_views_logs(struct call *call, struct reply *reply, struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    struct log log = {.items = json_array()};
    json_t *answer, *line;
    size_t i;
    bool ok;

    ok = read_log(call, &log, err) && call_job(call, &job, err);
    log.read = ok ? strtoll(log.page.after, NULL, 10) : 0;
    ok = ok && fill(call, job.id, &log, err);
    store_job_done(&job);
    if (!ok) {
        json_decref(log.items);
        return false;
    }
    answer = page_json(&log.page, log.items, log_key);
    json_array_foreach(json_object_get(answer, "items"), i, line) json_object_del(line, "key");
    reply_json(reply, 200, answer);
    return true;
}
