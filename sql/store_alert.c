#include "sql/store_alert.h"

#include <stdio.h>

#include "sql/embedded.h"

bool store_alert_rule_add(struct store *store, const char *id, const char *account,
                          const json_t *rule, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, id);
    store_bind_text(&p, account);
    store_bind_json(&p, rule);
    return store_exec(store, &sql_query_alert_rule_insert, &p, NULL, err);
}

bool store_alert_rule_change(struct store *store, const char *id, int64_t version,
                             const json_t *rule, bool *ret_written, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, id);
    store_bind_i64(&p, version);
    store_bind_json(&p, rule);
    return store_exec_found(store, &sql_query_alert_rule_edit, &p, ret_written, err);
}

bool store_alert_rule_delete(struct store *store, const char *account, const char *id,
                             bool *ret_found, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, account);
    store_bind_text(&p, id);
    return store_exec_found(store, &sql_query_alert_rule_delete, &p, ret_found, err);
}

bool store_alert_rule_list(struct store *store, const char *account, const char *id,
                           const char *job, const char *before, int limit, json_t **ret_list,
                           struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, account);
    store_bind_text(&p, id);
    store_bind_text(&p, job);
    store_bind_text(&p, before);
    store_bind_i64(&p, limit);
    return store_exec_json(store, &sql_query_alert_rule_list, &p, ret_list, err);
}

bool store_alert_list(struct store *store, const char *account, const char *id, const char *state,
                      const char *job, const char *before, int limit, json_t **ret_list,
                      struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, account);
    store_bind_text(&p, id);
    if (state)
        store_bind_texts(&p, &state, 1);
    else
        store_bind_text(&p, NULL);
    store_bind_text(&p, job);
    store_bind_text(&p, before);
    store_bind_i64(&p, limit);
    return store_exec_json(store, &sql_query_alert_list, &p, ret_list, err);
}

bool store_alert_heed(struct store *store, const char *account, const char *id, const char *by,
                      int64_t until_ms, bool *ret_found, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, account);
    store_bind_text(&p, id);
    store_bind_text(&p, by);
    if (until_ms < 0)
        store_bind_text(&p, NULL);
    else
        store_bind_i64(&p, until_ms);
    return store_exec_found(store, &sql_query_alert_heed, &p, ret_found, err);
}

bool store_alert_turn(struct store *store, const char *alerter, int seconds, bool *ret_ours,
                      struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, alerter);
    store_bind_i64(&p, seconds);
    return store_exec_found(store, &sql_query_alert_turn, &p, ret_ours, err);
}

bool store_alert_turn_end(struct store *store, const char *alerter, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, alerter);
    return store_exec(store, &sql_query_alert_turn_end, &p, NULL, err);
}

bool store_alert_watch(struct store *store, json_t **ret_watch, struct err *err) {
    return store_exec_json(store, &sql_query_alert_watch, NULL, ret_watch, err);
}

bool store_alert_write(struct store *store, const struct store_alert *alert, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    char value[32];

    snprintf(value, sizeof(value), "%.10g", alert->value);
    store_bind_text(&p, alert->id);
    store_bind_text(&p, alert->account);
    store_bind_text(&p, alert->rule);
    store_bind_text(&p, alert->job);
    store_bind_text(&p, alert->type);
    store_bind_text(&p, alert->severity);
    store_bind_text(&p, alert->state);
    store_bind_text(&p, alert->has_value ? value : NULL);
    store_bind_text(&p, alert->detail);
    store_bind_i64(&p, alert->since_ms);
    store_bind_i64(&p, alert->well_since_ms);
    store_bind_i64(&p, alert->fired_ms);
    store_bind_i64(&p, alert->notified_ms);
    store_bind_bool(&p, alert->is_told);
    return store_exec(store, &sql_query_alert_write, &p, NULL, err);
}

bool store_alert_forget(struct store *store, const char *id, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, id);
    return store_exec(store, &sql_query_alert_forget, &p, NULL, err);
}

bool store_alert_end(struct store *store, const char *id, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, id);
    return store_exec(store, &sql_query_alert_end, &p, NULL, err);
}
