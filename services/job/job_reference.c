#include "services/job/job_reference.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/str.h"
#include "services/common/clock.h"
#include "services/common/ulid.h"
#include "services/job/job_schedule.h"
#include "services/job/job_spec.h"
#include "services/job/role_judge.h"
#include "sql/store_instance.h"
#include "sql/store_role.h"

static const char *const ends[2] = {"source", "destination"};
static const char *const members[] = {"instance_id", "account_id", "role_name", "external_id"};

static const char *text_of(const json_t *object, const char *name) {
    return json_string_value(json_object_get(object, name));
}

static void wrong(json_t **errors, const char *pointer, const char *member, const char *code,
                  const char *fmt, ...) PRINTF_LIKE(5, 6);

static void wrong(json_t **errors, const char *pointer, const char *member, const char *code,
                  const char *fmt, ...) {
    char detail[200], at[96];
    va_list args;

    va_start(args, fmt);
    vsnprintf(detail, sizeof(detail), fmt, args);
    va_end(args);
    if (!*errors)
        *errors = json_array();
    snprintf(at, sizeof(at), "%s%s%s", pointer, member[0] ? "/" : "", member);
    json_array_append_new(
        *errors, json_pack("{s:s, s:s, s:s}", "pointer", at, "code", code, "detail", detail));
}

/* What the reference is made of; false when it is wrong in itself. */
static bool check_form(const json_t *given, const char *pointer, json_t **errors) {
    bool ok = true;
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)given, name, value) {
        bool known = false;

        for (size_t i = 0; i < LENGTH_OF(members); i++)
            known = known || strcmp(members[i], name) == 0;
        if (!known) {
            wrong(errors, pointer, "", "invalid",
                  "instance_id stands for the whole: nothing but account_id, role_name and "
                  "external_id may be beside it");
            return false;
        }
        if (!json_is_string(value) || json_string_length(value) > 128) {
            wrong(errors, pointer, name, "type", "must be a text of at most 128 bytes");
            ok = false;
        }
    }
    if (ok && !ulid_is(str_from(text_of(given, "instance_id")), "inst")) {
        wrong(errors, pointer, "instance_id", "invalid", "is the id of no instance");
        ok = false;
    }
    if (ok && !text_of(given, "account_id") != !text_of(given, "role_name")) {
        wrong(errors, pointer, text_of(given, "account_id") ? "role_name" : "account_id",
              "required", "another account's instance is named by account_id and role_name");
        ok = false;
    }
    if (ok && text_of(given, "external_id") && !text_of(given, "role_name")) {
        wrong(errors, pointer, "external_id", "invalid", "has a meaning with a role only");
        ok = false;
    }
    return ok;
}

bool job_reference_is_shared(const json_t *reference) {
    return text_of(reference, "role_name") != NULL;
}

/* Judge by the role of the database, and say how the instance is reached. */
static bool judge(struct store *store, const struct role_use *use, json_t **ret_endpoint,
                  struct err *err) {
    struct buf sealed = BUF_INIT(1024 * 1024);
    json_t *role = NULL, *endpoint = NULL;
    bool ok = store_role_find(store, use->owner, use->role_name, use->instance, &role, &endpoint,
                              &sealed, err) &&
              role_judge(role, endpoint != NULL, use, err);

    buf_done(&sealed);
    json_decref(role);
    if (ok && ret_endpoint)
        *ret_endpoint = json_incref(endpoint);
    json_decref(endpoint);
    return ok;
}

/* How the instance is reached; *ret stays NULL, with an error noted, when there is none. */
static bool find(struct store *store, const char *account, const json_t *given, const char *pointer,
                 const char *permission, json_t **ret, json_t **errors, struct err *err) {
    struct buf sealed = BUF_INIT(1024 * 1024);
    struct err why = ERR_INIT;
    struct role_use use = {.account = account,
                           .owner = text_of(given, "account_id"),
                           .role_name = text_of(given, "role_name"),
                           .external_id = text_of(given, "external_id"),
                           .instance = text_of(given, "instance_id"),
                           .permissions = {permission}};
    bool ok;

    if (use.role_name)
        return judge(store, &use, ret, err);
    ok = store_instance_login(store, account, use.instance, ret, &sealed, &why);
    buf_done(&sealed);
    if (ok)
        return true;
    if (why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    wrong(errors, pointer, "instance_id", "invalid", "there is no such instance");
    return true;
}

bool job_reference_resolve_one(struct store *store, const char *account, json_t *reference,
                               const char *pointer, json_t **errors, struct err *err) {
    json_t *given, *endpoint = NULL;

    if (json_object_get(reference, "resolved") || json_object_get(reference, "reference"))
        wrong(errors, pointer, "", "unknown_field", "has a member that is not known");
    else if (!json_object_get(reference, "instance_id") &&
             !json_object_get(reference, "role_name") && !json_object_get(reference, "account_id"))
        return true;
    else if (check_form(reference, pointer, errors)) {
        if (!find(store, account, reference, pointer, NULL, &endpoint, errors, err))
            return false;
        if (endpoint) {
            given = json_copy(reference);
            json_object_clear(reference);
            json_object_set_new(reference, "resolved", endpoint);
            json_object_set_new(reference, "reference", given);
        }
    }
    return !*errors ||
           err_set(err, ERR_VALIDATION, "%s: %s", text_of(json_array_get(*errors, 0), "pointer"),
                   text_of(json_array_get(*errors, 0), "detail"));
}

bool job_reference_resolve(struct store *store, const char *account, json_t *body, json_t **errors,
                           struct err *err) {
    for (int i = 0; i < 2; i++) {
        json_t *end = json_object_get(body, ends[i]);
        char pointer[16];

        snprintf(pointer, sizeof(pointer), "/%s", ends[i]);
        if (json_is_object(end) &&
            !job_reference_resolve_one(store, account, end, pointer, errors, err))
            return false;
    }
    return true;
}

const json_t *job_reference_of(const json_t *spec, const char *end) {
    return json_object_get(json_object_get(spec, end), "reference");
}

bool job_reference_check(struct store *store, const char *account, const json_t *spec,
                         struct err *err) {
    for (int i = 0; i < 2; i++) {
        struct role_use use = {.account = account};

        if (!job_reference_is_shared(job_reference_of(spec, ends[i])))
            continue;
        role_judge_use(spec, ends[i], &use);
        if (!judge(store, &use, NULL, err))
            return err_wrap(err, "the %s", ends[i]);
    }
    return true;
}

bool job_reference_read(struct store *store, const char *account, const json_t *body,
                        struct job_spec *ret, json_t **errors, struct err *err) {
    json_t *copy = json_deep_copy(body);
    bool ok;

    memset(ret, 0, sizeof(*ret));
    ok = job_reference_resolve(store, account, copy, errors, err);
    if (ok && !job_spec_read(copy, ret, err)) {
        *errors = json_incref(ret->errors);
        ok = false;
    }
    json_decref(copy);
    return ok && job_schedule_check(ret->spec, clock_wall_ms(), errors, err) &&
           job_reference_check(store, account, ret->spec, err);
}
