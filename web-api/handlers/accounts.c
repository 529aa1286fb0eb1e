/* Tenants. The operator's administrators make and change them; everybody else sees their own. */
#include <stdio.h>
#include <string.h>

#include "services/common/ulid.h"
#include "sql/store_account.h"
#include "sql/store_key.h"
#include "web-api/call.h"
#include "web-api/handlers/handlers.h"
#include "web-api/json_read.h"

static const char *const quota_names = "jobs running_jobs instances api_keys";

enum { QUOTA_MAX = 1000000 };

/* What a new account may have when nothing else is said. */
static json_t *default_quotas(void) {
    return json_pack("{s:i, s:i, s:i, s:i}", "jobs", 1000, "running_jobs", 100, "instances", 200,
                     "api_keys", 100);
}

static bool be_operator(const struct call *call, struct err *err) {
    return call_operator(call, "manages accounts", err);
}

/* Members of `given` over those of `base`; null takes a limit away. */
static json_t *read_quotas(struct call *call, json_t *base_taken) {
    const json_t *given = json_object_get(call->body, "quotas");
    json_t *fields = NULL, *wrong, *value;
    const char *name;
    size_t i;

    if (given && !json_is_object(given))
        json_read_wrong(&call->fields, "/quotas", "type", "must be an object");
    json_read_known(given, &fields, quota_names);
    json_object_foreach((json_t *)(uintptr_t)given, name, value) {
        int64_t limit = 0;

        json_read_int(given, &fields, name, 0, QUOTA_MAX, &limit);
        if (json_is_null(value))
            json_object_del(base_taken, name);
        else
            json_object_set_new(base_taken, name, json_integer(limit));
    }
    json_array_foreach(fields, i, wrong) {
        const char *pointer = json_string_value(json_object_get(wrong, "pointer"));

        json_read_wrong(&call->fields, arena_printf(call->arena, "/quotas%s", pointer),
                        json_string_value(json_object_get(wrong, "code")), "%s",
                        json_string_value(json_object_get(wrong, "detail")));
    }
    json_decref(fields);
    return base_taken;
}

/* One that the caller may see. */
static bool find(struct call *call, const char *id, json_t **ret_row, int64_t *ret_version,
                 struct err *err) {
    json_t *list = NULL;

    if (!call->caller.is_operator && strcmp(id, call->caller.account) != 0)
        return err_set(err, ERR_NOT_FOUND, "there is no such account");
    return store_account_list(call->store, id, NULL, 1, &list, err) &&
           call_row(list, "account", ret_row, ret_version, err);
}

static bool reply_account(struct call *call, struct reply *reply, int status, const char *id,
                          struct err *err) {
    int64_t version;
    json_t *row;

    if (!find(call, id, &row, &version, err))
        return false;
    call_left(call, json_deep_copy(row));
    call_reply_row(reply, status, row, version);
    return true;
}

bool accounts_create(struct call *call, struct reply *reply, struct err *err) {
    const char *name = NULL;
    char id[ULID_ID_SIZE];
    json_t *quotas;
    bool ok;

    json_read_known(call->body, &call->fields, "name quotas");
    json_read_text(call->body, &call->fields, "name", 1, 128, &name);
    if (!name && !call->fields)
        json_read_wrong(&call->fields, "/name", "required", "is missing");
    quotas = read_quotas(call, default_quotas());
    ulid_make("acct", id);
    ok = be_operator(call, err) && json_read_end(call->fields, err) &&
         store_account_put(call->store, id, name, quotas, err) &&
         reply_account(call, reply, 201, id, err);
    json_decref(quotas);
    if (ok)
        reply_header(reply, "Location", arena_printf(call->arena, "/v1/accounts/%s", id));
    return ok;
}

bool accounts_list(struct call *call, struct reply *reply, struct err *err) {
    const char *only = call->caller.is_operator ? NULL : call->caller.account;
    struct page page;
    json_t *rows;

    if (!page_parse(call->request, "accounts", &page, err) ||
        !store_account_list(call->store, only, page.after[0] ? page.after : NULL, page.limit + 1,
                            &rows, err))
        return false;
    call_reply_rows(reply, &page, rows);
    return true;
}

bool accounts_get(struct call *call, struct reply *reply, struct err *err) {
    const char *id;

    return call_id(call, 0, "acct", &id, err) && reply_account(call, reply, 200, id, err);
}

/* Who sees an account may still not change it. */
static bool begin_change(struct call *call, const char **ret_id, json_t **ret_row,
                         int64_t *ret_version, struct err *err) {
    if (!call_change(call, "acct", find, ret_id, ret_row, ret_version, err))
        return false;
    if (be_operator(call, err))
        return true;
    json_decref(*ret_row);
    return false;
}

static bool write_down(struct call *call, const char *id, int64_t version,
                       const struct store_account_edit *edit, struct err *err) {
    bool written = false;

    if (!store_account_change(call->store, id, version, edit, &written, err))
        return false;
    return call_was_written(id, written, err);
}

bool accounts_patch(struct call *call, struct reply *reply, struct err *err) {
    struct store_account_edit edit = {.name = NULL};
    json_t *row, *quotas;
    int64_t version;
    const char *id;
    bool ok;

    json_read_known(call->body, &call->fields, "name status quotas");
    json_read_text(call->body, &call->fields, "name", 1, 128, &edit.name);
    json_read_choice(call->body, &call->fields, "status", "active|suspended", &edit.status);
    if (!begin_change(call, &id, &row, &version, err))
        return false;
    quotas = read_quotas(call, json_deep_copy(json_object_get(row, "quotas")));
    edit.quotas = quotas;
    if (edit.status && json_is_true(json_object_get(row, "operator")) &&
        strcmp(edit.status, "active") != 0)
        json_read_wrong(&call->fields, "/status", "invalid", "the operator's account stays active");
    ok = json_read_end(call->fields, err) && write_down(call, id, version, &edit, err) &&
         reply_account(call, reply, 200, id, err);
    json_decref(quotas);
    json_decref(row);
    return ok;
}

/* Closed for good: its keys are taken back, its history stays. */
bool accounts_delete(struct call *call, struct reply *reply, struct err *err) {
    const struct store_account_edit edit = {.status = "closed"};
    int64_t version, jobs = 0, instances = 0;
    const char *id;
    json_t *row;
    bool ok;

    if (!begin_change(call, &id, &row, &version, err))
        return false;
    ok = store_account_in_use(call->store, id, &jobs, &instances, err);
    if (ok && json_is_true(json_object_get(row, "operator")))
        ok = err_set(err, ERR_IN_USE, "the operator's account cannot be closed");
    if (ok && jobs + instances > 0)
        ok = err_set(err, ERR_IN_USE, "it has %lld jobs and %lld instances; release them first",
                     (long long)jobs, (long long)instances);
    ok = ok && write_down(call, id, version, &edit, err) &&
         store_key_revoke_all(call->store, id, err) && reply_account(call, reply, 200, id, err);
    json_decref(row);
    return ok;
}
