/* Roles: by which an account lets others use its instances. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/common/ulid.h"
#include "services/job/job_reference.h"
#include "services/job/role_judge.h"
#include "sql/store_account.h"
#include "sql/store_instance.h"
#include "sql/store_role.h"
#include "web-api/call.h"
#include "web-api/handlers/handlers.h"
#include "web-api/json_read.h"
#include "web-api/json_time.h"

enum {
    TRUSTED_MAX = 50,
    INSTANCES_MAX = 200,
    PERMISSIONS_MAX = 6,
    PREFIXES_MAX = 100,
    DESTINATIONS_MAX = 100,
    SESSION_DEFAULT_S = 3600,
    SESSION_LEAST_S = 900,
    SESSION_MOST_S = 43200,
    BYTES_LEAST = 65536, /* as of a job's own limits */
};

#define RATE_MOST 1000000000000

static const char *const role_members =
    "name trusted_accounts external_id instances permissions databases prefixes destinations "
    "not_before not_after max_session_seconds max_rps max_bytes_per_second enabled";

/* A role as a request leaves it, over the one there is. */
struct draft {
    json_t *whole; /* owned; what members point into */
    struct store_role role;
    const char *trusted[TRUSTED_MAX], *instances[INSTANCES_MAX], *permissions[PERMISSIONS_MAX];
    const char *prefixes[PREFIXES_MAX], *destinations[DESTINATIONS_MAX];
    char database_text[STORE_ROLE_LIST_MAX][8];
    const char *databases[STORE_ROLE_LIST_MAX];
};

static bool is_role_name(const char *name) {
    return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
           strlen(name);
}

static void read_databases(struct call *call, struct draft *d) {
    const json_t *list = json_object_get(d->whole, "databases"), *one;
    size_t i, count = 0;

    if (!list || json_is_null(list))
        return;
    if (!json_is_array(list) || json_array_size(list) == 0 ||
        json_array_size(list) > STORE_ROLE_LIST_MAX) {
        json_read_wrong(&call->fields, "/databases", "type",
                        "must be null or a list of 1 to %d numbers", STORE_ROLE_LIST_MAX);
        return;
    }
    json_array_foreach(list, i, one) {
        json_int_t number = json_integer_value(one);

        if (!json_is_integer(one) || number < 0 || number > 255) {
            json_read_wrong(&call->fields, arena_printf(call->arena, "/databases/%zu", i), "range",
                            "must be a number from 0 to 255");
            continue;
        }
        snprintf(d->database_text[count], sizeof(d->database_text[count]), "%d", (int)number);
        d->databases[count] = d->database_text[count];
        count++;
    }
    d->role.databases = d->databases;
    d->role.database_count = count;
}

/* A list that may be null: then it restricts nothing. */
static void read_restriction(struct call *call, const struct draft *d, const char *name,
                             size_t most, size_t longest, const char **values,
                             const char *const **ret, size_t *ret_count) {
    size_t count = 0;

    json_read_texts(d->whole, &call->fields, name, most, longest, values, &count);
    if (json_is_array(json_object_get(d->whole, name)) && count == 0)
        json_read_wrong(&call->fields, arena_printf(call->arena, "/%s", name), "range",
                        "an empty list would allow nothing; null allows all");
    if (count > 0)
        *ret = values;
    *ret_count = count;
}

static void require(struct call *call, const char *name, size_t count) {
    if (count == 0 && !call->fields)
        json_read_wrong(&call->fields, arena_printf(call->arena, "/%s", name), "required",
                        "needs at least one");
}

