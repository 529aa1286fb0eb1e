/* copy_mark.h - how far a full copy is acknowledged, kept beside the snapshot.
 *
 * A small file of this machine: losing it costs writing some keys again, which
 * is harmless while the copy lasts.
 */
#pragma once

#include <stdint.h>

#include "proto/base/err.h"
#include "proto/rdb/rdb_parser.h"

struct copy_mark {
    uint64_t generation; /* the snapshot it belongs to; 0 = no mark */
    struct rdb_mark at;
    uint64_t keys_done, keys_expired;
    int stream_db; /* repl-stream-db of the snapshot; -1 = it did not say */
};

/* A missing or damaged file reads as no mark. Errors: IO. */
MUST_CHECK bool copy_mark_read(int spool_fd, struct copy_mark *ret_mark, struct err *err);
MUST_CHECK bool copy_mark_write(int spool_fd, const struct copy_mark *mark, struct err *err);
