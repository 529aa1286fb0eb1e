#include "sql/store_event.h"

#include "sql/embedded.h"

static bool read_events(struct store *store, const struct sql_text *query, struct store_params *p,
                        json_t **ret_events, struct err *err) {
    struct store_rows rows = STORE_ROWS_INIT;

    if (!store_exec(store, query, p, &rows, err))
        return false;
    *ret_events = store_json(&rows, 0, 0);
    store_rows_done(&rows);
    return true;
}

bool store_event_list(struct store *store, const char *job, int64_t after, int limit,
                      json_t **ret_events, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, job);
    store_bind_i64(&p, after);
    store_bind_i64(&p, limit);
    return read_events(store, &sql_query_event_list, &p, ret_events, err);
}

bool store_event_recent(struct store *store, const char *account,
                        const struct store_event_place *behind, int limit, json_t **ret_events,
                        struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, account);
    store_bind_i64(&p, behind->at_us);
    store_bind_text(&p, behind->job);
    store_bind_i64(&p, behind->number);
    store_bind_i64(&p, limit);
    return read_events(store, &sql_query_event_recent, &p, ret_events, err);
}

bool store_event_add(struct store *store, const char *job, const char *type, const char *sentence,
                     const char *detail, const char *actor, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;
    bool ok;

    store_bind_text(&p, job);
    store_bind_text(&p, type);
    store_bind_text(&p, sentence);
    store_bind_text(&p, detail);
    store_bind_text(&p, actor);
    if (!store_exec(store, &sql_query_event_add, &p, &rows, err))
        return false;
    ok = rows.count == 1 || err_set(err, ERR_NOT_FOUND, "there is no such job");
    store_rows_done(&rows);
    return ok;
}
