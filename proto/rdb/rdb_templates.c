#include "proto/rdb/rdb_templates.h"

#include <inttypes.h>

struct template_row {
    uint64_t id, count;
    size_t at, len; /* in the bytes of all */
};

void rdb_templates_init(struct rdb_templates *t, size_t bytes_max) {
    *t = (struct rdb_templates){.fields = BUF_INIT(bytes_max), .rows = BUF_INIT(bytes_max)};
}

void rdb_templates_done(struct rdb_templates *t) {
    buf_done(&t->fields);
    buf_done(&t->rows);
}

void rdb_templates_clear(struct rdb_templates *t) {
    buf_clear(&t->fields);
    buf_clear(&t->rows);
}

static struct template_row row_at(const struct rdb_templates *t, size_t i) {
    struct template_row row;

    memcpy(&row, t->rows.ptr + i * sizeof(row), sizeof(row));
    return row;
}

/* The first row whose id is not below `id`. */
static size_t place_of(const struct rdb_templates *t, uint64_t id) {
    size_t low = 0, high = t->rows.len / sizeof(struct template_row);

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (row_at(t, middle).id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool rdb_templates_add(struct rdb_templates *t, uint64_t id, uint64_t count, struct str fields,
                       struct err *err) {
    struct template_row row = {.id = id, .count = count, .at = t->fields.len, .len = fields.len};
    size_t at = place_of(t, id) * sizeof(row), behind = t->rows.len - at;

    if (behind > 0 && row_at(t, at / sizeof(row)).id == id)
        return err_set(err, ERR_RDB_CORRUPT, "hash template %" PRIu64 " is announced twice", id);
    if (!buf_reserve(&t->rows, sizeof(row), err) || !buf_append(&t->fields, fields, err))
        return err_wrap(err, "remembering hash template %" PRIu64, id);
    memmove(t->rows.ptr + at + sizeof(row), t->rows.ptr + at, behind);
    memcpy(t->rows.ptr + at, &row, sizeof(row));
    t->rows.len += sizeof(row);
    return true;
}

bool rdb_templates_find(const struct rdb_templates *t, uint64_t id, struct rdb_template *ret) {
    size_t at = place_of(t, id);
    struct template_row row;

    if (at * sizeof(row) >= t->rows.len)
        return false;
    row = row_at(t, at);
    if (row.id != id)
        return false;
    *ret = (struct rdb_template){
        .id = id, .count = row.count, .fields = str_of(t->fields.ptr + row.at, row.len)};
    return true;
}
