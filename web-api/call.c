#include "web-api/call.h"

#include "services/common/clock.h"
#include "services/common/ulid.h"
#include "web-api/etag.h"
#include "web-api/job_view.h"
#include "web-api/precheck_view.h"

bool call_id(struct call *call, int at, const char *prefix, const char **ret_id, struct err *err) {
    if (!ulid_is(call->param[at], prefix))
        return err_set(err, ERR_NOT_FOUND, "no such %s id", prefix);
    *ret_id = arena_dup(call->arena, call->param[at]);
    return true;
}

bool call_query_flag(struct call *call, const char *name, bool *value, struct err *err) {
    struct str text;

    if (!request_query(call->request, name, &text))
        return true;
    if (!str_equal(text, STR_LIT("true")) && !str_equal(text, STR_LIT("false")))
        return err_set(err, ERR_VALIDATION, "%s: must be true or false", name);
    *value = text.len == 4;
    return true;
}

bool call_job(struct call *call, struct store_job *ret_job, struct err *err) {
    const char *id = NULL;

    return call_id(call, 0, "job", &id, err) &&
           store_job_get(call->store, call->caller.account, id, ret_job, err);
}

bool call_if_match(struct call *call, int64_t version, int64_t *ret_expected, struct err *err) {
    struct str header = request_header(call->request, "If-Match");

    *ret_expected = 0;
    if (header.len == 0)
        return true;
    if (etag_names_version(header, version)) {
        *ret_expected = version;
        return true;
    }
    return err_set(err, ERR_ETAG_MISMATCH, "it is at version %lld now", (long long)version);
}

struct job_move call_move(const struct call *call) {
    return (struct job_move){.account = call->caller.account, .actor = call->caller.actor};
}

void call_reply_tagged(struct reply *reply, int status, json_t *body_taken) {
    const char *tag = json_string_value(json_object_get(body_taken, "etag"));

    if (tag)
        reply_header(reply, "ETag", tag);
    reply_json(reply, status, body_taken);
}

bool call_reply_job(struct call *call, struct reply *reply, int status, const char *id,
                    struct err *err) {
    struct store_job job = STORE_JOB_INIT;

    if (!store_job_get(call->store, call->caller.account, id, &job, err))
        return false;
    call_reply_tagged(reply, status, job_view(&job, clock_wall_ms()));
    store_job_done(&job);
    return true;
}

bool call_reply_precheck(struct call *call, struct reply *reply, int status, const char *id,
                         struct err *err) {
    struct store_precheck precheck = {0};

    if (!store_precheck_get(call->store, call->caller.account, id, &precheck, err))
        return false;
    call_reply_tagged(reply, status, precheck_view(&precheck));
    store_precheck_done(&precheck);
    return true;
}
