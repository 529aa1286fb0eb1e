#include "sql/store_audit.h"

#include "sql/embedded.h"

bool store_audit_add(struct store *store, const struct store_audit *row, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, row->account);
    store_bind_text(&p, row->actor);
    store_bind_text(&p, row->action);
    store_bind_text(&p, row->kind);
    store_bind_text(&p, row->object);
    store_bind_json(&p, row->before);
    store_bind_json(&p, row->after);
    store_bind_text(&p, row->request_id);
    store_bind_text(&p, row->peer);
    return store_exec(store, &sql_query_audit_add, &p, NULL, err);
}

bool store_audit_list(struct store *store, const char *account,
                      const struct store_audit_filter *filter, json_t **ret_list, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, account);
    store_bind_i64(&p, filter->before_number);
    store_bind_i64(&p, filter->limit);
    store_bind_text(&p, filter->object);
    store_bind_text(&p, filter->action);
    store_bind_text(&p, filter->actor);
    store_bind_i64(&p, filter->since_ms);
    store_bind_i64(&p, filter->until_ms);
    return store_exec_json(store, &sql_query_audit_list, &p, ret_list, err);
}
