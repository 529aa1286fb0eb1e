#include "proto/rdb/rdb_stream_entries.h"

#include "proto/base/bytes.h"
#include "proto/rdb/rdb_string.h"

enum { DELETED = 1, SAME_NAMES = 2 }; /* flags of an entry */

void rdb_stream_entries_init(struct rdb_stream_entries *e, size_t blob_max) {
    *e = (struct rdb_stream_entries){.blob = BUF_INIT(blob_max)};
}

void rdb_stream_entries_done(struct rdb_stream_entries *e) {
    buf_done(&e->blob);
}

void rdb_stream_entries_open(struct rdb_stream_entries *e, const struct rdb_stream *stream) {
    e->nodes = stream->nodes;
    e->nodes_left = stream->node_count;
    e->in_node = e->any = false;
}

static bool take_number(struct listpack *lp, int64_t *ret) {
    struct packed_value value;

    if (listpack_next(lp, &value) != PACKED_VALUE || !value.is_number)
        return false;
    *ret = value.number;
    return true;
}

static bool take_count(struct listpack *lp, uint64_t *ret) {
    int64_t number;

    if (!take_number(lp, &number) || number < 0)
        return false;
    *ret = (uint64_t)number;
    return true;
}

static bool skip_values(struct listpack *lp, uint64_t count) {
    struct packed_value value;

    for (uint64_t i = 0; i < count; i++) {
        if (listpack_next(lp, &value) != PACKED_VALUE)
            return false;
    }
    return true;
}

static bool corrupt(struct err *err) {
    return err_set(err, ERR_RDB_CORRUPT, "a node of a stream is damaged");
}

static bool open_node(struct rdb_stream_entries *e, struct err *err) {
    struct str raw_key, raw_blob, key, blob;
    uint64_t ignored, zero;

    if (!rdb_take_str(&e->nodes, &raw_key) || !rdb_take_str(&e->nodes, &raw_blob))
        return corrupt(err);
    e->nodes_left--;
    if (!rdb_string_decode(raw_key, &e->blob, &key, err))
        return false;
    if (key.len != RDB_STREAM_ID_SIZE)
        return corrupt(err);
    e->key = rdb_stream_id_load(key.ptr);
    if (!rdb_string_decode(raw_blob, &e->blob, &blob, err) || !listpack_open(&e->lp, blob, err))
        return false;
    if (!take_count(&e->lp, &ignored) || !take_count(&e->lp, &ignored) ||
        !take_count(&e->lp, &e->name_count))
        return corrupt(err);
    e->names = e->lp;
    if (!skip_values(&e->lp, e->name_count) || !take_count(&e->lp, &zero) || zero != 0)
        return corrupt(err);
    e->in_node = true;
    return true;
}

/* The entry at e->lp, deleted or not; e->lp moves behind it. */
static bool take_entry(struct rdb_stream_entries *e, struct rdb_stream_entry *ret,
                       bool *ret_deleted, struct err *err) {
    int64_t flags, ms, seq;
    uint64_t values, ignored;

    if (!take_number(&e->lp, &flags) || !take_number(&e->lp, &ms) || !take_number(&e->lp, &seq))
        return corrupt(err);
    *ret = (struct rdb_stream_entry){
        .id = {.ms = e->key.ms + (uint64_t)ms, .seq = e->key.seq + (uint64_t)seq},
        .same_names = flags & SAME_NAMES,
        .field_count = e->name_count,
        .names = e->names,
    };
    *ret_deleted = flags & DELETED;
    if (!ret->same_names && !take_count(&e->lp, &ret->field_count))
        return corrupt(err);
    ret->left = ret->field_count;
    ret->values = e->lp;
    values = ret->same_names ? ret->field_count : ret->field_count * 2;
    if (ret->field_count > UINT64_MAX / 2 || !skip_values(&e->lp, values) ||
        !take_count(&e->lp, &ignored))
        return corrupt(err);
    return true;
}

enum packed_next rdb_stream_entries_next(struct rdb_stream_entries *e, struct rdb_stream_entry *ret,
                                         struct err *err) {
    bool deleted;

    for (;;) {
        struct listpack ahead = e->lp;
        struct packed_value value;

        if (!e->in_node && e->nodes_left == 0)
            return PACKED_END;
        if (!e->in_node) {
            if (!open_node(e, err))
                return PACKED_WRONG;
            continue;
        }
        if (listpack_next(&ahead, &value) == PACKED_END) {
            e->in_node = false;
            continue;
        }
        if (!take_entry(e, ret, &deleted, err))
            return PACKED_WRONG;
        if (deleted)
            continue;
        if (e->any && rdb_stream_id_compare(ret->id, e->last) <= 0) {
            err_set(err, ERR_RDB_CORRUPT, "the entries of a stream are not in order");
            return PACKED_WRONG;
        }
        e->any = true;
        e->last = ret->id;
        return PACKED_VALUE;
    }
}

enum packed_next rdb_stream_entry_next(struct rdb_stream_entry *entry, struct packed_value *ret) {
    struct listpack *from =
        entry->same_names && !entry->value_next ? &entry->names : &entry->values;

    if (entry->left == 0)
        return PACKED_END;
    if (entry->value_next)
        entry->left--;
    entry->value_next = !entry->value_next;
    return listpack_next(from, ret);
}

bool rdb_stream_entries_count(struct rdb_stream_entries *e, const struct rdb_stream *stream,
                              uint64_t *ret_count, struct err *err) {
    struct rdb_stream_entry entry;
    enum packed_next next;
    uint64_t count = 0;

    rdb_stream_entries_open(e, stream);
    while ((next = rdb_stream_entries_next(e, &entry, err)) == PACKED_VALUE)
        count++;
    if (next == PACKED_WRONG)
        return false;
    *ret_count = count;
    return true;
}

bool rdb_stream_entries_match(struct rdb_stream_entries *e, uint8_t type, struct str value) {
    struct err ignored = ERR_INIT;
    struct rdb_stream stream;
    uint64_t count;

    return rdb_stream_open(type, value, &stream, &ignored) &&
           rdb_stream_entries_count(e, &stream, &count, &ignored) && count == stream.length;
}
