#include "sql/store_key.h"

#include <string.h>

#include "sql/embedded.h"

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

bool store_key_insert(struct store *store, const char *id, const char *account, const char *name,
                      const char *prefix, const unsigned char hash[STORE_KEY_HASH_SIZE],
                      const char *scopes, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, id);
    store_bind_text(&p, account);
    store_bind_text(&p, name);
    store_bind_text(&p, prefix);
    store_bind_bytes(&p, str_of(hash, STORE_KEY_HASH_SIZE));
    store_bind_text(&p, scopes);
    return store_exec(store, &sql_query_key_insert, &p, NULL, err);
}

bool store_key_account(struct store *store, const char *id, const char *name, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, id);
    store_bind_text(&p, name);
    return store_exec(store, &sql_query_account_put, &p, NULL, err);
}

bool store_key_first_account(struct store *store, char ret_id[STORE_ID_SIZE], struct err *err) {
    struct store_rows rows = STORE_ROWS_INIT;

    if (!store_exec(store, &sql_query_account_first, NULL, &rows, err))
        return false;
    ret_id[0] = '\0';
    if (rows.count)
        store_text_copy(&rows, 0, 0, ret_id, STORE_ID_SIZE);
    store_rows_done(&rows);
    return true;
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
