/* Changes of a job that exists: its specification and its limits. */
#include "services/job/job_edit.h"

#include "web-api/app.h"
#include "web-api/call.h"
#include "web-api/etag.h"
#include "web-api/handlers/handlers.h"

/* Patch the job of the address under the caller's condition; ret_job is as it was. */
static bool patch_job(struct call *call, const json_t *patch, struct store_job *ret_job,
                      struct err *err) {
    struct job_move move = call_move(call);

    return call_job(call, ret_job, err) &&
           call_if_match(call, ret_job->version, &move.expected_version, err) &&
           job_edit_patch(call->store, app_keyring(call->app), ret_job->id, &move, patch,
                          &call->fields, err);
}

bool job_edits_patch(struct call *call, struct reply *reply, struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    bool dry_run = false, ok;

    if (!call_query_flag(call, "dry_run", &dry_run, err))
        return false;
    if (dry_run)
        return err_set(err, ERR_NOT_SUPPORTED_YET, "trying changed ends is not built yet");
    ok = patch_job(call, call->body, &job, err) && call_reply_job(call, reply, 200, job.id, err);
    store_job_done(&job);
    return ok;
}

/* ---- throttle ---- */

static json_t *effective(const json_t *throttle, const char *phase) {
    static const char *const limits[] = {"source_qps", "rps", "bytes_per_second"};
    const json_t *configured = json_object_get(throttle, phase);
    bool on = json_is_true(json_object_get(configured, "enabled"));
    json_t *view = json_object();

    for (size_t i = 0; i < LENGTH_OF(limits); i++) {
        json_t *limit = json_object_get(configured, limits[i]);

        if (limit)
            json_object_set(view, limits[i], on ? limit : json_null());
    }
    return view;
}

static bool reply_throttle(struct call *call, struct reply *reply, const char *id,
                           struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    const json_t *throttle;
    json_t *view;

    if (!store_job_get(call->store, call->caller.account, id, &job, err))
        return false;
    throttle = json_object_get(job.spec, "throttle");
    view = json_pack("{s:O?, s:{s:o, s:o}, s:{s:I, s:I, s:I}}", "configured", throttle, "effective",
                     "full", effective(throttle, "full"), "incremental",
                     effective(throttle, "incremental"), "measured", "keys_per_second",
                     (json_int_t)job.progress.keys_per_second, "commands_per_second",
                     (json_int_t)job.progress.commands_per_second, "bytes_per_second",
                     (json_int_t)job.progress.bytes_per_second);
    etag_add(view, job.version);
    store_job_done(&job);
    call_reply_tagged(reply, 200, view);
    return true;
}

bool job_edits_throttle_get(struct call *call, struct reply *reply, struct err *err) {
    const char *id;

    return call_id(call, 0, "job", &id, err) && reply_throttle(call, reply, id, err);
}

/* A PUT says the whole: what it leaves out goes back to its default, which a merge
 * patch says with null. */
static json_t *whole_throttle(const json_t *body) {
    json_t *patch = json_pack("{s:{s:n, s:n, s:n, s:n}, s:{s:n, s:n, s:n}, s:n, s:n}", "full",
                              "enabled", "source_qps", "rps", "bytes_per_second", "incremental",
                              "enabled", "rps", "bytes_per_second", "schedule", "adaptive");
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)body, name, value) {
        json_t *into = json_object_get(patch, name);

        if (json_is_object(into) && json_is_object(value))
            json_object_update(into, value);
        else
            json_object_set(patch, name, value);
    }
    return json_pack("{s:o}", "throttle", patch);
}

bool job_edits_throttle_put(struct call *call, struct reply *reply, struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    json_t *patch = whole_throttle(call->body);
    bool ok = patch_job(call, patch, &job, err) && reply_throttle(call, reply, job.id, err);

    json_decref(patch);
    store_job_done(&job);
    return ok;
}
