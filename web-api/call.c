#include "web-api/call.h"

#include "services/common/clock.h"
#include "services/common/ulid.h"
#include "services/job/job_reference.h"
#include "web-api/etag.h"
#include "web-api/job_view.h"
#include "web-api/json_text.h"
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

void call_found(struct call *call, json_t *before_taken) {
    if (call->before)
        json_decref(before_taken);
    else
        call->before = before_taken;
}

void call_left(struct call *call, json_t *after_taken) {
    json_decref(call->after);
    call->after = after_taken;
}

/* What of a job a person can change. */
static json_t *job_for_audit(const struct store_job *job) {
    return json_pack("{s:s, s:s, s:s, s:O}", "name", job->name, "state", job->state,
                     "instance_class", job->instance_class, "spec", job->spec);
}

bool call_job(struct call *call, struct store_job *ret_job, struct err *err) {
    const char *id = NULL;

    if (!call_id(call, 0, "job", &id, err) ||
        !store_job_get(call->store, call->caller.account, id, ret_job, err))
        return false;
    call_found(call, job_for_audit(ret_job));
    return true;
}

bool call_may_go_on(struct call *call, const struct store_job *job, struct err *err) {
    return job_reference_check(call->store, job->account, job->spec, err) &&
           job_control_may_write(call->store, job, err);
}

bool call_row(json_t *list_taken, const char *what, json_t **ret_row, int64_t *ret_version,
              struct err *err) {
    json_t *row = json_incref(json_array_get(list_taken, 0));

    json_decref(list_taken);
    if (!row)
        return err_set(err, ERR_NOT_FOUND, "there is no such %s", what);
    *ret_version = json_integer_value(json_object_get(row, "version"));
    json_object_del(row, "version");
    *ret_row = row;
    return true;
}

bool call_change(struct call *call, const char *prefix, call_find *find, const char **ret_id,
                 json_t **ret_row, int64_t *ret_version, struct err *err) {
    int64_t expected;

    if (!call_id(call, 0, prefix, ret_id, err) || !find(call, *ret_id, ret_row, ret_version, err))
        return false;
    call_found(call, json_deep_copy(*ret_row));
    if (call_if_match(call, *ret_version, &expected, err))
        return true;
    json_decref(*ret_row);
    return false;
}

bool call_operator(const struct call *call, const char *what, struct err *err) {
    return call->caller.is_operator ||
           err_set(err, ERR_FORBIDDEN, "only the operator's account %s", what);
}

bool call_was_written(const char *id, bool written, struct err *err) {
    return written || err_set(err, ERR_STORE_CONFLICT, "%s was changed by somebody else", id);
}

void call_reply_row(struct reply *reply, int status, json_t *row_taken, int64_t version) {
    json_object_del(row_taken, "version");
    etag_add(row_taken, version);
    call_reply_tagged(reply, status, row_taken);
}

static const char *id_of(const json_t *item) {
    return json_string_value(json_object_get(item, "id"));
}

void call_reply_rows(struct reply *reply, const struct page *page, json_t *rows_taken) {
    json_t *row;
    size_t i;

    json_array_foreach(rows_taken, i, row) {
        int64_t version = json_integer_value(json_object_get(row, "version"));

        if (json_object_del(row, "version") == 0)
            etag_add(row, version);
    }
    reply_json(reply, 200, page_json(page, rows_taken, id_of));
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

void call_reply_view(struct reply *reply, int status, const struct store_job *job) {
    struct buf text = BUF_INIT(JSON_TEXT_MAX);
    char tag[ETAG_SIZE];

    job_view_write(&text, job, clock_wall_ms(), tag);
    reply_header(reply, "ETag", tag);
    reply_json_text(reply, status, &text);
}

bool call_reply_job(struct call *call, struct reply *reply, int status, const char *id,
                    struct err *err) {
    struct store_job job = STORE_JOB_INIT;

    if (!store_job_get(call->store, call->caller.account, id, &job, err))
        return false;
    call_left(call, job_for_audit(&job));
    call_reply_view(reply, status, &job);
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
