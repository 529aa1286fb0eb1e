#include "sql/store_worker.h"

#include "sql/embedded.h"

bool store_worker_seen(struct store *store, const struct store_worker *worker, bool *ret_drain,
                       struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;

    store_bind_text(&p, worker->id);
    store_bind_text(&p, worker->host);
    store_bind_i64(&p, worker->pid);
    store_bind_text(&p, worker->pool);
    store_bind_text(&p, worker->version);
    store_bind_i64(&p, worker->tasks_held);
    if (!store_exec(store, &sql_query_worker_seen, &p, &rows, err))
        return false;
    if (ret_drain)
        *ret_drain = store_bool(&rows, 0, 0);
    store_rows_done(&rows);
    return true;
}

bool store_worker_return(struct store *store, const char *id, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, id);
    return store_exec(store, &sql_query_worker_return, &p, NULL, err);
}

bool store_worker_gone(struct store *store, const char *id, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, id);
    return store_exec(store, &sql_query_worker_gone, &p, NULL, err);
}

bool store_worker_list(struct store *store, json_t **ret_workers, struct err *err) {
    struct store_rows rows = STORE_ROWS_INIT;

    if (!store_exec(store, &sql_query_worker_list, NULL, &rows, err))
        return false;
    *ret_workers = store_json(&rows, 0, 0);
    store_rows_done(&rows);
    return true;
}
