#include "sql/store_role.h"

#include "sql/embedded.h"

bool store_role_list(struct store *store, const char *account, const char *id, const char *name,
                     const char *before, int limit, json_t **ret_list, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, account);
    store_bind_text(&p, id);
    store_bind_text(&p, name);
    store_bind_text(&p, before);
    store_bind_i64(&p, limit);
    return store_exec_json(store, &sql_query_role_list, &p, ret_list, err);
}

static void bind_list(struct store_params *p, const char *const *values, size_t count) {
    if (values)
        store_bind_texts(p, values, count);
    else
        store_bind_text(p, NULL);
}

bool store_role_put(struct store *store, const struct store_role *role, bool *ret_written,
                    struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, role->id);
    store_bind_text(&p, role->account);
    store_bind_i64(&p, role->version);
    store_bind_text(&p, role->name);
    store_bind_texts(&p, role->trusted, role->trusted_count);
    store_bind_text(&p, role->external_id);
    store_bind_texts(&p, role->instances, role->instance_count);
    store_bind_texts(&p, role->permissions, role->permission_count);
    bind_list(&p, role->databases, role->database_count);
    bind_list(&p, role->prefixes, role->prefix_count);
    bind_list(&p, role->destinations, role->destination_count);
    store_bind_i64(&p, role->not_before_ms);
    store_bind_i64(&p, role->not_after_ms);
    store_bind_i64(&p, role->max_session_seconds);
    store_bind_bool(&p, role->is_enabled);
    store_bind_i64(&p, role->max_rps);
    store_bind_i64(&p, role->max_bytes_per_second);
    return store_exec_found(store, &sql_query_role_put, &p, ret_written, err);
}

bool store_role_delete(struct store *store, const char *account, const char *id, int64_t version,
                       bool *ret_written, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, account);
    store_bind_text(&p, id);
    store_bind_i64(&p, version);
    return store_exec_found(store, &sql_query_role_delete, &p, ret_written, err);
}

bool store_role_sharers(struct store *store, const char *role, const char *instance,
                        const char *job, int64_t *ret_count, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;

    store_bind_text(&p, role);
    store_bind_text(&p, instance);
    store_bind_text(&p, job);
    if (!store_exec(store, &sql_query_role_sharers, &p, &rows, err))
        return false;
    *ret_count = store_i64(&rows, 0, 0);
    store_rows_done(&rows);
    return true;
}

bool store_role_find(struct store *store, const char *owner, const char *name, const char *instance,
                     json_t **ret_role, json_t **ret_endpoint, struct buf *ret_sealed,
                     struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;
    bool ok = true;

    store_bind_text(&p, owner);
    store_bind_text(&p, name);
    store_bind_text(&p, instance);
    if (!store_exec(store, &sql_query_role_find, &p, &rows, err))
        return false;
    *ret_role = *ret_endpoint = NULL;
    if (rows.count == 1) {
        ok = store_bytes(&rows, 0, 1, ret_sealed, err);
        *ret_role = ok ? store_json(&rows, 0, 0) : NULL;
        *ret_endpoint = ok ? store_json(&rows, 0, 2) : NULL;
    }
    store_rows_done(&rows);
    return ok;
}

bool store_role_session_open(struct store *store, const struct store_role_session *s,
                             struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, s->id);
    store_bind_text(&p, s->role);
    store_bind_i64(&p, s->role_version);
    store_bind_text(&p, s->owner);
    store_bind_text(&p, s->account);
    store_bind_text(&p, s->job);
    store_bind_text(&p, s->end);
    store_bind_text(&p, s->instance);
    store_bind_text(&p, s->worker);
    store_bind_i64(&p, s->lease_epoch);
    store_bind_i64(&p, s->seconds);
    return store_exec(store, &sql_query_role_session_open, &p, NULL, err);
}

bool store_role_session_close(struct store *store, const char *role, const char *job,
                              const char *actor, const char *reason, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, role);
    store_bind_text(&p, job);
    store_bind_text(&p, actor);
    store_bind_text(&p, reason);
    return store_exec(store, &sql_query_role_session_close, &p, NULL, err);
}

bool store_role_session_renew(struct store *store, const char *job, const char *end,
                              int64_t lease_epoch, int64_t seconds, bool *ret_revoked,
                              struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;

    store_bind_text(&p, job);
    store_bind_text(&p, end);
    store_bind_i64(&p, lease_epoch);
    store_bind_i64(&p, seconds);
    if (!store_exec(store, &sql_query_role_session_renew, &p, &rows, err))
        return false;
    *ret_revoked = store_bool(&rows, 0, 0);
    store_rows_done(&rows);
    return true;
}

bool store_role_session_list(struct store *store, const char *owner, const char *role,
                             const char *before, int limit, const char *job, json_t **ret_list,
                             struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, owner);
    store_bind_text(&p, role);
    store_bind_text(&p, before);
    store_bind_i64(&p, limit);
    store_bind_text(&p, job);
    return store_exec_json(store, &sql_query_role_session_list, &p, ret_list, err);
}

bool store_role_shared(struct store *store, const char *account, const char *owner,
                       const char *name, const char *after, int limit, json_t **ret_list,
                       struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, account);
    store_bind_text(&p, owner);
    store_bind_text(&p, name);
    store_bind_text(&p, after);
    store_bind_i64(&p, limit);
    return store_exec_json(store, &sql_query_role_shared, &p, ret_list, err);
}

bool store_role_user(struct store *store, const char *job, char ret_account[STORE_ID_SIZE],
                     struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;
    bool found;

    store_bind_text(&p, job);
    if (!store_exec(store, &sql_query_owner, &p, &rows, err))
        return false;
    found = rows.count == 1;
    if (found)
        store_text_copy(&rows, 0, 0, ret_account, STORE_ID_SIZE);
    store_rows_done(&rows);
    return found || err_set(err, ERR_NOT_FOUND, "there is no %s", job);
}
