/* copy_encode.h - records of a snapshot as the destination's cheapest commands.
 *
 * Pure but for malloc: snapshot events in, a unit's bytes out.
 *
 *     strings         MSET of many (about two thirds of the destination's work of a SET
 *                     each); with an expiry SET … PXAT
 *     everything else RESTORE of the very bytes of the snapshot under the destination's
 *                     own footer, where it reads their type (rdb_accept.h)
 *     other types     RESTORE of the same data in a form it reads (rdb_transcode.h)
 *     large values    in pieces (copy_pieces.h): lists, sets, sorted sets and hashes of
 *                     more than piece_min bytes, and what is longer than one argument of
 *                     the destination may be. Streams go whole while they can: commands
 *                     cannot say when a consumer was last seen
 *     what no payload brings there: in pieces, too
 *
 * A value in pieces is at work over many units: while one is, copy_encoder_fill() has
 * to be called before anything else is put.
 */
#pragma once

#include <stdint.h>

#include "proto/base/err.h"
#include "proto/command/command_rewrite.h"
#include "proto/rdb/rdb.h"
#include "proto/rdb/rdb_accept.h"
#include "proto/rdb/rdb_transcode.h"
#include "services/flow/copy_pieces.h"
#include "services/flow/unit.h"

enum { COPY_MSET_KEYS = 32, COPY_TYPES = 40 };

/* How values are to be written: facts of the destination and wishes of the job. */
struct copy_writing {
    const struct command_target *target;
    const struct task_spec *spec; /* names the temporary keys */
    struct rdb_destination destination;
    uint64_t bulk_max;       /* bytes of one argument there */
    uint64_t piece_min;      /* longer values are built in pieces */
    bool keeps_idle;         /* RESTORE knows IDLETIME, and it is of use */
    bool keeps_freq;         /* the same of FREQ */
    bool drops_field_expiry; /* someone decided to lose those the destination cannot hold */
};

struct copy_encoder {
    struct copy_writing how;
    enum rdb_vendor vendor; /* of the snapshot */
    struct rdb_accept ways[COPY_TYPES];
    bool by_commands; /* no RESTORE where there is another way: it was refused */
    char module[RDB_MODULE_NAME_LEN + 1]; /* of the last value that is a module's; "" = none */
    uint64_t field_expiries_dropped;      /* so many fields were written without theirs */

    struct copy_pieces pieces;
    struct rdb_transcoder transcoder;
    struct buf transcoded;

    /* Strings waiting for their MSET; slices of the snapshot or of the scratch. */
    struct str group[COPY_MSET_KEYS * 2];
    struct buf scratch[COPY_MSET_KEYS * 2];
    unsigned group_count; /* keys */
    int group_database;
    struct buf key_scratch, value_scratch;
};

/* What `how` points at is borrowed. */
void copy_encoder_init(struct copy_encoder *e, const struct copy_writing *how);
void copy_encoder_done(struct copy_encoder *e);

/* Tell whose type numbers the records have: before the first one. `templates` of the
 * snapshot is borrowed; NULL: none. */
void copy_encoder_set_source(struct copy_encoder *e, enum rdb_vendor vendor,
                             const struct rdb_templates *templates);

/* The bytes of a record's key. The slice is good until the next call with `e`.
 * Errors: RDB_CORRUPT, TOO_BIG. */
MUST_CHECK bool copy_encoder_key(struct copy_encoder *e, const struct rdb_event *ev,
                                 struct str *ret_key, struct err *err);

/* Append one KEY record for the destination's `database`. Expiries are held when
 * the target says so; otherwise true. A value that is built in pieces has begun
 * (copy_encoder_in_pieces()): its record must stay where it is until it is through.
 *
 * Errors:
 *   RDB_CORRUPT      the value is damaged
 *   DEST_RESTORE     the destination has no way to hold the value; says why
 *   RDB_UNSUPPORTED  an expiry that cannot be held
 *   TOO_BIG          longer than the destination takes
 *   UNIT_TOO_LARGE, MEMORY */
MUST_CHECK bool copy_encoder_put(struct copy_encoder *e, const struct rdb_event *ev, int database,
                                 struct unit *unit, struct err *err);

static inline bool copy_encoder_in_pieces(const struct copy_encoder *e) {
    return copy_pieces_open(&e->pieces);
}

/* How many bytes from the front of the value in pieces are done with; 0 without one. */
static inline size_t copy_encoder_passed(const struct copy_encoder *e) {
    return copy_encoder_in_pieces(e) ? rdb_commands_passed(&e->pieces.commands) : 0;
}

/* Append about `limit` bytes of the value in pieces. Errors: as copy_encoder_put(). */
MUST_CHECK bool copy_encoder_fill(struct copy_encoder *e, size_t limit, struct unit *unit,
                                  struct err *err);

/* Write the MSET that is still gathering. Call it before the unit is sent. */
MUST_CHECK bool copy_encoder_flush(struct copy_encoder *e, struct unit *unit, struct err *err);

/* FUNCTION LOAD REPLACE, SCRIPT LOAD: `raw` is a raw snapshot string. */
MUST_CHECK bool copy_encoder_put_code(struct copy_encoder *e, const char *command, const char *verb,
                                      const char *option, struct str raw, struct unit *unit,
                                      struct err *err);
