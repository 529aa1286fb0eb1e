/* rdb_stream.h - the parts of a stream's value, of all five of its types.
 *
 * Pure, allocates nothing: slices of the value. Opening it walks the whole value
 * once, so what is taken afterwards is whole. The entries themselves are packed in
 * the nodes: rdb_stream_entries.h.
 *
 *     type    15 (v1)  19 (v2: counters)  21 (v3: active times)
 *             26 (v4: idempotent producers)  27 (v5: entries given back)
 *
 * Source: rdbSaveObject() and rdbLoadObject() of Redis 5.0 to 8.8.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "proto/base/str.h"

struct rdb_stream_id {
    uint64_t ms, seq;
};

/* Less than, equal to or greater than 0. */
int rdb_stream_id_compare(struct rdb_stream_id a, struct rdb_stream_id b);

/* 16 bytes, big endian: as node keys and pending lists hold it. */
struct rdb_stream_id rdb_stream_id_load(const char *p);

struct rdb_stream {
    int version;      /* 1 to 5 */
    struct str nodes; /* node_count pairs of raw strings: first id, listpack */
    uint64_t node_count;
    uint64_t length; /* entries, as the server counted them */
    struct rdb_stream_id last;
    struct rdb_stream_id first, max_deleted; /* v2+, else 0-0 */
    uint64_t entries_added;                  /* v2+, else length */
    struct str groups;
    uint64_t group_count;
    struct str producers; /* v4+: the raw rest */
    uint64_t given_back;  /* v5: pending entries that belong to no consumer */
};

/* One consumer group. */
struct rdb_stream_group {
    struct str name; /* raw */
    struct rdb_stream_id last;
    uint64_t entries_read; /* v2+, else UINT64_MAX: not known */
    struct str pending;
    uint64_t pending_count;
    struct str consumers;
    uint64_t consumer_count;
    struct str given_back; /* v5: given_back_count ids */
    uint64_t given_back_count;
};

struct rdb_stream_consumer {
    struct str name;    /* raw */
    uint64_t seen_ms;   /* Unix time */
    uint64_t active_ms; /* v3+, else seen_ms; UINT64_MAX: never */
    struct str pending; /* pending_count ids of 16 bytes, rising */
    uint64_t pending_count;
};

/* One delivery that was not acknowledged. */
struct rdb_stream_pending {
    struct rdb_stream_id id;
    uint64_t delivered_ms;
    uint64_t deliveries;
};

enum { RDB_STREAM_ID_SIZE = 16 };

/* The version of a type; 0: no stream. */
int rdb_stream_version(uint8_t type);

/* Errors: RDB_CORRUPT (also when something stands behind the value); RDB_UNSUPPORTED (no
 * stream). */
MUST_CHECK bool rdb_stream_open(uint8_t type, struct str value, struct rdb_stream *ret,
                                struct err *err);

/* Take the next from the front of *rest: of stream.groups, group.consumers and
 * group.pending. False: what stands there is none. */
MUST_CHECK bool rdb_stream_take_group(int version, struct str *rest, struct rdb_stream_group *ret);
MUST_CHECK bool rdb_stream_take_consumer(int version, struct str *rest,
                                         struct rdb_stream_consumer *ret);
MUST_CHECK bool rdb_stream_take_pending(struct str *rest, struct rdb_stream_pending *ret);
