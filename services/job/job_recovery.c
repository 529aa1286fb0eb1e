#include "services/job/job_recovery.h"

#include "services/job/job_control.h"
#include "services/job/job_reference.h"

enum { DUE_AT_ONCE = 20 };

/* False when the database failed; a job that somebody moved meanwhile, or that may not go on now,
 * is passed over. */
static bool resume_one(struct store *store, const char *id, int *count, struct err *err) {
    struct job_move move = {.detail = "by itself (auto_recovery)"};
    struct store_job job = STORE_JOB_INIT;
    struct err why = ERR_INIT;
    /* As a person's resume with an empty body: what was chosen another time counts no more. */
    json_t *wanted = json_pack("{s:s, s:b}", "on_full_resync_needed", "fail", "drain", 1);
    bool ok;

    move.retry_state = json_null();
    move.wanted = wanted;
    ok = store_job_get(store, NULL, id, &job, &why) &&
         job_reference_check(store, job.account, job.spec, &why) &&
         job_control_may_write(store, &job, &why) &&
         job_control_move(store, id, JOB_EV_RESUME, &move, NULL, &why);
    store_job_done(&job);
    json_decref(wanted);
    *count += ok;
    if (ok || why.code != ERR_STORE)
        return true;
    *err = why;
    return false;
}

bool job_recovery_run(struct store *store, int pause_seconds, int *ret_count, struct err *err) {
    json_t *due = NULL, *id;
    bool ok = store_job_recovery(store, pause_seconds, DUE_AT_ONCE, &due, err);
    size_t i;

    *ret_count = 0;
    json_array_foreach(due, i, id) ok =
        ok && resume_one(store, json_string_value(id), ret_count, err);
    json_decref(due);
    return ok;
}
