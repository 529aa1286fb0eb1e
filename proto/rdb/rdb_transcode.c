#include "proto/rdb/rdb_transcode.h"

#include "proto/rdb/rdb_accept.h"
#include "proto/rdb/rdb_stream.h"
#include "proto/rdb/rdb_transcode_hash.h"
#include "proto/rdb/rdb_write.h"

void rdb_transcoder_init(struct rdb_transcoder *t, enum rdb_vendor from, enum rdb_vendor to,
                         size_t blob_max) {
    *t = (struct rdb_transcoder){.from = from, .to = to};
    rdb_elements_init(&t->elements, blob_max);
    rdb_stream_entries_init(&t->entries, blob_max);
}

void rdb_transcoder_done(struct rdb_transcoder *t) {
    rdb_elements_done(&t->elements);
    rdb_stream_entries_done(&t->entries);
}

bool rdb_transcode_put_piece(struct buf *out, const struct rdb_piece *piece, struct err *err) {
    if (piece->is_raw)
        return buf_append(out, piece->raw, err);
    if (piece->packed.is_number)
        return rdb_put_int(out, piece->packed.number, err);
    return rdb_put_str(out, piece->packed.bytes, err);
}

/* One element as the types of plain strings hold it. */
static bool put_element(struct rdb_transcoder *t, const struct rdb_element *element,
                        uint8_t to_type, struct buf *out, struct rdb_transcoded *ret,
                        struct err *err) {
    if (!rdb_transcode_put_piece(out, &element->name, err))
        return false;
    switch (to_type) {
    case RDB_TYPE_ZSET:
        return rdb_put_ascii_double(out, element->score, err);
    case RDB_TYPE_ZSET_2:
        return rdb_put_double(out, element->score, err);
    case RDB_TYPE_HASH:
        if (element->expire_at_ms && !t->drop_field_expiry)
            return err_set(err, ERR_DEST_RESTORE,
                           "a field of a hash expires, which the destination cannot hold");
        ret->losses += element->expire_at_ms != 0;
        return rdb_transcode_put_piece(out, &element->value, err);
    default:
        return true;
    }
}

static bool put_elements(struct rdb_transcoder *t, uint8_t type, struct str value, uint8_t to_type,
                         struct buf *out, struct rdb_transcoded *ret, struct err *err) {
    enum packed_next next;
    struct rdb_element element;
    uint64_t count = 0;
    size_t count_at;

    if (!rdb_elements_open(&t->elements, t->from, type, value, t->templates, err))
        return false;
    if (t->elements.kind != rdb_type_kind(t->to, to_type))
        return err_set(err, ERR_RDB_UNSUPPORTED, "type %u does not become type %u", type, to_type);
    if (!rdb_put_len_later(out, &count_at, err))
        return false;
    while ((next = rdb_elements_next(&t->elements, &element, err)) == PACKED_VALUE) {
        if (!put_element(t, &element, to_type, out, ret, err))
            return false;
        count++;
    }
    if (next == PACKED_WRONG)
        return false;
    if (count > UINT32_MAX)
        return err_set(err, ERR_TOO_BIG, "a value of more than %u elements", UINT32_MAX);
    rdb_set_len(out, count_at, (uint32_t)count);
    ret->empty = count == 0;
    return true;
}

/* The form within a DUMP: the names of the fields, then the values as they stand. */
static bool put_template(struct rdb_transcoder *t, uint8_t type, struct str value, struct buf *out,
                         struct err *err) {
    enum { FIELDS_STRINGS = 1 };
    struct rdb_element element;
    struct rdb_pieces fields;
    enum packed_next next;
    struct str values;

    if (!rdb_elements_open(&t->elements, t->from, type, value, t->templates, err))
        return false;
    fields = t->elements.fields;
    values = type == RDB_TYPE_HASH_TMPL_LP_REF ? value : t->elements.rest;
    do /* nothing is copied that was not checked */
        next = rdb_elements_next(&t->elements, &element, err);
    while (next == PACKED_VALUE);
    return next == PACKED_END && rdb_put_len(out, FIELDS_STRINGS, err) &&
           rdb_put_len(out, fields.left, err) && buf_append(out, fields.rest, err) &&
           buf_append(out, values, err);
}

static bool put_id(struct buf *out, struct rdb_stream_id id, struct err *err) {
    return rdb_put_len(out, id.ms, err) && rdb_put_len(out, id.seq, err);
}

