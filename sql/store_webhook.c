#include "sql/store_webhook.h"

#include <stdlib.h>
#include <string.h>

#include "sql/embedded.h"

enum { CONTACTS_MAX = 16 };

bool store_webhook_add(struct store *store, const char *id, const char *account,
                       const json_t *endpoint, struct str sealed, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, id);
    store_bind_text(&p, account);
    store_bind_json(&p, endpoint);
    store_bind_bytes(&p, sealed);
    return store_exec(store, &sql_query_webhook_endpoint_insert, &p, NULL, err);
}

bool store_webhook_change(struct store *store, const char *id, int64_t version,
                          const json_t *endpoint, struct str sealed, bool *ret_written,
                          struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, id);
    store_bind_i64(&p, version);
    store_bind_json(&p, endpoint);
    store_bind_bytes(&p, sealed);
    return store_exec_found(store, &sql_query_webhook_endpoint_edit, &p, ret_written, err);
}

bool store_webhook_delete(struct store *store, const char *account, const char *id, bool *ret_found,
                          struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, account);
    store_bind_text(&p, id);
    return store_exec_found(store, &sql_query_webhook_endpoint_delete, &p, ret_found, err);
}

bool store_webhook_list(struct store *store, const char *account, const char *id,
                        const char *before, int limit, json_t **ret_list, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, account);
    store_bind_text(&p, id);
    store_bind_text(&p, before);
    store_bind_i64(&p, limit);
    return store_exec_json(store, &sql_query_webhook_endpoint_list, &p, ret_list, err);
}

bool store_webhook_sealed(struct store *store, const char *account, const char *id,
                          struct buf *ret_sealed, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;
    bool ok;

    store_bind_text(&p, account);
    store_bind_text(&p, id);
    if (!store_exec(store, &sql_query_webhook_endpoint_sealed, &p, &rows, err))
        return false;
    ok = rows.count > 0 || err_set(err, ERR_NOT_FOUND, "there is no such webhook endpoint");
    ok = ok && store_bytes(&rows, 0, 0, ret_sealed, err);
    store_rows_done(&rows);
    return ok;
}

bool store_webhook_disable(struct store *store, const char *id, const char *reason,
                           struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, id);
    store_bind_text(&p, reason);
    return store_exec(store, &sql_query_webhook_endpoint_disable, &p, NULL, err);
}

bool store_webhook_deliveries(struct store *store, const char *account, const char *endpoint,
                              const char *id, const char *state, const char *before, int limit,
                              json_t **ret_list, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, account);
    store_bind_text(&p, endpoint);
    store_bind_text(&p, id);
    store_bind_text(&p, state);
    store_bind_text(&p, before);
    store_bind_i64(&p, limit);
    return store_exec_json(store, &sql_query_webhook_delivery_list, &p, ret_list, err);
}

bool store_webhook_redeliver(struct store *store, const char *account, const char *endpoint,
                             const char *id, bool *ret_found, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, account);
    store_bind_text(&p, endpoint);
    store_bind_text(&p, id);
    return store_exec_found(store, &sql_query_webhook_redeliver, &p, ret_found, err);
}

bool store_webhook_send(struct store *store, const struct store_notice *notice, bool *ret_sent,
                        struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, notice->id);
    store_bind_text(&p, notice->endpoint);
    store_bind_text(&p, notice->type);
    store_bind_text(&p, notice->alert);
    store_bind_text(&p, notice->job);
    store_bind_text(&p, notice->body);
    if (notice->attempts_max > 0)
        store_bind_i64(&p, notice->attempts_max);
    else
        store_bind_text(&p, NULL);
    return store_exec_found(store, &sql_query_webhook_send, &p, ret_sent, err);
}

bool store_webhook_targets(struct store *store, const char *account, const char *type,
                           const json_t *contacts, json_t **ret_ids, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    const char *ids[CONTACTS_MAX];
    size_t count = 0, i;
    const json_t *id;

    json_array_foreach((json_t *)(uintptr_t)contacts, i, id) {
        if (count < CONTACTS_MAX && json_is_string(id))
            ids[count++] = json_string_value(id);
    }
    store_bind_text(&p, account);
    store_bind_text(&p, type);
    store_bind_texts(&p, ids, count);
    return store_exec_json(store, &sql_query_webhook_targets, &p, ret_ids, err);
}

bool store_webhook_outbox(struct store *store, int limit, json_t **ret_events, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_i64(&p, limit);
    return store_exec_json(store, &sql_query_webhook_outbox_take, &p, ret_events, err);
}

bool store_webhook_pushes(struct store *store, int every_seconds, json_t **ret_pushes,
                          struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_i64(&p, every_seconds);
    return store_exec_json(store, &sql_query_webhook_pushes, &p, ret_pushes, err);
}

void store_delivery_done(struct store_delivery *d) {
    free(d->url);
    free(d->body);
    buf_done(&d->sealed);
    *d = (struct store_delivery){.url = NULL};
}

static char *copy_text(const struct store_rows *rows, int row, int column) {
    char *copy = strdup(store_text(rows, row, column));

    if (!copy)
        abort(); /* both have a size that the API limited */
    return copy;
}

bool store_webhook_claim(struct store *store, int limit, int each, struct store_delivery *ret,
                         int *ret_count, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;
    bool ok = true;

    store_bind_i64(&p, limit);
    store_bind_i64(&p, each);
    if (!store_exec(store, &sql_query_webhook_claim, &p, &rows, err))
        return false;
    for (int i = 0; ok && i < rows.count; i++) {
        struct store_delivery *d = &ret[i];

        *d = (struct store_delivery){.sealed = BUF_INIT(STORE_WEBHOOK_SEALED_MAX)};
        store_text_copy(&rows, i, 0, d->id, sizeof(d->id));
        store_text_copy(&rows, i, 1, d->endpoint, sizeof(d->endpoint));
        store_text_copy(&rows, i, 2, d->type, sizeof(d->type));
        d->body = copy_text(&rows, i, 3);
        d->attempts = (int)store_i64(&rows, i, 4);
        d->attempts_max = (int)store_i64(&rows, i, 5);
        d->url = copy_text(&rows, i, 6);
        store_text_copy(&rows, i, 7, d->kind, sizeof(d->kind));
        d->timeout_ms = (int)store_i64(&rows, i, 8);
        ok = store_bytes(&rows, i, 9, &d->sealed, err);
        *ret_count = i + 1;
    }
    if (rows.count == 0)
        *ret_count = 0;
    store_rows_done(&rows);
    for (int i = 0; !ok && i < *ret_count; i++)
        store_delivery_done(&ret[i]);
    return ok;
}

bool store_webhook_note(struct store *store, const struct store_attempt *attempt, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, attempt->delivery);
    store_bind_i64(&p, attempt->number);
    store_bind_i64(&p, attempt->duration_ms);
    if (attempt->status)
        store_bind_i64(&p, attempt->status);
    else
        store_bind_text(&p, NULL);
    store_bind_text(&p, attempt->error);
    store_bind_text(&p, attempt->answer);
    store_bind_text(&p, attempt->state);
    store_bind_i64(&p, attempt->next_in_ms);
    return store_exec(store, &sql_query_webhook_note, &p, NULL, err);
}
