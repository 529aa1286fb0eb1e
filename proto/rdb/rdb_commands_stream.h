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

enum { RDB_STREAM_GROUPS_MAX = 65536 }; /* whose pending entries can be told from messages */

struct rdb_stream_commands {
    int stage;
    bool has_counters;        /* XSETID ENTRIESADDED, XGROUP ENTRIESREAD: 7.0 */
    bool has_create_consumer; /* XGROUP CREATECONSUMER: 6.2 */
    bool claims_need_message; /* XCLAIM FORCE: 7.0 */
    struct rdb_stream stream;
    struct rdb_stream_entries entries;
    bool entry_ahead;
    struct rdb_stream_entry entry; /* read, not yet appended */
    uint64_t entry_count;          /* appended, without stand-ins */
    struct rdb_stream_id first;    /* entry appended */

    /* Pending ids of all groups in rising order. */
    struct buf cursors; /* one per group: the rest of its pending list */
    bool pending_ahead;
    struct rdb_stream_id pending;         /* the lowest that is still to come */
    uint64_t stand_ins, stand_ins_inside; /* inside: not before the first entry */

    /* The group and the consumer at work. */
    struct str groups, consumers, claims;
    uint64_t groups_left, consumers_left, claims_left;
    struct rdb_stream_group group;
    struct rdb_stream_consumer consumer;
    struct buf index; /* where in the group's pending list every n-th entry stands */
    uint64_t index_step;
    struct buf text[2];
};

void rdb_stream_commands_init(struct rdb_stream_commands *s, size_t blob_max);
void rdb_stream_commands_done(struct rdb_stream_commands *s);

/* As rdb_commands_open() and rdb_commands_fill(). */
MUST_CHECK bool rdb_stream_commands_open(struct rdb_stream_commands *s,
                                         const struct rdb_destination *dest, uint8_t type,
                                         struct str value, struct err *err);
MUST_CHECK bool rdb_stream_commands_fill(struct rdb_stream_commands *s, struct str key,
                                         size_t limit, struct buf *out, uint32_t *ret_count,
                                         bool *ret_done, uint64_t *ret_elements, struct err *err);
