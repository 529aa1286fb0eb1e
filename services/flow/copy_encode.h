/* copy_encode.h - records of a snapshot as the destination's cheapest commands.
 *
 * Pure but for malloc: snapshot events in, a unit's bytes out. Strings without
 * expiry gather into MSET (about two thirds of the destination's work of a SET
 * each), strings with one become SET … PXAT, everything else RESTORE of the very
 * bytes of the snapshot under the destination's own footer.
 */
#pragma once

#include <stdint.h>

#include "proto/base/err.h"
#include "proto/command/command_rewrite.h"
#include "proto/rdb/rdb.h"
#include "services/flow/unit.h"

enum { COPY_MSET_KEYS = 32 };

struct copy_encoder {
    const struct command_target *target;
    bool has_hints;         /* RESTORE knows IDLETIME and FREQ */
    enum rdb_vendor vendor; /* of the snapshot; the caller sets it when it is known */

    /* Strings waiting for their MSET; slices of the snapshot or of the scratch. */
    struct str group[COPY_MSET_KEYS * 2];
    struct buf scratch[COPY_MSET_KEYS * 2];
    unsigned group_count; /* keys */
    int group_database;
    struct buf key_scratch, value_scratch;
};

void copy_encoder_init(struct copy_encoder *e, const struct command_target *target, bool has_hints);
void copy_encoder_done(struct copy_encoder *e);

/* The bytes of a record's key. The slice is good until the next call with `e`.
 * Errors: RDB_CORRUPT, TOO_BIG. */
MUST_CHECK bool copy_encoder_key(struct copy_encoder *e, const struct rdb_event *ev,
                                 struct str *ret_key, struct err *err);

/* Append one KEY record for the destination's `database`. Expiries are held when
 * the target says so; otherwise true.
 * Errors: RDB_CORRUPT, RDB_UNSUPPORTED, UNIT_TOO_LARGE, MEMORY. */
MUST_CHECK bool copy_encoder_put(struct copy_encoder *e, const struct rdb_event *ev, int database,
                                 struct unit *unit, struct err *err);

/* Write the MSET that is still gathering. Call it before the unit is sent. */
MUST_CHECK bool copy_encoder_flush(struct copy_encoder *e, struct unit *unit, struct err *err);

/* FUNCTION LOAD REPLACE, SCRIPT LOAD: `raw` is a raw snapshot string. */
MUST_CHECK bool copy_encoder_put_code(struct copy_encoder *e, const char *command, const char *verb,
                                      const char *option, struct str raw, struct unit *unit,
                                      struct err *err);
