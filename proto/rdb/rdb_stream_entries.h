/* rdb_stream_entries.h - the entries of a stream, one by one, in the order of ids.
 *
 * Pure but for malloc (an LZF packed node is unpacked, to memory used again).
 *
 *     node      key: the id its entries count from | listpack:
 *     listpack  valid entries | deleted ones | n | n field names | 0 | entries
 *     entry     flags | ms and sequence, counted from the key |
 *               [n] fields and values, or only values | elements before it
 *
 * Source: streamAppendItem() and streamIteratorGetID() of Redis 5.0 to 8.6.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/str.h"
#include "proto/rdb/listpack.h"
#include "proto/rdb/rdb_stream.h"

struct rdb_stream_entries {
    struct str nodes; /* behind the open one */
    uint64_t nodes_left;
    bool in_node;
    struct rdb_stream_id key; /* of the open node */
    struct listpack lp;       /* before the next entry */
    struct listpack names;    /* before the node's field names */
    uint64_t name_count;
    bool any; /* an entry was read: `last` is its id */
    struct rdb_stream_id last;
    struct buf blob; /* an unpacked node */
};

struct rdb_stream_entry {
    struct rdb_stream_id id;
    uint64_t field_count; /* pairs */

    /* Private: where rdb_stream_entry_next() reads. */
    bool same_names, value_next;
    uint64_t left;
    struct listpack names, values;
};

void rdb_stream_entries_init(struct rdb_stream_entries *e, size_t blob_max);
void rdb_stream_entries_done(struct rdb_stream_entries *e);

/* Stand before the first entry of a stream that was opened and stays where it is. */
void rdb_stream_entries_open(struct rdb_stream_entries *e, const struct rdb_stream *stream);

/* The next entry that was not deleted; it holds until the next call. Ids rise, or the
 * stream is damaged. WRONG sets err: RDB_CORRUPT, TOO_BIG (blob_max), MEMORY. */
MUST_CHECK enum packed_next rdb_stream_entries_next(struct rdb_stream_entries *e,
                                                    struct rdb_stream_entry *ret, struct err *err);

/* The number of a stream's entries, counted. Errors: as rdb_stream_entries_next(). */
MUST_CHECK bool rdb_stream_entries_count(struct rdb_stream_entries *e,
                                         const struct rdb_stream *stream, uint64_t *ret_count,
                                         struct err *err);

/* A stream's length is the number of its entries: what Valkey 9 insists on. False for
 * what is no stream, or damaged. */
bool rdb_stream_entries_match(struct rdb_stream_entries *e, uint8_t type, struct str value);

/* Field, value, field, value, …: field_count pairs, then END. */
MUST_CHECK enum packed_next rdb_stream_entry_next(struct rdb_stream_entry *entry,
                                                  struct packed_value *ret);
