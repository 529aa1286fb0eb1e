/* Numbers of a job over time. */
#include <stdlib.h>
#include <string.h>

#include "services/common/clock.h"
#include "sql/store_rejected.h"
#include "sql/store_series.h"
#include "web-api/call.h"
#include "web-api/handlers/handlers.h"
#include "web-api/json_time.h"

enum { WINDOW_S = 3600, WINDOW_MAX_S = 31 * 86400, POINTS_MAX = 3600, STEP_MAX_S = 3600 };

struct chart {
    int64_t from_s, to_s;
    int step;    /* of the points that are shown */
    int kept_at; /* which of series_steps they are made of */
    bool wanted[SERIES_COUNT];
};

/* A time, or Unix seconds. */
static bool read_time(const struct call *call, const char *name, int64_t *value, struct err *err) {
    struct str text;
    json_t *json;
    int64_t ms;
    bool ok;

    if (!request_query(call->request, name, &text) || str_parse_i64(text, value))
        return true;
    json = json_stringn(text.ptr, text.len);
    ok = json_time_parse(json, &ms);
    json_decref(json);
    if (ok)
        *value = ms / 1000;
    return ok || err_set(err, ERR_VALIDATION,
                         "%s: must be a time like 2026-11-20T09:54:00.000Z or Unix seconds", name);
}

static bool read_names(const struct call *call, struct chart *c, struct err *err) {
    struct str text, word;

    for (int n = 0; n < SERIES_COUNT; n++)
        c->wanted[n] = !request_query(call->request, "names", &text);
    if (c->wanted[0])
        return true;
    (void)request_query(call->request, "names", &text);
    while (str_cut(&text, ',', &word)) {
        enum series_name name;

        if (!series_name_parse(arena_dup(call->arena, word), &name))
            return err_set(err, ERR_VALIDATION, "names: " STR_FMT " is none of them",
                           STR_ARG(word));
        c->wanted[name] = true;
    }
    return true;
}

/* The finest step that is kept for so long and does not make too many points. */
static void choose_step(struct chart *c, int asked, int64_t now_s) {
    int64_t span_s = c->to_s - c->from_s, age_s = now_s - c->from_s;

    c->kept_at = 0;
    while (c->kept_at < SERIES_STEPS - 1 &&
           (age_s > series_kept_seconds[c->kept_at] ||
            (asked == 0 && span_s / series_steps[c->kept_at] > POINTS_MAX) ||
            (asked >= series_steps[c->kept_at + 1])))
        c->kept_at++;
    c->step = asked > series_steps[c->kept_at] ? asked : series_steps[c->kept_at];
    while (span_s / c->step > POINTS_MAX)
        c->step *= 2;
}

static bool read_chart(const struct call *call, struct chart *c, struct err *err) {
    int64_t now_s = clock_wall_ms() / 1000;
    uint64_t seconds = WINDOW_S, step = 0;
    struct str text;

    *c = (struct chart){.to_s = now_s + 1};
    if (request_query(call->request, "seconds", &text) &&
        (!str_parse_u64(text, &seconds) || seconds < 1 || seconds > WINDOW_MAX_S))
        return err_set(err, ERR_VALIDATION, "seconds: must be 1 to %d", WINDOW_MAX_S);
    if (request_query(call->request, "step", &text) &&
        (!str_parse_u64(text, &step) || step < 1 || step > STEP_MAX_S))
        return err_set(err, ERR_VALIDATION, "step: must be 1 to %d seconds", STEP_MAX_S);
    if (!read_time(call, "to", &c->to_s, err))
        return false;
    c->from_s = c->to_s - (int64_t)seconds;
    if (!read_time(call, "from", &c->from_s, err) || !read_names(call, c, err))
        return false;
    if (c->from_s < 0 || c->to_s > now_s + WINDOW_MAX_S)
        return err_set(err, ERR_VALIDATION,
                       "from: must lie, as to, between 1970 and a month to come");
    if (c->from_s >= c->to_s || c->to_s - c->from_s > WINDOW_MAX_S + 1)
        return err_set(err, ERR_VALIDATION, "from: must lie before to, by at most 31 days");
    choose_step(c, (int)step, now_s);
    return true;
}

/* "at_s" becomes "at". */
static void name_times(json_t *points) {
    json_t *point;
    size_t i;

    json_array_foreach(points, i, point) {
        int64_t at_s = json_integer_value(json_object_get(point, "at_s"));

        json_object_del(point, "at_s");
        json_object_set_new(point, "at", json_time(at_s * 1000));
    }
}

bool job_charts_metrics(struct call *call, struct reply *reply, struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    struct series_bucket *buckets = NULL;
    json_t *commands = NULL, *points;
    struct chart c;
    size_t count;
    bool ok = read_chart(call, &c, err) && call_job(call, &job, err) &&
              store_series_get(call->store, job.id, series_steps[c.kept_at], c.from_s, c.to_s,
                               &buckets, &count, err) &&
              store_command_count_list(call->store, job.id, &commands, err);

    if (ok) {
        points = json_array();
        series_fold_points(buckets, count, series_steps[c.kept_at], c.step, c.from_s, c.to_s,
                           c.wanted, points);
        name_times(points);
        reply_json(reply, 200,
                   json_pack("{s:o, s:o, s:i, s:o, s:o, s:n}", "from", json_time(c.from_s * 1000),
                             "to", json_time(c.to_s * 1000), "step_seconds", c.step, "items",
                             points, "by_command", commands, "next_cursor"));
    }
    free(buckets);
    store_job_done(&job);
    return ok;
}
