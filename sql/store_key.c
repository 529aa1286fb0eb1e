#include "sql/store_key.h"

#include <string.h>

#include "sql/embedded.h"

/* NULL leaves, or is from anywhere. */
static void bind_cidrs(struct store_params *p, const char *const *cidrs, size_t count) {
    if (cidrs)
        store_bind_texts(p, cidrs, count);
    else
        store_bind_text(p, NULL);
}

bool store_key_find(struct store *store, const char *prefix, struct store_key *ret_key,
                    struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;
    struct store_key key = {.is_usable = false};
    struct buf hash = BUF_INIT(STORE_KEY_HASH_SIZE);
    bool ok;

    store_bind_text(&p, prefix);
    if (!store_exec(store, &sql_query_key_find, &p, &rows, err))
        return false;
    ok = rows.count == 1 || err_set(err, ERR_NOT_FOUND, "there is no such key");
    if (ok) {
        store_text_copy(&rows, 0, 0, key.id, sizeof(key.id));
        store_text_copy(&rows, 0, 1, key.account, sizeof(key.account));
        store_text_copy(&rows, 0, 2, key.account_name, sizeof(key.account_name));
        store_text_copy(&rows, 0, 3, key.prefix, sizeof(key.prefix));
        store_text_copy(&rows, 0, 4, key.name, sizeof(key.name));
        store_text_copy(&rows, 0, 5, key.scopes, sizeof(key.scopes));
        key.is_usable = store_bool(&rows, 0, 7);
        key.created_ms = store_i64(&rows, 0, 8);
        key.expires_ms = store_i64(&rows, 0, 9);
        key.is_operator = store_bool(&rows, 0, 10);
        store_text_copy(&rows, 0, 11, key.allowed_cidrs, sizeof(key.allowed_cidrs));
        key.is_use_due = store_bool(&rows, 0, 12);
        ok = store_bytes(&rows, 0, 6, &hash, err) &&
             (hash.len == STORE_KEY_HASH_SIZE ||
              err_set(err, ERR_STORE, "the hash of a key has %zu bytes", hash.len));
    }
    if (ok) {
        memcpy(key.hash, hash.ptr, STORE_KEY_HASH_SIZE);
        *ret_key = key;
    }
    buf_done(&hash);
    store_rows_done(&rows);
    return ok;
}

bool store_key_insert(struct store *store, const struct store_key_new *key, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, key->id);
    store_bind_text(&p, key->account);
    store_bind_text(&p, key->name);
    store_bind_text(&p, key->prefix);
    store_bind_bytes(&p, str_of(key->hash, STORE_KEY_HASH_SIZE));
    store_bind_text(&p, key->scopes);
    store_bind_i64(&p, key->expires_ms);
    bind_cidrs(&p, key->allowed_cidrs, key->allowed_cidr_count);
    return store_exec(store, &sql_query_key_insert, &p, NULL, err);
}

bool store_key_list(struct store *store, const char *account, const char *id, const char *before,
                    int limit, json_t **ret_list, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, account);
    store_bind_text(&p, id);
    store_bind_text(&p, before);
    store_bind_i64(&p, limit);
    return store_exec_json(store, &sql_query_key_list, &p, ret_list, err);
}

bool store_key_change(struct store *store, const char *account, const char *id, int64_t version,
                      const struct store_key_edit *edit, bool *ret_written, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, account);
    store_bind_text(&p, id);
    store_bind_i64(&p, version);
    store_bind_text(&p, edit->name);
    store_bind_i64(&p, edit->expires_ms);
    bind_cidrs(&p, edit->allowed_cidrs, edit->allowed_cidr_count);
    store_bind_text(&p, edit->replaced_by);
    store_bind_bool(&p, edit->revoke);
    return store_exec_found(store, &sql_query_key_edit, &p, ret_written, err);
}

bool store_key_admins(struct store *store, const char *account, const char *id, int64_t *ret_count,
                      struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;

    store_bind_text(&p, account);
    store_bind_text(&p, id);
    if (!store_exec(store, &sql_query_key_admins, &p, &rows, err))
        return false;
    *ret_count = store_i64(&rows, 0, 0);
    store_rows_done(&rows);
    return true;
}

bool store_key_revoke_all(struct store *store, const char *account, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, account);
    return store_exec(store, &sql_query_key_revoke_all, &p, NULL, err);
}

bool store_key_used(struct store *store, const char *id, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, id);
    return store_exec(store, &sql_query_key_used, &p, NULL, err);
}

bool store_key_count(struct store *store, int64_t *ret_usable, struct err *err) {
    struct store_rows rows = STORE_ROWS_INIT;

    if (!store_exec(store, &sql_query_key_count, NULL, &rows, err))
        return false;
    *ret_usable = store_i64(&rows, 0, 0);
    store_rows_done(&rows);
    return true;
}
