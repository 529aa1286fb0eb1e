/* spool_reader.h - the applying end of a log: one contiguous, checked view.
 *
 * Segments are mapped side by side into one reserved range of addresses, so
 * whatever lies between two offsets is one slice: commands and values are parsed
 * and sent from the page cache without being copied first. Every piece is
 * checked against its record before its bytes are handed out.
 */
#pragma once

#include <stdint.h>

#include "proto/base/err.h"
#include "services/flow/spool_log.h"

struct spool_reader {
    int dir_fd;
    char *range;                     /* reserved addresses; NULL = none */
    uint64_t range_offset;           /* offset of the range's first byte; a segment's start */
    uint64_t mapped_from, mapped_to; /* offsets mapped now; whole segments */
    uint64_t checked_end;            /* everything before it (from where we began) is whole */
    int index_fd;                    /* of the segment checked_end lies in */
    uint64_t index_segment, index_at;

    /* The piece whose receipt was asked for last, record `time_at` of the segment's index. */
    struct spool_record timed;
    uint64_t time_segment, time_at;
    int time_fd;
    uint64_t newest_ms; /* receipt of the newest piece that was checked */
};

#define SPOOL_READER_INIT ((struct spool_reader){.dir_fd = -1, .index_fd = -1, .time_fd = -1})

/* Begin reading at `from`, which must be held by the log.
 * Errors: IO; SPOOL_CORRUPT when no record of the log covers `from`. */
MUST_CHECK bool spool_reader_open(struct spool_reader *r, int base_fd, const char *name,
                                  uint64_t from, struct err *err);
void spool_reader_close(struct spool_reader *r);

/* The bytes [from, end) as one slice, `end` as published by the writer; what
 * lies beyond the reserved addresses is left out at the end.
 * `from` never goes back. Slices stay valid until spool_reader_release.
 * Errors: IO, SPOOL_CORRUPT (the first bad offset is named). */
MUST_CHECK bool spool_reader_view(struct spool_reader *r, uint64_t from, uint64_t end,
                                  struct str *ret_view, struct err *err);

/* The reserved addresses end before `end`: spool_reader_view() leaves out what lies
 * beyond until the range begins anew. */
bool spool_reader_exhausted(const struct spool_reader *r, uint64_t end);

/* Let the range begin anew at `from`. Every slice handed out so far is void: only
 * when none is in use. Errors: IO. */
MUST_CHECK bool spool_reader_rebase(struct spool_reader *r, uint64_t from, struct err *err);

/* Nothing before `offset` is needed any more. */
void spool_reader_release(struct spool_reader *r, uint64_t offset);

/* The bytes [from, to) need not stay in memory: they are read again from the files if
 * they are looked at once more. */
void spool_reader_forget(const struct spool_reader *r, uint64_t from, uint64_t to);

/* When the byte before `offset` was received, however much came in behind it. Where no record
 * tells any more, the newest time known (a relative expiry then ends no earlier than it should). */
uint64_t spool_reader_received_ms(struct spool_reader *r, uint64_t offset);
