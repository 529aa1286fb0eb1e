#include "sql/store_secret.h"

#include <stdio.h>
#include <stdlib.h>

#include "sql/embedded.h"

static void bind_keys(struct store_params *p, const uint32_t *keys, size_t count) {
    char(*text)[12] = calloc(count + 1, sizeof(*text));
    const char **values = calloc(count + 1, sizeof(*values));

    if (!text || !values)
        abort();
    for (size_t i = 0; i < count; i++) {
        snprintf(text[i], sizeof(text[i]), "%u", keys[i]);
        values[i] = text[i];
    }
    store_bind_texts(p, values, count);
    free(values);
    free(text);
}

static bool read_row(const struct store_rows *rows, int row, struct store_secret *ret,
                     struct err *err) {
    *ret = (struct store_secret){.sealed = BUF_INIT(STORE_SECRET_MAX)};
    store_text_copy(rows, row, 0, ret->place.kind, sizeof(ret->place.kind));
    store_text_copy(rows, row, 1, ret->place.row, sizeof(ret->place.row));
    store_text_copy(rows, row, 2, ret->identity, sizeof(ret->identity));
    return store_bytes(rows, row, 3, &ret->sealed, err);
}

bool store_secret_under(struct store *store, const uint32_t *keys, size_t key_count,
                        const struct store_secret_place *after, size_t limit,
                        struct store_secret *ret, size_t *ret_count, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;
    size_t count = 0;
    bool ok = true;

    bind_keys(&p, keys, key_count);
    store_bind_text(&p, after->kind);
    store_bind_text(&p, after->row);
    store_bind_i64(&p, (int64_t)limit);
    if (!store_exec(store, &sql_query_secret_under, &p, &rows, err))
        return false;
    for (; ok && count < limit && (int)count < rows.count; count++)
        ok = read_row(&rows, (int)count, &ret[count], err);
    store_rows_done(&rows);
    if (ok) {
        *ret_count = count;
        return true;
    }
    for (size_t i = 0; i < count; i++)
        buf_done(&ret[i].sealed);
    return false;
}

bool store_secret_replace(struct store *store, const struct store_secret *was, struct str sealed,
                          bool *ret_written, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, was->place.kind);
    store_bind_text(&p, was->place.row);
    store_bind_bytes(&p, buf_str(&was->sealed));
    store_bind_bytes(&p, sealed);
    return store_exec_found(store, &sql_query_secret_replace, &p, ret_written, err);
}

bool store_secret_get(struct store *store, const char *kind, const char *row, struct buf *ret,
                      struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;
    bool ok;

    store_bind_text(&p, kind);
    store_bind_text(&p, row);
    if (!store_exec(store, &sql_query_secret_get, &p, &rows, err))
        return false;
    ok = rows.count == 0 || store_bytes(&rows, 0, 0, ret, err);
    store_rows_done(&rows);
    return ok;
}

bool store_secret_keys(struct store *store, json_t **ret_keys, struct err *err) {
    return store_exec_json(store, &sql_query_secret_keys, NULL, ret_keys, err);
}