static bool put_consumer(const struct rdb_stream_consumer *consumer, int to, struct buf *out,
                         struct err *err) {
    return buf_append(out, consumer->name, err) && rdb_put_u64(out, consumer->seen_ms, err) &&
           (to < 3 || rdb_put_u64(out, consumer->active_ms, err)) &&
           rdb_put_len(out, consumer->pending_count, err) &&
           buf_append(out, consumer->pending, err);
}

static bool put_group(const struct rdb_stream_group *group, int from, int to, struct buf *out,
                      struct err *err) {
    struct rdb_stream_consumer consumer;
    struct str rest = group->consumers;

    if (!buf_append(out, group->name, err) || !put_id(out, group->last, err) ||
        (to >= 2 && !rdb_put_len(out, group->entries_read, err)) ||
        !rdb_put_len(out, group->pending_count, err) || !buf_append(out, group->pending, err) ||
        !rdb_put_len(out, group->consumer_count, err))
        return false;
    while (rdb_stream_take_consumer(from, &rest, &consumer)) {
        if (!put_consumer(&consumer, to, out, err))
            return false;
    }
    return true;
}

static bool put_stream(struct rdb_transcoder *t, uint8_t type, struct str value, uint8_t to_type,
                       struct buf *out, struct err *err) {
    int to = rdb_stream_version(to_type);
    struct rdb_stream stream;
    struct rdb_stream_group group;
    struct str rest;

    if (!rdb_stream_open(type, value, &stream, err))
        return false;
    if (to == 0 || to > stream.version)
        return err_set(err, ERR_RDB_UNSUPPORTED, "type %u does not become type %u", type, to_type);
    /* They belong to no consumer, and no older type has a place for them. */
    if (stream.given_back > 0 && to < 5)
        return err_set(err, ERR_DEST_RESTORE,
                       "entries of a stream were given back with XNACK, which the destination "
                       "cannot hold: claim them for a consumer first");
    if (t->to == RDB_VALKEY && !rdb_stream_entries_count(&t->entries, &stream, &stream.length, err))
        return false;
    if (stream.entries_added < stream.length)
        stream.entries_added = stream.length;
    rest = stream.groups;
    if (!rdb_put_len(out, stream.node_count, err) || !buf_append(out, stream.nodes, err) ||
        !rdb_put_len(out, stream.length, err) || !put_id(out, stream.last, err))
        return false;
    if (to >= 2 && (!put_id(out, stream.first, err) || !put_id(out, stream.max_deleted, err) ||
                    !rdb_put_len(out, stream.entries_added, err)))
        return false;
    if (!rdb_put_len(out, stream.group_count, err))
        return false;
    while (rdb_stream_take_group(stream.version, &rest, &group)) {
        if (!put_group(&group, stream.version, to, out, err) ||
            (to >= 5 && (!rdb_put_len(out, group.given_back_count, err) ||
                         !buf_append(out, group.given_back, err))))
            return false;
    }
    return to < 4 || buf_append(out, stream.producers, err);
}

static bool put_value(struct rdb_transcoder *t, uint8_t type, struct str value, uint8_t to_type,
                      struct buf *out, struct rdb_transcoded *ret, struct err *err) {
    if (rdb_stream_version(type))
        return put_stream(t, type, value, to_type, out, err);
    if (rdb_type_has_field_expiry(t->to, to_type))
        return rdb_transcode_hash(t, type, value, out, ret, err);
    switch (to_type) {
    case RDB_TYPE_LIST:
    case RDB_TYPE_SET:
    case RDB_TYPE_ZSET:
    case RDB_TYPE_ZSET_2:
    case RDB_TYPE_HASH:
        return put_elements(t, type, value, to_type, out, ret, err);
    case RDB_TYPE_HASH_TMPL_LP:
    case RDB_TYPE_HASH_TMPL_ARRAY:
        if (t->from == RDB_REDIS && type == to_type + 1)
            return put_template(t, type, value, out, err);
        break;
    default:
        break;
    }
    return err_set(err, ERR_RDB_UNSUPPORTED, "type %u does not become type %u", type, to_type);
}

bool rdb_transcode(struct rdb_transcoder *t, uint8_t type, struct str value, uint8_t to_type,
                   struct buf *out, struct rdb_transcoded *ret, struct err *err) {
    struct rdb_transcoded done = {.type = to_type};
    size_t before = out->len;

    if (!put_value(t, type, value, to_type, out, &done, err)) {
        out->len = before;
        return false;
    }
    *ret = done;
    return true;
}
