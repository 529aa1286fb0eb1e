/* Actions on a job: each is one move of the state machine. */
#include <string.h>

#include "services/job/job_class.h"
#include "services/job/job_edit.h"
#include "services/job/job_edit_class.h"
#include "sql/store_account.h"
#include "sql/store_txn.h"
#include "web-api/app.h"
#include "web-api/call.h"
#include "web-api/handlers/handlers.h"
#include "web-api/json_read.h"

/* Answer an action: 202 with the job as it is now, and how it ends if asked to wait. */
static bool accepted(struct call *call, struct reply *reply, const char *id, struct err *err) {
    call->wait_for = WAIT_FOR_JOB;
    memcpy(call->wait_id, id, strlen(id) + 1);
    return call_reply_job(call, reply, 202, id, err);
}

/* The job and the move that the caller's conditions allow. */
static bool begin(struct call *call, struct store_job *job, struct job_move *move,
                  struct err *err) {
    *move = call_move(call);
    if (!json_read_end(call->fields, err) || !call_job(call, job, err))
        return false;
    if (call_if_match(call, job->version, &move->expected_version, err))
        return true;
    store_job_done(job);
    return false;
}

static bool do_move(struct call *call, struct reply *reply, enum job_event event,
                    const json_t *wanted, const char *detail, struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    struct job_move move;
    bool ok;

    if (!begin(call, &job, &move, err))
        return false;
    move.wanted = wanted;
    move.detail = detail;
    ok = (event != JOB_EV_RESUME || call_may_go_on(call, &job, err)) &&
         job_control_move(call->store, job.id, event, &move, NULL, err) &&
         accepted(call, reply, job.id, err);
    store_job_done(&job);
    return ok;
}

bool job_moves_pause(struct call *call, struct reply *reply, struct err *err) {
    const char *reason = NULL;

    json_read_known(call->body, &call->fields, "reason");
    json_read_text(call->body, &call->fields, "reason", 1, 500, &reason);
    return do_move(call, reply, JOB_EV_PAUSE, NULL, reason, err);
}

bool job_moves_resume(struct call *call, struct reply *reply, struct err *err) {
    const char *choice = "fail";
    json_t *wanted;
    bool ok;

    json_read_known(call->body, &call->fields, "on_full_resync_needed");
    json_read_choice(call->body, &call->fields, "on_full_resync_needed",
                     "fail|overwrite|flush_destination", &choice);
    wanted = json_pack("{s:s}", "on_full_resync_needed", choice);
    ok = do_move(call, reply, JOB_EV_RESUME, wanted, NULL, err);
    json_decref(wanted);
    return ok;
}

bool job_moves_stop(struct call *call, struct reply *reply, struct err *err) {
    bool drain = true, ok;
    json_t *wanted;

    json_read_known(call->body, &call->fields, "drain");
    json_read_bool(call->body, &call->fields, "drain", &drain);
    wanted = json_pack("{s:b}", "drain", drain);
    ok = do_move(call, reply, JOB_EV_STOP, wanted, drain ? NULL : "without draining", err);
    json_decref(wanted);
    return ok;
}

/* One of the classes, by its one name. */
static bool read_class(struct call *call, const char **instance_class, struct err *err) {
    json_read_choice(call->body, &call->fields, "instance_class", job_class_choices,
                     instance_class);
    *instance_class = job_class_name(*instance_class);
    return json_read_end(call->fields, err);
}

bool job_moves_acknowledged(struct call *call, const char **ret_detail) {
    bool said = json_object_get(call->body, "acknowledge_limits") != NULL, value = true;

    *ret_detail = NULL;
    json_read_bool(call->body, &call->fields, "acknowledge_limits", &value);
    if (!value)
        json_read_wrong(&call->fields, "/acknowledge_limits", "invalid",
                        "must be true: GET /v1/capabilities tells the limits");
    else if (!said && strcmp(app_config(call->app)->acknowledge_limits, "required") == 0)
        json_read_wrong(&call->fields, "/acknowledge_limits", "required",
                        "is missing: GET /v1/capabilities tells the limits, and a start here needs "
                        "that they were seen");
    else if (said)
        *ret_detail = "the limits were acknowledged";
    return !call->fields;
}

struct start {
    struct call *call;
    const struct store_job *job;
    const struct job_move *move;
    const char *instance_class;
    const char *resource_group; /* NULL = leave */
    bool ignore_warnings;
};

static bool confirm_warnings(struct store *store, const struct start *s, struct err *err) {
    struct store_precheck latest = {0};
    struct err why = ERR_INIT;
    bool ok = true;

    /* Without a precheck there is nothing to confirm: the start says what is missing. */
    if (!store_precheck_latest(store, s->call->caller.account, s->job->id, &latest, &why)) {
        if (why.code != ERR_NOT_FOUND)
            *err = why;
        return why.code == ERR_NOT_FOUND;
    }
    if (strcmp(latest.state, "failed") == 0)
        ok = job_control_precheck_ignore(store, s->call->caller.account, latest.id, NULL,
                                         "ignore_warnings=true", s->call->caller.actor, err);
    store_precheck_done(&latest);
    return ok;
}

