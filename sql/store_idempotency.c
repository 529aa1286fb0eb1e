#include "sql/store_idempotency.h"

#include <stdio.h>
#include <string.h>

#include "sql/embedded.h"
#include "sql/store_txn.h"

void store_answer_done(struct store_answer *answer) {
    json_decref(answer->headers);
    json_decref(answer->body);
    *answer = (struct store_answer){.status = 0};
}

/* The lock of a key for this transaction, unless another has it now. */
static bool lock_key(struct store *store, const char *account, const char *key, bool *ret_got,
                     struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;
    struct buf name = BUF_INIT(4096);
    bool ok = buf_printf(&name, err, "idempotency:%s:%s", account, key);

    if (ok) {
        store_bind_str(&p, buf_str(&name));
        ok = store_exec(store, &sql_query_lock_try, &p, &rows, err);
    }
    if (ok)
        *ret_got = store_bool(&rows, 0, 0);
    store_rows_done(&rows);
    buf_done(&name);
    return ok;
}

static bool is_one_of(const char *hash, char hashes[][STORE_REQUEST_HASH_SIZE], size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(hash, hashes[i]) == 0)
            return true;
    }
    return false;
}

bool store_idempotency_begin(struct store *store, const char *account, const char *key,
                             const char *request, char hashes[][STORE_REQUEST_HASH_SIZE],
                             size_t hash_count, enum store_idempotency_verdict *ret_verdict,
                             struct store_answer *ret_answer, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;
    bool got = false;

    if (!lock_key(store, account, key, &got, err))
        return false;
    if (!got) {
        *ret_verdict = STORE_IDEMPOTENCY_IN_FLIGHT;
        return true;
    }
    store_bind_text(&p, account);
    store_bind_text(&p, key);
    if (!store_exec(store, &sql_query_idempotency_get, &p, &rows, err))
        return false;
    if (rows.count == 0) {
        *ret_verdict = STORE_IDEMPOTENCY_NEW;
    } else if (strcmp(store_text(&rows, 0, 0), request) != 0 ||
               !is_one_of(store_text(&rows, 0, 1), hashes, hash_count)) {
        *ret_verdict = STORE_IDEMPOTENCY_CONFLICT;
    } else {
        *ret_verdict = STORE_IDEMPOTENCY_REPLAY;
        *ret_answer = (struct store_answer){
            .status = (int)store_i64(&rows, 0, 2),
            .headers = store_json(&rows, 0, 3),
            .body = store_json(&rows, 0, 4),
        };
    }
    store_rows_done(&rows);
    return true;
}

bool store_idempotency_finish(struct store *store, const char *account, const char *key,
                              const char *request, const char *request_hash,
                              const struct store_answer *answer, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, account);
    store_bind_text(&p, key);
    store_bind_text(&p, request);
    store_bind_text(&p, request_hash);
    store_bind_i64(&p, answer->status);
    store_bind_json(&p, answer->headers);
    store_bind_json(&p, answer->body);
    return store_exec(store, &sql_query_idempotency_put, &p, NULL, err);
}