static void read_role(struct call *call, struct draft *d) {
    struct store_role *r = &d->role;
    bool enabled = true;

    r->max_session_seconds = SESSION_DEFAULT_S;
    json_read_text(d->whole, &call->fields, "name", 1, 64, &r->name);
    if (!r->name && !call->fields)
        json_read_wrong(&call->fields, "/name", "required", "is missing");
    if (r->name && !is_role_name(r->name))
        json_read_wrong(&call->fields, "/name", "invalid", "has letters, digits, - and _ only");
    json_read_text(d->whole, &call->fields, "external_id", 1, 128, &r->external_id);
    json_read_texts(d->whole, &call->fields, "trusted_accounts", TRUSTED_MAX, STORE_ID_SIZE - 1,
                    d->trusted, &r->trusted_count);
    r->trusted = d->trusted;
    json_read_texts(d->whole, &call->fields, "instances", INSTANCES_MAX, STORE_ID_SIZE - 1,
                    d->instances, &r->instance_count);
    r->instances = d->instances;
    json_read_texts(d->whole, &call->fields, "permissions", PERMISSIONS_MAX, 32, d->permissions,
                    &r->permission_count);
    r->permissions = d->permissions;
    for (size_t i = 0; i < r->permission_count; i++)
        if (!role_judge_knows(d->permissions[i]))
            json_read_wrong(&call->fields, arena_printf(call->arena, "/permissions/%zu", i),
                            "choice", "must be one of %s", role_judge_permissions);
    require(call, "trusted_accounts", r->trusted_count);
    require(call, "instances", r->instance_count);
    require(call, "permissions", r->permission_count);
    read_databases(call, d);
    read_restriction(call, d, "prefixes", PREFIXES_MAX, 512, d->prefixes, &r->prefixes,
                     &r->prefix_count);
    read_restriction(call, d, "destinations", DESTINATIONS_MAX, 299, d->destinations,
                     &r->destinations, &r->destination_count);
    json_read_time(d->whole, &call->fields, "not_before", &r->not_before_ms);
    json_read_time(d->whole, &call->fields, "not_after", &r->not_after_ms);
    if (r->not_after_ms && r->not_after_ms <= r->not_before_ms)
        json_read_wrong(&call->fields, "/not_after", "range", "must lie behind not_before");
    json_read_int(d->whole, &call->fields, "max_session_seconds", SESSION_LEAST_S, SESSION_MOST_S,
                  &r->max_session_seconds);
    json_read_int(d->whole, &call->fields, "max_rps", 1, RATE_MOST, &r->max_rps);
    json_read_int(d->whole, &call->fields, "max_bytes_per_second", BYTES_LEAST, RATE_MOST,
                  &r->max_bytes_per_second);
    json_read_bool(d->whole, &call->fields, "enabled", &enabled);
    r->is_enabled = enabled;
}

/* It can only be about instances that are there, and ours. */
static bool check_instances(struct call *call, struct draft *d, struct err *err) {
    for (size_t i = 0; i < d->role.instance_count; i++) {
        json_t *list = NULL;
        bool found;

        if (!store_instance_list(call->store, call->caller.account, d->instances[i], NULL, 1, NULL,
                                 &list, err))
            return false;
        found = json_array_size(list) > 0;
        json_decref(list);
        if (!found)
            json_read_wrong(&call->fields, arena_printf(call->arena, "/instances/%zu", i),
                            "invalid", "there is no such instance");
    }
    for (size_t i = 0; i < d->role.trusted_count; i++)
        if (!ulid_is(str_from(d->trusted[i]), "acct") ||
            strcmp(d->trusted[i], call->caller.account) == 0)
            json_read_wrong(&call->fields, arena_printf(call->arena, "/trusted_accounts/%zu", i),
                            "invalid", "must be the id of another account");
    return json_read_end(call->fields, err);
}

static bool find(struct call *call, const char *id, json_t **ret_row, int64_t *ret_version,
                 struct err *err) {
    json_t *list = NULL;

    return store_role_list(call->store, call->caller.account, id, NULL, NULL, 1, &list, err) &&
           call_row(list, "role", ret_row, ret_version, err);
}

static bool reply_role(struct call *call, struct reply *reply, int status, const char *id,
                       struct err *err) {
    int64_t version;
    json_t *row;

    if (!find(call, id, &row, &version, err))
        return false;
    call_left(call, json_deep_copy(row));
    call_reply_row(reply, status, row, version);
    return true;
}

