/* Runs of the precheck, of a job or of a specification that is not saved. */
#include <string.h>

#include "services/job/job_reference.h"
#include "services/job/job_spec.h"
#include "web-api/app.h"
#include "web-api/call.h"
#include "web-api/handlers/handlers.h"
#include "web-api/json_read.h"
#include "web-api/page.h"
#include "web-api/precheck_view.h"

static bool accepted(struct call *call, struct reply *reply, const char *path, const char *id,
                     struct err *err) {
    call->wait_for = WAIT_FOR_PRECHECK;
    memcpy(call->wait_id, id, strlen(id) + 1);
    if (!call_reply_precheck(call, reply, 202, id, err))
        return false;
    reply_header(reply, "Location", arena_printf(call->arena, "%s/%s", path, id));
    return true;
}

/* `probe` in the body, ?ignore_warnings= in the address. */
static bool read_options(struct call *call, struct store_precheck_options *options,
                         struct err *err) {
    const char *probe = "full";

    json_read_choice(call->body, &call->fields, "probe", "full|read_only", &probe);
    options->read_only = strcmp(probe, "read_only") == 0;
    return call_query_flag(call, "ignore_warnings", &options->ignore_warnings, err);
}

bool prechecks_run(struct call *call, struct reply *reply, struct err *err) {
    struct store_precheck_options options = {0};
    struct store_job job = STORE_JOB_INIT;
    struct job_move move = call_move(call);
    char id[STORE_ID_SIZE];
    bool ok;

    json_read_known(call->body, &call->fields, "probe only_failed");
    json_read_bool(call->body, &call->fields, "only_failed", &options.only_failed);
    if (!read_options(call, &options, err) || !json_read_end(call->fields, err) ||
        !call_job(call, &job, err))
        return false;
    ok = call_if_match(call, job.version, &move.expected_version, err) &&
         job_control_precheck(call->store, app_keyring(call->app), job.id, &move, &options, id,
                              err) &&
         accepted(call, reply, arena_printf(call->arena, "/v1/jobs/%s/prechecks", job.id), id, err);
    store_job_done(&job);
    return ok;
}

bool prechecks_run_alone(struct call *call, struct reply *reply, struct err *err) {
    struct store_precheck_options options = {0};
    struct job_spec spec = {0};
    char id[STORE_ID_SIZE];
    json_t *body;
    bool ok;

    /* The body is a job's, and `probe` beside it. */
    if (!read_options(call, &options, err) || !json_read_end(call->fields, err))
        return false;
    body = json_copy(call->body);
    json_object_del(body, "probe");
    ok = job_reference_read(call->store, call->caller.account, body, &spec, &call->fields, err);
    json_decref(body);
    if (ok && !job_spec_is_complete(&spec)) {
        const json_t *pointer;
        size_t i;

        json_array_foreach(spec.missing, i, pointer) json_read_wrong(
            &call->fields, json_string_value(pointer), "required", "a precheck needs both ends");
        ok = json_read_end(call->fields, err);
    }
    ok = ok &&
         job_control_precheck_alone(call->store, app_keyring(call->app), call->caller.account,
                                    call->caller.actor, &spec, &options, id, err) &&
         accepted(call, reply, "/v1/prechecks", id, err);
    job_spec_done(&spec);
    return ok;
}

static const char *precheck_key(const json_t *item) {
    return json_string_value(json_object_get(item, "id"));
}

bool prechecks_list(struct call *call, struct reply *reply, struct err *err) {
    struct store_precheck *list = NULL;
    struct store_job job = STORE_JOB_INIT;
    struct page page;
    size_t count = 0;
    json_t *items;
    bool ok;

    if (!page_parse(call->request, "prechecks", &page, err) || !call_job(call, &job, err))
        return false;
    ok = store_precheck_list(call->store, call->caller.account, job.id,
                             page.after[0] ? page.after : NULL, page.limit + 1, &list, &count, err);
    store_job_done(&job);
    if (!ok)
        return false;
    items = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(items, precheck_view(&list[i]));
    store_precheck_list_done(list, count);
    reply_json(reply, 200, page_json(&page, items, precheck_key));
    return true;
}

