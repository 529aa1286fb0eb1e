#include "sql/store_metrics.h"

#include "sql/embedded.h"

bool store_metrics_look(struct store *store, int jobs_max, json_t **ret_look, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_i64(&p, jobs_max);
    return store_exec_json(store, &sql_query_job_metrics, &p, ret_look, err);
}
