/* spool_meta.h - what the two logs of a task's spool belong to.
 *
 * One small text file beside them, replaced by rename, so it is whole or the
 * former one. Written by `receive` before the first byte of a full sync and when
 * a fact in it changes; read by both children.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/err.h"

enum { SPOOL_META_FORMER = 4 };

struct spool_meta {
    uint64_t generation;                /* 0 = nothing was ever received */
    char replid[41];                    /* the history the stream log belongs to, hex */
    char former[SPOOL_META_FORMER][41]; /* its names before failovers, newest first; "" = none */
    uint64_t snapshot_offset; /* where in it the snapshot was taken; the stream log starts there */
    bool snapshot_complete;   /* every byte of it is in the log */
    uint64_t snapshot_bytes;  /* valid when complete */
};

/* `replid` is a name of this history, or was: a position keeps the one it was written with. */
bool spool_meta_is_history(const struct spool_meta *meta, const char *replid);

/* The same history under another name: the one it has becomes a former one. */
void spool_meta_rename(struct spool_meta *meta, const char *replid);

/* A missing file is a meta with generation 0. A file of another format or one
 * that does not parse is treated so too: the spool is a cache.
 * Errors: IO. */
MUST_CHECK bool spool_meta_read(int base_fd, struct spool_meta *ret_meta, struct err *err);

/* Errors: IO. */
MUST_CHECK bool spool_meta_write(int base_fd, const struct spool_meta *meta, struct err *err);