static bool put(struct call *call, struct draft *d, struct err *err) {
    json_t *same = NULL;
    bool written = false, taken;

    if (!check_instances(call, d, err) || !store_role_list(call->store, call->caller.account, NULL,
                                                           d->role.name, NULL, 1, &same, err))
        return false;
    taken =
        json_array_size(same) > 0 &&
        strcmp(json_string_value(json_object_get(json_array_get(same, 0), "id")), d->role.id) != 0;
    json_decref(same);
    if (taken)
        return err_set(err, ERR_NAME_TAKEN, "there is a role %s already", d->role.name);
    if (!store_role_put(call->store, &d->role, &written, err))
        return false;
    return call_was_written(d->role.id, written, err);
}

bool roles_create(struct call *call, struct reply *reply, struct err *err) {
    struct draft d = {.whole = call->body};
    char id[ULID_ID_SIZE];

    ulid_make("role", id);
    d.role.id = id;
    d.role.account = call->caller.account;
    json_read_known(call->body, &call->fields, role_members);
    read_role(call, &d);
    if (!json_read_end(call->fields, err) || !put(call, &d, err) ||
        !reply_role(call, reply, 201, id, err))
        return false;
    reply_header(reply, "Location", arena_printf(call->arena, "/v1/roles/%s", id));
    return true;
}

bool roles_list(struct call *call, struct reply *reply, struct err *err) {
    struct page page;
    json_t *rows;

    if (!page_parse(call->request, "roles", &page, err) ||
        !store_role_list(call->store, call->caller.account, NULL, NULL,
                         page.after[0] ? page.after : NULL, page.limit + 1, &rows, err))
        return false;
    call_reply_rows(reply, &page, rows);
    return true;
}

bool roles_get(struct call *call, struct reply *reply, struct err *err) {
    const char *id;

    return call_id(call, 0, "role", &id, err) && reply_role(call, reply, 200, id, err);
}

/* A body that is wrong in itself is refused before it is known whose role it is. */
static bool begin_change(struct call *call, const char **ret_id, json_t **ret_row,
                         int64_t *ret_version, struct err *err) {
    return json_read_end(call->fields, err) &&
           call_change(call, "role", find, ret_id, ret_row, ret_version, err);
}

/* A change works at once for what connects, and within seconds for what runs. */
bool roles_patch(struct call *call, struct reply *reply, struct err *err) {
    struct draft d = {.whole = NULL};
    int64_t version;
    const char *id;
    json_t *row;
    bool ok;

    json_read_known(call->body, &call->fields, role_members);
    if (!begin_change(call, &id, &row, &version, err))
        return false;
    d.whole = json_deep_copy(row);
    json_object_update(d.whole, call->body);
    d.role.id = id;
    d.role.account = call->caller.account;
    d.role.version = version;
    read_role(call, &d);
    ok = json_read_end(call->fields, err) && put(call, &d, err) &&
         reply_role(call, reply, 200, id, err);
    json_decref(d.whole);
    json_decref(row);
    return ok;
}

bool roles_delete(struct call *call, struct reply *reply, struct err *err) {
    bool written = false, ok;
    int64_t version;
    const char *id;
    json_t *row;

    if (!begin_change(call, &id, &row, &version, err))
        return false;
    ok = store_role_delete(call->store, call->caller.account, id, version, &written, err) &&
         call_was_written(id, written, err) &&
         store_role_session_close(call->store, id, NULL, call->caller.actor, "revoked", err);
    if (ok)
        reply_json(reply, 200, json_incref(row));
    json_decref(row);
    return ok;
}

