#include "sql/store_rejected.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sql/embedded.h"

enum { SEALED_MAX = 64 * 1024 };

bool store_rejected_add(struct store *store, const struct store_rejected *row, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, row->job);
    store_bind_i64(&p, row->task);
    store_bind_i64(&p, row->generation);
    store_bind_i64(&p, row->offset);
    store_bind_text(&p, row->command);
    store_bind_i64(&p, row->database);
    store_bind_text(&p, row->key_hash);
    store_bind_text(&p, row->reason);
    store_bind_bytes(&p, row->sealed);
    return store_exec(store, &sql_query_rejected_add, &p, NULL, err);
}

bool store_rejected_list(struct store *store, const char *job, int64_t after, int limit,
                         json_t **ret_items, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, job);
    store_bind_i64(&p, after);
    store_bind_i64(&p, limit);
    return store_exec_json(store, &sql_query_rejected_list, &p, ret_items, err);
}

static bool one_number(struct store *store, const struct sql_text *query, struct store_params *p,
                       int64_t *ret, struct err *err) {
    struct store_rows rows = STORE_ROWS_INIT;

    if (!store_exec(store, query, p, &rows, err))
        return false;
    *ret = store_i64(&rows, 0, 0);
    store_rows_done(&rows);
    return true;
}

bool store_rejected_want(struct store *store, const char *job, const char *const *ids, size_t count,
                         int64_t *ret_wanted, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, job);
    if (count > 0)
        store_bind_texts(&p, ids, count);
    else
        store_bind_text(&p, NULL);
    return one_number(store, &sql_query_rejected_want, &p, ret_wanted, err);
}

bool store_rejected_last(struct store *store, const char *job, int task, int64_t *ret_replay,
                         struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, job);
    store_bind_i64(&p, task);
    return one_number(store, &sql_query_rejected_last, &p, ret_replay, err);
}

bool store_rejected_next(struct store *store, const char *job, int task, int64_t after,
                         struct store_replay *ret, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;
    bool ok = true;

    *ret = (struct store_replay){.sealed = BUF_INIT(SEALED_MAX)};
    store_bind_text(&p, job);
    store_bind_i64(&p, task);
    store_bind_i64(&p, after);
    if (!store_exec(store, &sql_query_rejected_next, &p, &rows, err))
        return false;
    if (rows.count > 0) {
        ret->replay = store_i64(&rows, 0, 0);
        ret->generation = store_i64(&rows, 0, 1);
        ret->offset = store_i64(&rows, 0, 2);
        ret->database = (int)store_i64(&rows, 0, 3);
        ok = store_bytes(&rows, 0, 4, &ret->sealed, err);
    }
    store_rows_done(&rows);
    return ok;
}

bool store_rejected_result(struct store *store, const char *job, int64_t replay, const char *detail,
                           struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, job);
    store_bind_i64(&p, replay);
    store_bind_text(&p, detail ? "refused" : "replayed");
    store_bind_text(&p, detail);
    return store_exec(store, &sql_query_rejected_result, &p, NULL, err);
}

/* ---- counts ---- */

bool store_command_count_put(struct store *store, const struct store_command_count *counts,
                             size_t count, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    const char **columns = calloc(5 * (count + 1), sizeof(*columns));
    char(*text)[24] = calloc(3 * (count + 1), sizeof(*text));

    if (!columns || !text)
        abort();
    for (size_t i = 0; i < count; i++) {
        int64_t numbers[3] = {counts[i].applied, counts[i].skipped, counts[i].rejected};

        columns[i] = counts[i].job;
        columns[count + i] = counts[i].command;
        for (size_t n = 0; n < 3; n++) {
            snprintf(text[n * count + i], sizeof(text[0]), "%" PRId64, numbers[n]);
            columns[(n + 2) * count + i] = text[n * count + i];
        }
    }
    for (size_t column = 0; column < 5; column++)
        store_bind_texts(&p, columns + column * count, count);
    free(columns);
    free(text);
    return store_exec(store, &sql_query_command_count_put, &p, NULL, err);
}

bool store_command_count_list(struct store *store, const char *job, json_t **ret_items,
                              struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, job);
    return store_exec_json(store, &sql_query_command_count_list, &p, ret_items, err);
}
