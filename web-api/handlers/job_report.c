/* The record of a migration. */
#include <stdlib.h>
#include <string.h>

#include "services/common/clock.h"
#include "services/job/job_report.h"
#include "sql/store_event.h"
#include "sql/store_rejected.h"
#include "sql/store_series.h"
#include "web-api/handlers/handlers.h"
#include "web-api/handlers/job_readings.h"
#include "web-api/report_view.h"

enum { READING_AGE_SECONDS = 60, READING_WAIT_SECONDS = 3, EVENTS_PAGE = 200 };

static const struct {
    const char *name, *content_type;
} formats[] = {
    {"json", "application/json"},
    {"text", "text/plain; charset=utf-8"},
    {"markdown", "text/markdown; charset=utf-8"},
};

static bool read_format(const struct call *call, size_t *ret, struct err *err) {
    struct str text;

    *ret = 0;
    if (!request_query(call->request, "format", &text))
        return true;
    for (*ret = 0; *ret < LENGTH_OF(formats); (*ret)++)
        if (str_equal(text, str_from(formats[*ret].name)))
            return true;
    return err_set(err, ERR_VALIDATION, "format: must be json, text or markdown");
}

static bool read_events(struct call *call, const char *job, json_t *all, struct err *err) {
    int64_t after = 0;

    while (json_array_size(all) < REPORT_EVENTS_MAX) {
        json_t *page;
        size_t count;

        if (!store_event_list(call->store, job, after, EVENTS_PAGE, &page, err))
            return false;
        count = json_array_size(page);
        if (count > 0)
            after = json_integer_value(json_object_get(json_array_get(page, count - 1), "number"));
        json_array_extend(all, page);
        json_decref(page);
        if (count < EVENTS_PAGE)
            return true;
    }
    return true;
}

/* The finest step that reaches back to the start. */
static int choose_step(const struct store_job *job, int64_t now_ms) {
    int64_t age_s = job->started_ms ? (now_ms - job->started_ms) / 1000 : 0;
    int step = 0;

    while (step < SERIES_STEPS - 1 && age_s > series_kept_seconds[step])
        step++;
    return series_steps[step];
}

static bool read_series(struct call *call, struct report *r, struct series_bucket **ret,
                        struct err *err) {
    const struct store_job *job = r->counts.job;
    int64_t now_s = r->counts.now_ms / 1000, from_s = job->started_ms / 1000;

    r->step_seconds = choose_step(job, r->counts.now_ms);
    if (job->started_ms == 0)
        return true;
    if (from_s < now_s - series_kept_seconds[SERIES_STEPS - 1])
        from_s = now_s - series_kept_seconds[SERIES_STEPS - 1];
    return store_series_get(call->store, job->id, r->step_seconds, from_s, now_s + 1, ret,
                            &r->bucket_count, err);
}

static bool read_precheck(struct call *call, struct report *r, struct store_precheck *precheck,
                          struct err *err) {
    bool found;

    if (!job_readings_precheck(call, r->counts.job, precheck, &found, err))
        return false;
    r->precheck = found ? precheck : NULL;
    r->counts.facts_before = precheck->facts;
    return true;
}

static bool answer(struct call *call, struct reply *reply, size_t format, const struct report *r,
                   struct err *err) {
    struct buf text = BUF_INIT(JOB_REPORT_TEXT_MAX);
    json_t *report = report_view(r);
    bool ok;

    if (format == 0) {
        reply_json(reply, 200, report);
        return true;
    }
    ok = job_report_text(report, format == 2, &text, err);
    if (ok)
        reply_constant(reply, 200, formats[format].content_type,
                       arena_str(call->arena, buf_str(&text)));
    buf_done(&text);
    json_decref(report);
    return ok;
}

bool job_report_get(struct call *call, struct reply *reply, struct err *err) {
    struct store_precheck precheck = {0}, reading = {0};
    struct store_job job = STORE_JOB_INIT;
    struct series_bucket *buckets = NULL;
    json_t *steps = NULL, *events = json_array(), *commands = NULL;
    struct report r = {0};
    bool refresh = false, ok;
    size_t format;

    ok = read_format(call, &format, err) && call_query_flag(call, "refresh", &refresh, err) &&
         call_job(call, &job, err) &&
         job_readings_take(call, &job, "counts", refresh ? 1 : READING_AGE_SECONDS,
                           READING_WAIT_SECONDS, &reading, &r.counts, err) &&
         store_job_steps(call->store, job.id, &steps, err) &&
         read_events(call, job.id, events, err) &&
         store_command_count_list(call->store, job.id, &commands, err) &&
         read_precheck(call, &r, &precheck, err) && read_series(call, &r, &buckets, err);
    if (ok) {
        r.steps = steps;
        r.events = events;
        r.by_command = commands;
        r.buckets = buckets;
        ok = answer(call, reply, format, &r, err);
    }
    free(buckets);
    json_decref(steps);
    json_decref(events);
    json_decref(commands);
    store_precheck_done(&precheck);
    store_precheck_done(&reading);
    store_job_done(&job);
    return ok;
}
