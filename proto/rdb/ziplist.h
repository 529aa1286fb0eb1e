/* ziplist.h - reads a ziplist, the packed encoding of Redis 2.2 to 6.2.
 *
 *     total bytes, 4 LE | offset of the last element, 4 LE |
 *     elements, 2 LE (65535: not known) | elements | 0xff
 *
 * Pure; see packed_value.h. What serves walking backwards (the offset, and in
 * each element the length of the one before) is skipped, not believed.
 * Source: ziplist.c of Redis 6.2.
 */
#pragma once

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "proto/rdb/packed_value.h"

struct ziplist {
    struct str rest; /* from the next element on */
    uint32_t seen;
    uint16_t announced; /* elements; ZIPLIST_UNKNOWN when the header does not say */
};

enum { ZIPLIST_UNKNOWN = 65535 };

/* Errors: RDB_CORRUPT. */
MUST_CHECK bool ziplist_open(struct ziplist *zl, struct str blob, struct err *err);

/* END only at the end mark, with as many elements as announced and nothing
 * behind it. After END or WRONG the next call says the same. */
MUST_CHECK enum packed_next ziplist_next(struct ziplist *zl, struct packed_value *ret);