/* The precheck of the second {…} segment, which must be the first one's job's. */
static bool of_job(struct call *call, struct store_precheck *ret, struct err *err) {
    const char *job, *id;

    if (!call_id(call, 0, "job", &job, err) || !call_id(call, 1, "pck", &id, err) ||
        !store_precheck_get(call->store, call->caller.account, id, ret, err))
        return false;
    if (strcmp(ret->job, job) == 0)
        return true;
    store_precheck_done(ret);
    return err_set(err, ERR_NOT_FOUND, "this job has no such precheck");
}

bool prechecks_latest(struct call *call, struct reply *reply, struct err *err) {
    struct store_precheck latest = {0};
    const char *job;

    if (!call_id(call, 0, "job", &job, err) ||
        !store_precheck_latest(call->store, call->caller.account, job, &latest, err))
        return false;
    call_reply_tagged(reply, 200, precheck_view(&latest));
    store_precheck_done(&latest);
    return true;
}

bool prechecks_get(struct call *call, struct reply *reply, struct err *err) {
    struct store_precheck precheck = {0};

    if (!of_job(call, &precheck, err))
        return false;
    call_reply_tagged(reply, 200, precheck_view(&precheck));
    store_precheck_done(&precheck);
    return true;
}

bool prechecks_get_alone(struct call *call, struct reply *reply, struct err *err) {
    const char *id;

    return call_id(call, 0, "pck", &id, err) && call_reply_precheck(call, reply, 200, id, err);
}

bool prechecks_item(struct call *call, struct reply *reply, struct err *err) {
    struct store_precheck precheck = {0};
    json_t *item, *found = NULL;
    size_t i;

    if (!of_job(call, &precheck, err))
        return false;
    json_array_foreach(precheck.items, i, item) {
        const char *id = json_string_value(json_object_get(item, "id"));

        if (id && str_equal(str_from(id), call->param[2]))
            found = json_incref(item);
    }
    store_precheck_done(&precheck);
    if (!found)
        return err_set(err, ERR_NOT_FOUND, "this run has no such item");
    reply_json(reply, 200, found);
    return true;
}

bool prechecks_ignore(struct call *call, struct reply *reply, struct err *err) {
    struct store_precheck precheck = {0};
    const char *reason = NULL;
    int64_t expected;
    bool ok;

    json_read_known(call->body, &call->fields, "reason");
    json_read_text(call->body, &call->fields, "reason", 5, 500, &reason);
    if (!reason && !call->fields)
        json_read_wrong(&call->fields, "/reason", "required",
                        "say in 5 to 500 bytes why this is acceptable");
    if (!json_read_end(call->fields, err) || !of_job(call, &precheck, err))
        return false;
    ok = call_if_match(call, precheck.version, &expected, err) &&
         job_control_precheck_ignore(call->store, call->caller.account, precheck.id,
                                     arena_dup(call->arena, call->param[2]), reason,
                                     call->caller.actor, err) &&
         call_reply_precheck(call, reply, 200, precheck.id, err);
    store_precheck_done(&precheck);
    return ok;
}

bool prechecks_cancel(struct call *call, struct reply *reply, struct err *err) {
    struct store_precheck precheck = {0};
    int64_t expected;
    bool ok;

    json_read_known(call->body, &call->fields, "");
    if (!json_read_end(call->fields, err) || !of_job(call, &precheck, err))
        return false;
    ok = call_if_match(call, precheck.version, &expected, err) &&
         job_control_precheck_cancel(call->store, call->caller.account, precheck.id,
                                     call->caller.actor, err) &&
         call_reply_precheck(call, reply, 202, precheck.id, err);
    store_precheck_done(&precheck);
    return ok;
}

bool prechecks_cancel_alone(struct call *call, struct reply *reply, struct err *err) {
    struct store_precheck precheck = {0};
    const char *id;
    int64_t expected;
    bool ok;

    json_read_known(call->body, &call->fields, "");
    if (!json_read_end(call->fields, err) || !call_id(call, 0, "pck", &id, err) ||
        !store_precheck_get(call->store, call->caller.account, id, &precheck, err))
        return false;
    ok = call_if_match(call, precheck.version, &expected, err) &&
         job_control_precheck_cancel(call->store, call->caller.account, id, call->caller.actor,
                                     err) &&
         call_reply_precheck(call, reply, 202, id, err);
    store_precheck_done(&precheck);
    return ok;
}
