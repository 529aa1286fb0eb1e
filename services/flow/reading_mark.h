/* reading_mark.h - how far a reader that composes the snapshot itself has come.
 *
 * A small file beside the log, for a source that is read with SCAN and for a file; any copy
 * alone keeps in it what the source's count of writes was when it began. It is written
 * before what it tells of is published, so apply never has more than the newest
 * mark covers: after a death the log is cut back to it and the reading goes on. A mark
 * that does not fit what else is on disk is no mark, and the reading begins again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/err.h"

struct reading_mark {
    uint64_t generation;   /* the snapshot it belongs to; 0 = no mark */
    bool is_composed;      /* SCAN or a file; else the rest is of no meaning but the counts */
    uint64_t end;          /* of what is in the log */
    uint64_t db, cursor;   /* what to ask for next; asking again is harmless */
    uint64_t version;      /* of the payloads; 0 = none has come yet */
    int64_t changes;       /* the source's count of writes when it began; -1 = unknown */
    int64_t last_save_sec; /* which the count counts from */
};

/* A missing or damaged file reads as no mark. Errors: IO. */
MUST_CHECK bool reading_mark_read(int spool_fd, struct reading_mark *ret_mark, struct err *err);
MUST_CHECK bool reading_mark_write(int spool_fd, const struct reading_mark *mark, struct err *err);