/* The class that was asked for, else the one that was chosen before, else what the specification
 * wishes. */
static const char *class_of(const struct start *s) {
    const char *wished = json_string_value(json_object_get(s->job->spec, "instance_class"));

    if (s->instance_class)
        return s->instance_class;
    if (s->job->instance_class[0])
        return s->job->instance_class;
    return wished ? job_class_name(wished) : "unlimited";
}

static bool start_body(struct store *store, void *arg, struct err *err) {
    const struct start *s = arg;

    return (!s->ignore_warnings || confirm_warnings(store, s, err)) &&
           store_account_room(store, s->call->caller.account, "running_jobs", err) &&
           job_control_start(store, s->job->id, s->move, class_of(s), err);
}

bool job_moves_start(struct call *call, struct reply *reply, struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    struct job_move move;
    struct start s = {.call = call, .job = &job, .move = &move};
    const char *seen;
    bool ok;

    json_read_known(call->body, &call->fields, "instance_class acknowledge_limits");
    (void)job_moves_acknowledged(call, &seen);
    if (!call_query_flag(call, "ignore_warnings", &s.ignore_warnings, err) ||
        !read_class(call, &s.instance_class, err) || !begin(call, &job, &move, err))
        return false;
    move.detail = seen;
    /* Confirming moves the job, so its version; the condition was held above. */
    if (s.ignore_warnings)
        move.expected_version = 0;
    ok = store_txn(call->store, start_body, &s, err) && accepted(call, reply, job.id, err);
    store_job_done(&job);
    return ok;
}

static bool set_group(struct store *store, const struct start *s, struct err *err) {
    json_t *patch = json_pack("{s:s}", "resource_group", s->resource_group);
    bool ok = job_edit_patch(store, app_keyring(s->call->app), s->job->id, s->move, patch,
                             &s->call->fields, err);

    json_decref(patch);
    return ok;
}

static bool purchase_body(struct store *store, void *arg, struct err *err) {
    const struct start *s = arg;
    struct job_move move = *s->move;

    if ((s->ignore_warnings && !confirm_warnings(store, s, err)) ||
        (s->resource_group && !set_group(store, s, err)))
        return false;
    /* What was done above is a newer version, and ours. */
    if (s->ignore_warnings || s->resource_group)
        move.expected_version = 0;
    return job_edit_class_purchase(store, s->job->id, &move, class_of(s), err);
}

static bool purchase_and_start_body(struct store *store, void *arg, struct err *err) {
    struct start *s = arg;
    struct job_move move = *s->move;

    move.expected_version = 0;
    return purchase_body(store, arg, err) &&
           store_account_room(store, s->call->caller.account, "running_jobs", err) &&
           job_control_start(store, s->job->id, &move, class_of(s), err);
}

bool job_moves_resize(struct call *call, struct reply *reply, struct err *err) {
    const char *instance_class = NULL;
    struct store_job job = STORE_JOB_INIT;
    struct job_move move;
    bool ok;

    json_read_known(call->body, &call->fields, "instance_class");
    if (!json_object_get(call->body, "instance_class"))
        json_read_wrong(&call->fields, "/instance_class", "required", "is missing");
    if (!read_class(call, &instance_class, err) || !begin(call, &job, &move, err))
        return false;
    ok = job_edit_class_resize(call->store, job.id, &move, instance_class, err) &&
         call_reply_job(call, reply, 200, job.id, err);
    store_job_done(&job);
    return ok;
}

bool job_moves_purchase(struct call *call, struct reply *reply, struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    struct job_move move;
    struct start s = {.call = call, .job = &job, .move = &move};
    bool auto_start = false, ok;
    const char *seen = NULL;

    json_read_known(call->body, &call->fields,
                    "instance_class resource_group auto_start acknowledge_limits");
    json_read_text(call->body, &call->fields, "resource_group", 1, 64, &s.resource_group);
    json_read_bool(call->body, &call->fields, "auto_start", &auto_start);
    if (auto_start)
        (void)job_moves_acknowledged(call, &seen);
    else if (json_object_get(call->body, "acknowledge_limits"))
        json_read_wrong(&call->fields, "/acknowledge_limits", "invalid",
                        "belongs to a start: auto_start");
    if (!json_object_get(call->body, "instance_class"))
        json_read_wrong(&call->fields, "/instance_class", "required", "is missing");
    if (!call_query_flag(call, "ignore_warnings", &s.ignore_warnings, err) ||
        !read_class(call, &s.instance_class, err) || !begin(call, &job, &move, err))
        return false;
    move.detail = seen;
    ok = store_txn(call->store, auto_start ? purchase_and_start_body : purchase_body, &s, err);
    if (ok && auto_start)
        ok = accepted(call, reply, job.id, err);
    else if (ok)
        ok = call_reply_job(call, reply, 202, job.id, err);
    store_job_done(&job);
    return ok;
}
