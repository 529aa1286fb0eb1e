#include "sql/store_txn.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sql/embedded.h"
#include "sql/store_private.h"

enum { ATTEMPTS_MAX = 8 };

/* Give the others a moment; longer each time, and never the same for two of us. */
static void pause_before(int attempt) {
    struct timespec now, pause = {.tv_sec = 0};

    clock_gettime(CLOCK_MONOTONIC, &now);
    pause.tv_nsec = (now.tv_nsec % 1000 + 500) * 2000L * attempt;
    nanosleep(&pause, NULL);
}

static bool commit(struct store *store, struct err *err) {
    PGresult *result =
        store_await(store->conn, PQsendQuery(store->conn, "COMMIT"), store->answer_ms);
    bool ok = PQresultStatus(result) == PGRES_COMMAND_OK;

    if (!ok) {
        store->is_retryable = store_is_conflict(result);
        store->commit_unknown = PQstatus(store->conn) != CONNECTION_OK;
        return store_failed(store->conn, result, "committing", err);
    }
    /* COMMIT of a transaction in which a statement failed answers ROLLBACK. */
    ok = strcmp(PQcmdStatus(result), "COMMIT") == 0;
    PQclear(result);
    return ok || err_set(err, ERR_INTERNAL, "a failed statement was passed over");
}

static bool run_once(struct store *store, store_txn_body *body, void *arg, struct err *err) {
    struct err ignored = ERR_INIT;
    bool ok;

    store->is_retryable = store->commit_unknown = false;
    if (!store_ensure(store, err) ||
        !store_run(store->conn, "BEGIN", store->answer_ms, "beginning", err))
        return false;
    store->in_txn = true;
    ok = body(store, arg, err);
    store->in_txn = false;
    if (ok)
        return commit(store, err);
    if (PQstatus(store->conn) == CONNECTION_OK)
        (void)!store_run(store->conn, "ROLLBACK", store->answer_ms, "rolling back", &ignored);
    return false;
}

bool store_txn(struct store *store, store_txn_body *body, void *arg, struct err *err) {
    if (store->in_txn)
        return body(store, arg, err);
    for (int attempt = 1;; attempt++) {
        if (run_once(store, body, arg, err))
            return true;
        if (!store->is_retryable || attempt == ATTEMPTS_MAX)
            return false;
        err_clear(err);
        pause_before(attempt);
    }
}

bool store_txn_lock(struct store *store, const char *name, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, name);
    return store_exec(store, &sql_query_lock, &p, NULL, err);
}
