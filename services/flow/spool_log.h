/* spool_log.h - how a log of the spool lies on disk.
 *
 * A log holds a run of bytes numbered by offset: the snapshot (from 0) or the
 * command stream (by the source's own offsets). Segment k holds the offsets
 * [k * SPOOL_SEGMENT_BYTES, (k + 1) * SPOOL_SEGMENT_BYTES): offset o is byte
 * o % SPOOL_SEGMENT_BYTES of `<k * SPOOL_SEGMENT_BYTES>.seg`, so neighbouring
 * segments can be mapped side by side and a value that crosses them stays one
 * slice. Beside each stands an .idx of records: where each received piece lies,
 * when it came and its checksum. A piece counts once its record is whole.
 *
 * Files of one machine, read by the build that wrote them; SPOOL_FORMAT in the
 * meta file keeps other builds away.
 */
#pragma once

#include <stdint.h>

#include "proto/base/err.h"
#include "proto/base/str.h"

enum {
    SPOOL_FORMAT = 1,
    SPOOL_SEGMENT_BYTES = 32 * 1024 * 1024, /* a multiple of every page size */
    SPOOL_RECORD_BYTES = 32,
};

/* One received piece; little-endian on disk in this order. */
struct spool_record {
    uint64_t start;       /* offset of its first byte */
    uint32_t len;         /* bytes; never crosses a segment */
    uint32_t crc;         /* CRC32C of the bytes, then of the other fields */
    uint64_t received_ms; /* by the source's clock */
};

enum spool_file { SPOOL_DATA, SPOOL_INDEX };

static inline uint64_t spool_segment_of(uint64_t offset) {
    return offset - offset % SPOOL_SEGMENT_BYTES;
}

/* Open (or create) a file of the segment that begins at `segment`.
 * Errors: SPOOL_CORRUPT (it is not there), IO. */
MUST_CHECK bool spool_log_open_file(int dir_fd, uint64_t segment, enum spool_file kind, bool create,
                                    int *ret_fd, struct err *err);

/* Remove both files of a segment; missing ones are fine. */
void spool_log_unlink(int dir_fd, uint64_t segment);

/* The first offsets of all segments there, ascending, at most `max` of them.
 * Errors: IO, TOO_BIG. */
MUST_CHECK bool spool_log_list(int dir_fd, uint64_t *ret_segments, size_t max, size_t *ret_count,
                               struct err *err);

uint32_t spool_record_crc(const struct spool_record *record, const void *data);
void spool_record_store(const struct spool_record *record, unsigned char *dst);
void spool_record_load(const unsigned char *src, struct spool_record *ret_record);
