#include "sql/store_account.h"

#include <stdio.h>

#include "sql/embedded.h"
#include "sql/store_txn.h"

bool store_account_put(struct store *store, const char *id, const char *name, const json_t *quotas,
                       struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, id);
    store_bind_text(&p, name);
    store_bind_json(&p, quotas);
    return store_exec(store, &sql_query_account_put, &p, NULL, err);
}

bool store_account_first(struct store *store, char ret_id[STORE_ID_SIZE], struct err *err) {
    struct store_rows rows = STORE_ROWS_INIT;

    if (!store_exec(store, &sql_query_account_first, NULL, &rows, err))
        return false;
    ret_id[0] = '\0';
    if (rows.count)
        store_text_copy(&rows, 0, 0, ret_id, STORE_ID_SIZE);
    store_rows_done(&rows);
    return true;
}

bool store_account_list(struct store *store, const char *id, const char *before, int limit,
                        json_t **ret_list, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, id);
    store_bind_text(&p, before);
    store_bind_i64(&p, limit);
    return store_exec_json(store, &sql_query_account_list, &p, ret_list, err);
}

bool store_account_change(struct store *store, const char *id, int64_t version,
                          const struct store_account_edit *edit, bool *ret_written,
                          struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, id);
    store_bind_i64(&p, version);
    store_bind_text(&p, edit->name);
    store_bind_text(&p, edit->status);
    store_bind_json(&p, edit->quotas);
    return store_exec_found(store, &sql_query_account_edit, &p, ret_written, err);
}

bool store_account_in_use(struct store *store, const char *id, int64_t *ret_jobs,
                          int64_t *ret_instances, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;

    store_bind_text(&p, id);
    if (!store_exec(store, &sql_query_account_in_use, &p, &rows, err))
        return false;
    *ret_jobs = store_i64(&rows, 0, 0);
    *ret_instances = store_i64(&rows, 0, 1);
    store_rows_done(&rows);
    return true;
}

bool store_account_usage(struct store *store, const char *id, const char *name, json_t **ret_usage,
                         struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, id);
    store_bind_text(&p, name);
    return store_exec_json(store, &sql_query_account_usage, &p, ret_usage, err);
}

bool store_account_room(struct store *store, const char *id, const char *name, struct err *err) {
    char lock[STORE_ID_SIZE + 8];
    json_t *usage = NULL, *one, *limit;
    json_int_t used;
    bool ok;

    snprintf(lock, sizeof(lock), "quota:%s", id);
    if (!store_txn_lock(store, lock, err) || !store_account_usage(store, id, name, &usage, err))
        return false;
    one = json_object_get(usage, name);
    limit = json_object_get(one, "limit");
    used = json_integer_value(json_object_get(one, "used"));
    ok = !json_is_integer(limit) || used < json_integer_value(limit) ||
         err_set(err, ERR_QUOTA, "%s: the account has %lld and may have %lld", name,
                 (long long)used, (long long)json_integer_value(limit));
    json_decref(usage);
    return ok;
}
