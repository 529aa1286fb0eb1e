/* rdb_commands.h - a value as plain commands, in bounded pieces.
 *
 * Pure but for malloc. For what is too large for one payload, and for destinations
 * that refuse one: RPUSH, SADD, ZADD, HSET, SET + SETRANGE, XADD and what a stream
 * needs besides. The caller names the key (a temporary one), removes it first,
 * sends what each fill appends, and renames the key when `done`; expiry, idle time
 * and frequency of the key are its affair.
 *
 * Replies are OK, integers, ids or arrays; only an error means something. A field whose
 * expiry has passed is removed by its HPEXPIREAT, so that with true times (not held) a hash
 * may be gone again when it is done: RENAME then finds no key, and there is none to make.
 *
 * What commands cannot say: when a consumer of a stream was last seen and active
 * (the moment of the copy is), and a stream's idempotent producers.
 *
 * A pending entry whose message is gone needs a message while it is claimed: one is
 * added in its place and removed again at the end.
 *
 * Memory: an element at a time (and an LZF packed blob or string unpacked whole, up
 * to scratch_max), whatever the value holds; streams, up to 2.5 MiB
 * more for groups (rdb_stream_pending.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/str.h"
#include "proto/rdb/rdb.h"
#include "proto/rdb/rdb_accept.h"
#include "proto/rdb/rdb_commands_stream.h"
#include "proto/rdb/rdb_elements.h"
#include "proto/rdb/rdb_transcode.h"

struct rdb_commands {
    /* Set by the caller after init, once. */
    struct rdb_destination dest; /* version 0: as the newest of its vendor */
    enum rdb_vendor vendor;      /* whose type numbers */
    enum rdb_field_expiry fields;
    uint64_t extend_ms;                    /* of RDB_FIELDS_EXTEND */
    bool drop_field_expiry;                /* someone decided to lose them */
    const struct rdb_templates *templates; /* of the snapshot; NULL: none */

    /* Read only. */
    bool done;         /* the whole value has been appended */
    uint64_t elements; /* appended so far; 0 when done: the value is empty, there is no key
                          (streams excepted) */
    uint64_t losses;   /* expiries of fields that were dropped: to be reported */

    /* Private. */
    struct str key;
    size_t value_len;
    enum rdb_kind kind;
    struct rdb_elements reader;
    bool ahead; /* `next` was read and not yet appended */
    struct rdb_element next;
    struct buf text[2];
    struct str string; /* of a string: what is still to be appended */
    uint64_t string_at;
    struct rdb_stream_commands stream;
};

void rdb_commands_init(struct rdb_commands *c, size_t scratch_max);
void rdb_commands_done(struct rdb_commands *c);

/* Begin a value. `key` and `value` must stay where they are until it is done.
 * Errors: RDB_CORRUPT; RDB_UNSUPPORTED (a module's value, an array: no commands make
 * one); DEST_RESTORE (the destination is too old for that kind); TOO_BIG; MEMORY. */
MUST_CHECK bool rdb_commands_open(struct rdb_commands *c, uint8_t type, struct str key,
                                  struct str value, struct err *err);

/* How many bytes from the front of the value will hardly be looked at again, at most. */
size_t rdb_commands_passed(const struct rdb_commands *c);

/* Append whole commands to `out` until about `limit` bytes were appended (one element or
 * stream entry may take it past that; out->max is the hard limit) or the value is done.
 * *ret_count is how many commands were appended. On failure `out` is as it was, and the
 * value cannot be continued.
 *
 * Errors: as rdb_transcode() (DEST_RESTORE: an expiry of a field that no one decided to
 * drop); TOO_BIG; MEMORY. */
MUST_CHECK bool rdb_commands_fill(struct rdb_commands *c, size_t limit, struct buf *out,
                                  uint32_t *ret_count, struct err *err);
