/* copy_parts.h - the parts of a full copy and what they share. Private to copy*.c;
 * see copy.h. */
#pragma once

#include "services/flow/copy.h"
#include "services/flow/copy_encode.h"
#include "services/flow/copy_mark.h"
#include "services/flow/copy_scout.h"
#include "services/flow/destination_gauge.h"
#include "services/flow/key_set.h"
#include "services/flow/spool_meta.h"
#include "services/flow/spool_reader.h"
#include "services/flow/throttle.h"

enum {
    /* Doubled with every answer: a slow destination moves soon, a fast one in strides. */
    COPY_UNIT_BYTES_FIRST = 128 * 1024,
    COPY_UNIT_BYTES_MAX = 2 * 1024 * 1024,
    COPY_UNIT_COMMANDS = 5000,
    COPY_SKIPPED_BYTES = 16 * 1024 * 1024, /* the mark moves on though nothing is written */
    COPY_WAIT_MS = 500, /* wishes of the supervisor are looked at this often at least */
    COPY_VIEW_BYTES = 8 * 1024 * 1024, /* of the snapshot in memory, while records are short */
    COPY_TEMPLATES_BYTES = 64 * 1024 * 1024, /* names of fields that hashes share */
    COPY_PASSED_BYTES = 1024 * 1024,
    COPY_PIECE_BYTES = 256 * 1024, /* between two looks at how full a unit is */
};

struct copy_unit {
    struct unit unit;
    struct copy_mark end; /* behind its last record */
};

struct copy {
    struct applier *a;
    struct lane lane;
    struct copy_unit buffers[2];
    struct copy_unit *filling, *flying;
    bool in_flight;

    struct spool_meta meta;
    struct spool_reader reader;
    struct rdb_parser parser;
    struct copy_encoder encoder;
    struct rdb_templates templates;
    struct copy_mark before;        /* the value that is at work in pieces */
    struct copy_temporary leftover; /* of an attempt that was cut off */
    struct copy_scout scout;
    struct key_set keys_seen; /* while the position says SWEEPING */
    uint64_t keys_done, keys_expired, keys_conflict;
    uint64_t sent_until; /* the mark of what was sent last */
    size_t unit_bytes;   /* how large a unit may grow now */
    uint64_t window;     /* bytes looked at in one go; grows for a record that is longer */
    uint64_t passed;     /* of the snapshot's bytes, those before it left our memory */
    uint64_t seen_end;   /* of the bytes looked at so far */
    int stream_db;
    bool ended;          /* the snapshot's last record was taken */
    struct rdb_mark end; /* where that record begins */
    struct throttle bytes, keys;
    uint64_t piece_bytes, piece_paid; /* of the value in pieces: all, and what was counted so far */
    struct destination_gauge gauge;
    int64_t waits_since_us; /* for one of them; 0 = it does not */
};

/* Take records into the unit being filled until it is full, the records are at an
 * end, bytes are missing (*ret_starved), or the throttle says stop. */
MUST_CHECK bool copy_fill(struct copy *c, bool *ret_starved, struct err *err);
bool copy_is_full(const struct copy *c);

/* What stands before offset `to` of the snapshot leaves our memory. It stays in the spool:
 * a long record is looked at from end to end, and then once more to be copied. */
void copy_pass(struct copy *c, uint64_t to);
int64_t copy_throttled_us(struct copy *c); /* 0 = go on */

/* Send what is filled, with the mark behind it. The lane must be READY. */
MUST_CHECK bool copy_send(struct copy *c, struct err *err);

/* Send `unit`, whose own commands write a position that ends at `next`, and wait until
 * it is acknowledged. With `stops` none of them runs behind one that fails. */
MUST_CHECK bool copy_send_alone(struct copy *c, struct unit *unit, uint64_t next, bool stops,
                                struct err *err);

/* Remember the templates of hashes of the snapshot, for a copy that goes on at `at`. They
 * stand at its beginning; when that was given up, another snapshot has to be taken.
 * Errors: SPOOL_CORRUPT, IO; RDB_CORRUPT; TOO_BIG, MEMORY. */
MUST_CHECK bool copy_read_templates(struct copy *c, const struct rdb_mark *at, struct err *err);

/* A command of the unit that was sent last failed, and the lane is READY: the position
 * goes back to where it was before the unit. True, and no error any more: begin again, as
 * that unit's values are to be written by commands now. False: that was tried already. */
MUST_CHECK bool copy_take_back(struct copy *c, struct err *err);

/* Is the key of the record that was just read to be kept? Where a unit was taken back, what it
 * wrote is there as well; for those records the first answer counts, as it was noted.
 * Errors: TOO_BIG, MEMORY. */
MUST_CHECK bool copy_ask_kept(struct copy *c, uint64_t offset, bool *ret_kept, struct err *err);
void copy_forget_kept(struct copy *c, uint64_t mark);

/* Begin a snapshot. What stands on the destination goes in the same transaction where a
 * person asked for it (the mode, an answer) or all of it is of an earlier snapshot of
 * ours, which lacks what was deleted since; or goes at the end of this one (copy_sweep.h).
 * Errors: FULL_RESYNC_NEEDED (whose it is cannot be told), DEST_IN_USE; of the lane. */
MUST_CHECK bool copy_begin_generation(struct copy *c, struct err *err);

/* Send `unit`, which leaves the mark where it is, and wait until it is acknowledged. */
MUST_CHECK bool copy_send_aside(struct copy *c, struct unit *unit, struct err *err);

/* A position of ours, a heartbeat of anybody's: no data. */
bool copy_is_ours(const struct applier *a, struct str key);

/* What a snapshot that was written over an earlier one of ours does not have must go when
 * it is all there: every key of it is noted in a file (key_set.h), and those of the
 * destination that are not are removed, in fenced units. Only of what this task
 * selects. Interrupted, it begins again: removing is repeatable. No-ops, but for
 * POSITION_SWEEPING.
 * Errors: of the lane, of key_set.h, of redis_client_call. */
MUST_CHECK bool copy_sweep_open(struct copy *c, bool is_new, struct err *err);
MUST_CHECK bool copy_sweep(struct copy *c, enum applier_next *ret_next, struct err *err);

/* The position begins where the snapshot was taken: one more fenced unit. */
MUST_CHECK bool copy_begin_tail(struct copy *c, struct err *err);
