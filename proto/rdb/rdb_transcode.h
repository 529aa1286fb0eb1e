/* rdb_transcode.h - a value in an encoding the destination can read.
 *
 * Pure but for malloc. The value of a snapshot (or of a payload) in, the value of
 * another type out, for RESTORE with rdb_payload_footer(). rdb_accept() says which
 * type. What changes is the container: elements are copied as they stand, packed
 * ones one by one.
 *
 *     streams            27 -> 26 -> 21 -> 19 -> 15, any step down: what the older
 *                        type has no place for is left out (idempotent producers,
 *                        active times, counters), entries and groups are the same;
 *                        or none, to mend the length: to Valkey it is counted
 *     set, zset, hash    20 -> 2; 12, 17 and 5 -> 5 or 3; 9, 13, 16, 29 to 32 -> 4
 *     list               10, 14, 18 -> 1: the plain form, which every server reads
 *                        and packs to its own settings
 *     fields that expire Redis 22 and 23 (7.4 rc), 24, 25; Valkey 22 -> 24 or
 *                        Valkey 22; 25 -> 25 where only the times change
 *     templates          30 -> 29, 32 -> 31
 *
 * A value is read in place; an LZF packed blob inside it is unpacked whole.
 *
 * Source: rdbSaveObject() and rdbLoadObject() of both products.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/str.h"
#include "proto/rdb/rdb.h"
#include "proto/rdb/rdb_elements.h"
#include "proto/rdb/rdb_stream_entries.h"

/* What becomes of the absolute expiry times of hash fields (held_expiry.h). */
enum rdb_field_expiry {
    RDB_FIELDS_KEEP,   /* as they are */
    RDB_FIELDS_HOLD,   /* held */
    RDB_FIELDS_SETTLE, /* held ones become true again */
    RDB_FIELDS_EXTEND, /* later by extend_ms */
};

/* How values are to be written; set once. */
struct rdb_transcoder {
    enum rdb_vendor from, to; /* whose type numbers */
    enum rdb_field_expiry fields;
    uint64_t extend_ms;
    bool drop_field_expiry;                /* someone decided to lose them */
    const struct rdb_templates *templates; /* of the snapshot; NULL: none */

    struct rdb_elements elements; /* private; memory is used again */
    struct rdb_stream_entries entries;
};

/* Blobs may unpack to blob_max bytes. KEEP, nothing dropped, no templates. */
void rdb_transcoder_init(struct rdb_transcoder *t, enum rdb_vendor from, enum rdb_vendor to,
                         size_t blob_max);
void rdb_transcoder_done(struct rdb_transcoder *t);

struct rdb_transcoded {
    /* What was written: to_type, but a hash none of whose fields expires becomes a 4, and
     * one whose times cannot be changed within a 25 becomes a 24. */
    uint8_t type;
    uint64_t losses; /* expiries of fields that were dropped: to be reported */
    bool empty;      /* no element: servers from 6.2 on refuse such a value, and no key should
                        be made of it (streams excepted; not told of templates) */
};

/* Append the value, written as type `to_type`, to `out`, whose max bounds it. On
 * failure `out` is as it was.
 *
 * Errors:
 *   RDB_CORRUPT      the value is damaged, or refers to a template that was not announced
 *   RDB_UNSUPPORTED  no way from `type` to `to_type`; a time that cannot be held
 *   DEST_RESTORE     the data has no place in `to_type`: an expiry of a field that no
 *                    one decided to drop or that is beyond what Redis can hold, entries
 *                    of a stream given back with XNACK
 *   TOO_BIG          out->max, blob_max
 *   MEMORY */
MUST_CHECK bool rdb_transcode(struct rdb_transcoder *t, uint8_t type, struct str value,
                              uint8_t to_type, struct buf *out, struct rdb_transcoded *ret,
                              struct err *err);
