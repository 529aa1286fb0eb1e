/* spool_writer.h - the receiving end of a log: append, recover, cut, trim.
 *
 * Owned by `receive`, the only process that writes. Nothing is fsynced: a killed
 * process loses nothing (the kernel has the pages), and after a crash of the
 * host the checksums cut the log at the first piece that is not whole; the
 * position on the destination and the source's backlog cover the rest.
 */
#pragma once

#include <stdint.h>

#include "proto/base/err.h"
#include "services/flow/spool_log.h"

struct spool_writer {
    int dir_fd;
    uint64_t first_segment; /* oldest one on disk */
    uint64_t start, end;    /* offsets held: [start, end) */
    int data_fd, index_fd;  /* of the segment that holds `end`; -1 = not open */
    uint64_t open_segment;
    uint64_t index_bytes; /* written to the open index */
};

#define SPOOL_WRITER_INIT ((struct spool_writer){.dir_fd = -1, .data_fd = -1, .index_fd = -1})

/* Open the log in the directory `name` below base_fd (made when missing) and find
 * out what it holds. A tail that is not whole is cut off; a hole before the last
 * segment empties the log: [start, end) is then [0, 0).
 * Errors: IO. */
MUST_CHECK bool spool_writer_open(struct spool_writer *w, int base_fd, const char *name,
                                  struct err *err);
void spool_writer_close(struct spool_writer *w);

/* Throw everything away and begin anew at `start`. Errors: IO. */
MUST_CHECK bool spool_writer_reset(struct spool_writer *w, uint64_t start, struct err *err);

/* Append bytes at `end`. On an error `end` has not moved.
 * Errors: IO, SPOOL_FULL (the disk). */
MUST_CHECK bool spool_writer_append(struct spool_writer *w, struct str bytes, uint64_t received_ms,
                                    struct err *err);

/* Forget what lies from `end` on, as if it had never been appended. Nobody may have been
 * told of it, and a piece must have ended there.
 * Errors: SPOOL_CORRUPT (none did; nothing has changed), IO. */
MUST_CHECK bool spool_writer_cut(struct spool_writer *w, uint64_t end, struct err *err);

/* Remove the segments that lie wholly below `keep_from`. */
void spool_writer_trim(struct spool_writer *w, uint64_t keep_from);

/* Bytes on disk, index not counted. */
static inline uint64_t spool_writer_bytes(const struct spool_writer *w) {
    return w->end - (w->first_segment > w->start ? w->first_segment : w->start);
}
