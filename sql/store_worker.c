#include "sql/store_worker.h"

#include "sql/embedded.h"

bool store_worker_seen(struct store *store, const struct store_worker *worker,
                       struct store_worker_wish *ret_wish, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;

    store_bind_text(&p, worker->id);
    store_bind_text(&p, worker->host);
    store_bind_i64(&p, worker->pid);
    store_bind_text(&p, worker->pool);
    store_bind_text(&p, worker->version);
    store_bind_i64(&p, worker->tasks_held);
    store_bind_json(&p, worker->reported);
    if (!store_exec(store, &sql_query_worker_seen, &p, &rows, err))
        return false;
    if (ret_wish)
        *ret_wish = (struct store_worker_wish){.drain = store_bool(&rows, 0, 0),
                                               .places = store_i64(&rows, 0, 1)};
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

bool store_worker_drain(struct store *store, const char *id, bool drain, bool *ret_found,
                        struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, id);
    store_bind_bool(&p, drain);
    return store_exec_found(store, &sql_query_worker_drain, &p, ret_found, err);
}

bool store_worker_list(struct store *store, const char *pool, const char *state,
                       json_t **ret_workers, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, pool);
    store_bind_text(&p, state);
    return store_exec_json(store, &sql_query_worker_list, &p, ret_workers, err);
}

bool store_worker_get(struct store *store, const char *id, json_t **ret_worker, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, id);
    return store_exec_json(store, &sql_query_worker_get, &p, ret_worker, err);
}

bool store_worker_pools(struct store *store, const char *pool, json_t **ret_pools,
                        struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, pool);
    return store_exec_json(store, &sql_query_worker_pools, &p, ret_pools, err);
}

bool store_worker_egress(struct store *store, const char *pool, json_t **ret_pools,
                         struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, pool);
    return store_exec_json(store, &sql_query_worker_egress, &p, ret_pools, err);
}
