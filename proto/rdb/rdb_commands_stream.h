/* rdb_commands_stream.h - the part of rdb_commands that rebuilds a stream.
 *
 * Pure but for malloc. In this order, because each step needs the one before:
 *
 *     XADD            every entry, and a stand-in for each message that is pending
 *                     but gone (an empty stream: XGROUP CREATE MKSTREAM + DESTROY)
 *     XSETID          last id and counters, which bound what a group may have read
 *     XGROUP, XCLAIM  groups, consumers, pending entries with their own times
 *     XTRIM, XDEL     the stand-ins; then XSETID again
 *
 * Source: t_stream.c of Redis 5.0 to 8.6.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/str.h"
#include "proto/rdb/rdb_accept.h"
#include "proto/rdb/rdb_stream.h"
#include "proto/rdb/rdb_stream_entries.h"
#include "proto/rdb/rdb_stream_pending.h"

struct rdb_stream_commands {
    enum rdb_stream_stage {
        RDB_STREAM_ENTRIES,
        RDB_STREAM_EMPTY,
        RDB_STREAM_SETID,
        RDB_STREAM_GROUP,
        RDB_STREAM_CONSUMER,
        RDB_STREAM_CLAIM,
        RDB_STREAM_TRIM,
        RDB_STREAM_DELETE,
        RDB_STREAM_SETID_AGAIN,
        RDB_STREAM_DONE,
    } stage;
    bool has_counters;        /* XSETID ENTRIESADDED, XGROUP ENTRIESREAD: 7.0 */
    bool has_create_consumer; /* XGROUP CREATECONSUMER: 6.2 */
    struct rdb_stream stream;

    /* Entries and stand-ins, in the order of their ids. */
    struct rdb_stream_entries entries;
    bool entry_ahead; /* `entry` was read and not yet appended */
    struct rdb_stream_entry entry;
    struct rdb_stream_pending_ids missing;
    uint64_t entry_count, stand_ins;
    uint64_t stand_ins_inside;  /* not before the first entry */
    struct rdb_stream_id first; /* of the entries; read when entry_count > 0 */
    struct rdb_stream_id top;   /* of all that was added */

    /* The group and the consumer at work. */
    struct str groups, consumers, claims;
    struct rdb_stream_group group;
    struct rdb_stream_consumer consumer;
    struct rdb_stream_pending_index index;
    struct buf text[2];
};

void rdb_stream_commands_init(struct rdb_stream_commands *s, size_t blob_max);
void rdb_stream_commands_done(struct rdb_stream_commands *s);

/* As rdb_commands_open() and rdb_commands_fill(). *ret_elements: entries so far. */
MUST_CHECK bool rdb_stream_commands_open(struct rdb_stream_commands *s,
                                         const struct rdb_destination *dest, uint8_t type,
                                         struct str value, struct err *err);
MUST_CHECK bool rdb_stream_commands_fill(struct rdb_stream_commands *s, struct str key,
                                         size_t limit, struct buf *out, uint32_t *ret_count,
                                         bool *ret_done, uint64_t *ret_elements, struct err *err);
