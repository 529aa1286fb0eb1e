/* copy_mark.h - how far a full copy is, as one word of the position.
 *
 * Pure. The mark changes in the same transaction as the keys before it, so it is
 * true of the destination whatever that forgets in a crash, and parsing can begin
 * behind it.
 */
#pragma once

#include <stdint.h>

#include "proto/base/err.h"
#include "proto/base/str.h"
#include "proto/rdb/rdb_parser.h"
#include "services/flow/copy_temporary.h"
#include "services/flow/position.h"

struct copy_mark {
    struct rdb_mark at;
    uint64_t keys_done, keys_expired;
    uint64_t keys_conflict; /* kept: the destination had them */
    uint64_t field_expiries_dropped;
    int stream_db;                   /* repl-stream-db of the snapshot; -1 = it did not say */
    struct copy_temporary temporary; /* holds a part of the value behind the mark */
};

void copy_mark_format(const struct copy_mark *mark, char dst[POSITION_MARK_MAX]);

/* Errors: POSITION_MISSING (it is none of ours). */
MUST_CHECK bool copy_mark_parse(struct str text, struct copy_mark *ret, struct err *err);

/* The copy begins anew: of its mark stays what is still to be removed, or nothing (""). */
void copy_mark_begin_anew(char mark[POSITION_MARK_MAX]);
