#include "proto/rdb/rdb_stream.h"

#include "proto/base/bytes.h"
#include "proto/rdb/rdb.h"
#include "proto/rdb/rdb_string.h"

int rdb_stream_id_compare(struct rdb_stream_id a, struct rdb_stream_id b) {
    if (a.ms != b.ms)
        return a.ms < b.ms ? -1 : 1;
    return a.seq == b.seq ? 0 : a.seq < b.seq ? -1 : 1;
}

struct rdb_stream_id rdb_stream_id_load(const char *p) {
    return (struct rdb_stream_id){.ms = load_be64(p), .seq = load_be64(p + 8)};
}

int rdb_stream_version(uint8_t type) {
    switch (type) {
    case RDB_TYPE_STREAM:
        return 1;
    case RDB_TYPE_STREAM_2:
        return 2;
    case RDB_TYPE_STREAM_3:
        return 3;
    case RDB_TYPE_STREAM_4:
        return 4;
    case RDB_TYPE_STREAM_5:
        return 5;
    default:
        return 0;
    }
}

static bool take_bytes(struct str *rest, uint64_t len, struct str *ret) {
    if (len > rest->len)
        return false;
    *ret = str_first(*rest, (size_t)len);
    *rest = str_skip(*rest, (size_t)len);
    return true;
}

static bool take_u64(struct str *rest, uint64_t *ret) {
    struct str bytes;

    if (!take_bytes(rest, 8, &bytes))
        return false;
    *ret = load_le64(bytes.ptr);
    return true;
}

static bool take_id(struct str *rest, struct rdb_stream_id *ret) {
    return rdb_take_len(rest, &ret->ms) && rdb_take_len(rest, &ret->seq);
}

/* A count and so many ids. */
static bool take_ids(struct str *rest, struct str *ret_ids, uint64_t *ret_count) {
    return rdb_take_len(rest, ret_count) && *ret_count <= rest->len / RDB_STREAM_ID_SIZE &&
           take_bytes(rest, *ret_count * RDB_STREAM_ID_SIZE, ret_ids);
}

bool rdb_stream_take_pending(struct str *rest, struct rdb_stream_pending *ret) {
    struct str at = *rest, id;

    if (!take_bytes(&at, RDB_STREAM_ID_SIZE, &id) || !take_u64(&at, &ret->delivered_ms) ||
        !rdb_take_len(&at, &ret->deliveries))
        return false;
    ret->id = rdb_stream_id_load(id.ptr);
    *rest = at;
    return true;
}

bool rdb_stream_take_consumer(int version, struct str *rest, struct rdb_stream_consumer *ret) {
    struct str at = *rest;

    if (!rdb_take_str(&at, &ret->name) || !take_u64(&at, &ret->seen_ms))
        return false;
    ret->active_ms = ret->seen_ms;
    if (version >= 3 && !take_u64(&at, &ret->active_ms))
        return false;
    if (!take_ids(&at, &ret->pending, &ret->pending_count))
        return false;
    *rest = at;
    return true;
}

/* Every part takes at least a byte, so however many a peer announces, the bytes that
 * are there bound the loops below. */

bool rdb_stream_take_group(int version, struct str *rest, struct rdb_stream_group *ret) {
    struct rdb_stream_pending pending;
    struct rdb_stream_consumer consumer;
    struct str at = *rest;
    struct str start;

    *ret = (struct rdb_stream_group){.entries_read = UINT64_MAX};
    if (!rdb_take_str(&at, &ret->name) || !take_id(&at, &ret->last))
        return false;
    if (version >= 2 && !rdb_take_len(&at, &ret->entries_read))
        return false;
    if (!rdb_take_len(&at, &ret->pending_count))
        return false;
    start = at;
    for (uint64_t i = 0; i < ret->pending_count; i++) {
        if (!rdb_stream_take_pending(&at, &pending))
            return false;
    }
    ret->pending = str_first(start, start.len - at.len);
    if (!rdb_take_len(&at, &ret->consumer_count))
        return false;
    start = at;
    for (uint64_t i = 0; i < ret->consumer_count; i++) {
        if (!rdb_stream_take_consumer(version, &at, &consumer))
            return false;
    }
    ret->consumers = str_first(start, start.len - at.len);
    if (version >= 5 && !take_ids(&at, &ret->given_back, &ret->given_back_count))
        return false;
    *rest = at;
    return true;
}

static bool take_nodes(struct str *rest, struct rdb_stream *ret) {
    struct str start;
    struct str raw;

    if (!rdb_take_len(rest, &ret->node_count))
        return false;
    start = *rest;
    for (uint64_t i = 0; i < ret->node_count; i++) {
        if (!rdb_take_str(rest, &raw) || !rdb_take_str(rest, &raw))
            return false;
    }
    ret->nodes = str_first(start, start.len - rest->len);
    return true;
}

static bool take_counters(struct str *rest, struct rdb_stream *ret) {
    if (!rdb_take_len(rest, &ret->length) || !take_id(rest, &ret->last))
        return false;
    ret->entries_added = ret->length;
    return ret->version < 2 || (take_id(rest, &ret->first) && take_id(rest, &ret->max_deleted) &&
                                rdb_take_len(rest, &ret->entries_added));
}

static bool take_groups(struct str *rest, struct rdb_stream *ret) {
    struct rdb_stream_group group;
    struct str start;

    if (!rdb_take_len(rest, &ret->group_count))
        return false;
    start = *rest;
    for (uint64_t i = 0; i < ret->group_count; i++) {
        if (!rdb_stream_take_group(ret->version, rest, &group))
            return false;
        ret->given_back += group.given_back_count;
    }
    ret->groups = str_first(start, start.len - rest->len);
    return true;
}

/* How long entries are known to producers, how many; each producer's; two counters. */
static bool take_producers(struct str *rest, struct rdb_stream *ret) {
    uint64_t ignored, producers, entries;
    struct str start = *rest;
    struct str raw;

    if (!rdb_take_len(rest, &ignored) || !rdb_take_len(rest, &ignored) ||
        !rdb_take_len(rest, &producers))
        return false;
    for (uint64_t i = 0; i < producers; i++) {
        if (!rdb_take_str(rest, &raw) || !rdb_take_len(rest, &entries))
            return false;
        for (uint64_t j = 0; j < entries; j++) {
            if (!rdb_take_str(rest, &raw) || !rdb_take_len(rest, &ignored) ||
                !rdb_take_len(rest, &ignored))
                return false;
        }
    }
    if (!rdb_take_len(rest, &ignored) || !rdb_take_len(rest, &ignored))
        return false;
    ret->producers = str_first(start, start.len - rest->len);
    return true;
}

bool rdb_stream_open(uint8_t type, struct str value, struct rdb_stream *ret, struct err *err) {
    struct rdb_stream stream = {.version = rdb_stream_version(type)};
    struct str rest = value;

    if (stream.version == 0)
        return err_set(err, ERR_RDB_UNSUPPORTED, "type %u is no stream", type);
    if (!take_nodes(&rest, &stream) || !take_counters(&rest, &stream) ||
        !take_groups(&rest, &stream) || (stream.version >= 4 && !take_producers(&rest, &stream)) ||
        rest.len > 0)
        return err_set(err, ERR_RDB_CORRUPT, "a stream of %zu bytes is damaged", value.len);
    *ret = stream;
    return true;
}
