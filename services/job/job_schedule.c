#include "services/job/job_schedule.h"

#include <string.h>

#include "services/common/clock.h"
#include "services/job/job_control.h"

enum { DUE_AT_ONCE = 20 };

void job_schedule_read(const json_t *given, json_t *migration, struct spec_report *report) {
    char text[CLOCK_RFC3339_SIZE];
    int64_t ms;

    json_object_set_new(migration, "start_at", json_null());
    if (!given || json_is_null(given))
        return;
    if (!json_is_string(given) || !clock_parse_rfc3339(json_string_value(given), &ms)) {
        spec_report_add(report, "/migration/start_at", "invalid",
                        "must be a time like 2026-11-20T09:54:00Z");
        return;
    }
    clock_rfc3339(ms, text);
    json_object_set_new(migration, "start_at", json_string(text));
}

int64_t job_schedule_at(const json_t *spec) {
    const char *text =
        json_string_value(json_object_get(json_object_get(spec, "migration"), "start_at"));
    int64_t ms = 0;

    return text && clock_parse_rfc3339(text, &ms) ? ms : 0;
}

bool job_schedule_check(const json_t *spec, int64_t now_ms, json_t **errors, struct err *err) {
    int64_t at = job_schedule_at(spec);

    if (at <= now_ms + (int64_t)JOB_SCHEDULE_DAYS_MAX * 86400000)
        return true;
    if (!*errors)
        *errors = json_array();
    json_array_append_new(*errors,
                          json_pack("{s:s, s:s, s:s}", "pointer", "/migration/start_at", "code",
                                    "range", "detail", "may lie at most 30 days ahead"));
    return err_set(err, ERR_VALIDATION, "/migration/start_at: may lie at most 30 days ahead");
}

/* False when the database failed; a job that somebody moved meanwhile is passed over. */
static bool start_one(struct store *store, const char *id, int *count, struct err *err) {
    static const struct job_move move = {.detail = "at the time that was set"};
    struct store_job job = STORE_JOB_INIT;
    struct err why = ERR_INIT;
    bool ok = store_job_get(store, NULL, id, &job, &why) &&
              job_control_may_write(store, &job, &why) &&
              job_control_move(store, id, JOB_EV_DUE, &move, NULL, &why);

    store_job_done(&job);
    *count += ok;
    if (ok || why.code != ERR_STORE)
        return true;
    *err = why;
    return false;
}

bool job_schedule_start_due(struct store *store, int *ret_count, struct err *err) {
    json_t *due = NULL, *id;
    bool ok = store_job_due(store, DUE_AT_ONCE, &due, err);
    size_t i;

    *ret_count = 0;
    json_array_foreach(due, i, id) ok =
        ok && start_one(store, json_string_value(id), ret_count, err);
    json_decref(due);
    return ok;
}
