/* store_bind.c - parameters and columns of store.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql/json_load.h"
#include "sql/store_private.h"

/* Takes the ownership of `value`. */
static void bind(struct store_params *p, char *value, size_t len, bool is_binary) {
    if (p->count >= STORE_PARAMS_MAX || len > INT32_MAX)
        abort(); /* our own mistake: the statements are ours, values were limited before */
    p->value[p->count] = value;
    p->length[p->count] = (int)len;
    p->is_binary[p->count] = is_binary;
    p->count++;
}

static char *dup_bytes(const char *bytes, size_t len) {
    char *copy = malloc(len + 1);

    if (!copy)
        abort();
    memcpy(copy, bytes, len);
    copy[len] = '\0';
    return copy;
}

void store_bind_text(struct store_params *p, const char *value) {
    if (value)
        store_bind_str(p, str_from(value));
    else
        bind(p, NULL, 0, false);
}

void store_bind_str(struct store_params *p, struct str value) {
    bind(p, dup_bytes(value.ptr, value.len), value.len, false);
}

void store_bind_i64(struct store_params *p, int64_t value) {
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, value);
    store_bind_text(p, text);
}

void store_bind_bool(struct store_params *p, bool value) {
    store_bind_text(p, value ? "t" : "f");
}

/* job text, task int8, lease epoch int8, worker text */
void store_bind_lease(struct store_params *p, const struct store_lease *lease) {
    store_bind_text(p, lease->job);
    store_bind_i64(p, lease->task);
    store_bind_i64(p, lease->epoch);
    store_bind_text(p, lease->worker);
}

void store_bind_bytes(struct store_params *p, struct str value) {
    if (value.len)
        bind(p, dup_bytes(value.ptr, value.len), value.len, true);
    else
        bind(p, NULL, 0, false);
}

void store_bind_json(struct store_params *p, const json_t *value) {
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

    if (value && !text)
        abort();
    store_bind_text(p, text);
    if (text) {
        json_malloc_t allocate;
        json_free_t release;

        json_get_alloc_funcs(&allocate, &release);
        release(text);
    }
}

void store_bind_texts(struct store_params *p, const char *const *values, size_t count) {
    size_t size = 3;
    char *text, *at;

    for (size_t i = 0; i < count; i++)
        size += values[i] ? 2 * strlen(values[i]) + 3 : 5;
    text = at = malloc(size);
    if (!text)
        abort();
    *at++ = '{';
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            *at++ = ',';
        if (!values[i]) {
            memcpy(at, "NULL", 4);
            at += 4;
            continue;
        }
        *at++ = '"';
        for (const char *c = values[i]; *c; c++) {
            if (*c == '"' || *c == '\\')
                *at++ = '\\';
            *at++ = *c;
        }
        *at++ = '"';
    }
    *at++ = '}';
    *at = '\0';
    bind(p, text, (size_t)(at - text), false);
}

void store_rows_done(struct store_rows *rows) {
    PQclear(rows->result);
    *rows = STORE_ROWS_INIT;
}

bool store_is_null(const struct store_rows *rows, int row, int column) {
    return PQgetisnull(rows->result, row, column);
}

const char *store_text(const struct store_rows *rows, int row, int column) {
    return PQgetvalue(rows->result, row, column);
}

void store_text_copy(const struct store_rows *rows, int row, int column, char *dst, size_t size) {
    size_t len = (size_t)PQgetlength(rows->result, row, column);

    if (len >= size)
        len = size - 1;
    memcpy(dst, store_text(rows, row, column), len);
    dst[len] = '\0';
}

int64_t store_i64(const struct store_rows *rows, int row, int column) {
    return strtoll(store_text(rows, row, column), NULL, 10);
}

bool store_bool(const struct store_rows *rows, int row, int column) {
    return store_text(rows, row, column)[0] == 't';
}

json_t *store_json(const struct store_rows *rows, int row, int column) {
    if (store_is_null(rows, row, column))
        return NULL;
    return json_load(store_text(rows, row, column));
}

bool store_bytes(const struct store_rows *rows, int row, int column, struct buf *ret,
                 struct err *err) {
    unsigned char *bytes;
    size_t len = 0;
    bool ok;

    buf_clear(ret);
    if (store_is_null(rows, row, column))
        return true;
    bytes = PQunescapeBytea((const unsigned char *)store_text(rows, row, column), &len);
    if (!bytes)
        return err_set(err, ERR_MEMORY, "reading bytes of a row");
    ok = buf_append(ret, str_of(bytes, len), err);
    PQfreemem(bytes);
    return ok;
}

bool store_exec_json(struct store *store, const struct sql_text *query, struct store_params *params,
                     json_t **ret_value, struct err *err) {
    struct store_rows rows = STORE_ROWS_INIT;

    if (!store_exec(store, query, params, &rows, err))
        return false;
    *ret_value = rows.count ? store_json(&rows, 0, 0) : NULL;
    store_rows_done(&rows);
    return true;
}

bool store_exec_found(struct store *store, const struct sql_text *query,
                      struct store_params *params, bool *ret_found, struct err *err) {
    struct store_rows rows = STORE_ROWS_INIT;

    if (!store_exec(store, query, params, &rows, err))
        return false;
    *ret_found = rows.count > 0;
    store_rows_done(&rows);
    return true;
}