/* The caller asks whether a role lets it in, before a job does. */
bool roles_check(struct call *call, struct reply *reply, struct err *err) {
    const char *needed[PERMISSIONS_MAX] = {NULL};
    struct role_use use = {.account = call->caller.account};
    struct buf sealed = BUF_INIT(1024 * 1024);
    json_t *role = NULL, *endpoint = NULL;
    struct err why = ERR_INIT;
    size_t count = 0;
    bool ok;

    json_read_known(call->body, &call->fields,
                    "account_id role_name instance_id external_id permissions");
    json_read_text(call->body, &call->fields, "account_id", 1, STORE_ID_SIZE - 1, &use.owner);
    json_read_text(call->body, &call->fields, "role_name", 1, 64, &use.role_name);
    json_read_text(call->body, &call->fields, "instance_id", 1, STORE_ID_SIZE - 1, &use.instance);
    json_read_text(call->body, &call->fields, "external_id", 1, 128, &use.external_id);
    json_read_texts(call->body, &call->fields, "permissions", PERMISSIONS_MAX, 32, needed, &count);
    require(call, "account_id", use.owner != NULL);
    require(call, "role_name", use.role_name != NULL);
    require(call, "instance_id", use.instance != NULL);
    for (size_t i = 0; i < count; i++) {
        use.permissions[i] = needed[i];
        if (!role_judge_knows(needed[i]))
            json_read_wrong(&call->fields, arena_printf(call->arena, "/permissions/%zu", i),
                            "choice", "must be one of %s", role_judge_permissions);
    }
    if (!json_read_end(call->fields, err) ||
        !store_role_find(call->store, use.owner, use.role_name, use.instance, &role, &endpoint,
                         &sealed, err))
        return false;
    ok = role_judge(role, endpoint != NULL, &use, &why);
    reply_json(reply, 200,
               json_pack("{s:b, s:o, s:o}", "allowed", ok, "code",
                         ok ? json_null() : json_string(err_slug(why.code)), "detail",
                         ok ? json_null() : json_string(why.frame[0])));
    buf_done(&sealed);
    json_decref(role);
    json_decref(endpoint);
    return true;
}

bool roles_sessions(struct call *call, struct reply *reply, struct err *err) {
    const char *id, *job = NULL;
    struct page page;
    struct str text;
    int64_t version;
    json_t *row, *rows;

    if (!page_parse(call->request, "role-sessions", &page, err) ||
        !call_id(call, 0, "role", &id, err) || !find(call, id, &row, &version, err))
        return false;
    json_decref(row);
    if (request_query(call->request, "job", &text))
        job = arena_dup(call->arena, text);
    if (!store_role_session_list(call->store, call->caller.account, id,
                                 page.after[0] ? page.after : NULL, page.limit + 1, job, &rows,
                                 err))
        return false;
    call_reply_rows(reply, &page, rows);
    return true;
}

/* What runs by it is stopped within seconds; what may come again opens a new session. */
bool roles_revoke_sessions(struct call *call, struct reply *reply, struct err *err) {
    int64_t version;
    const char *id;
    json_t *row;
    bool ok;

    json_read_known(call->body, &call->fields, "");
    if (!begin_change(call, &id, &row, &version, err))
        return false;
    ok = store_role_session_close(call->store, id, NULL, call->caller.actor, "revoked", err) &&
         reply_role(call, reply, 202, id, err);
    json_decref(row);
    return ok;
}

static const char *shared_key(const json_t *item) {
    return json_string_value(json_object_get(item, "key"));
}

bool roles_shared(struct call *call, struct reply *reply, struct err *err) {
    const char *owner = NULL, *name = NULL;
    struct page page;
    struct str text;
    json_t *rows, *answer, *row;
    size_t i;

    if (!page_parse(call->request, "shared", &page, err))
        return false;
    if (request_query(call->request, "account", &text))
        owner = arena_dup(call->arena, text);
    if (request_query(call->request, "role", &text))
        name = arena_dup(call->arena, text);
    if (!store_role_shared(call->store, call->caller.account, owner, name,
                           page.after[0] ? page.after : NULL, page.limit + 1, &rows, err))
        return false;
    answer = page_json(&page, rows, shared_key);
    json_array_foreach(json_object_get(answer, "items"), i, row) json_object_del(row, "key");
    reply_json(reply, 200, answer);
    return true;
}
