/* listpack.h - reads a listpack, the packed encoding since Redis 7.0 (and of
 * streams since 5.0).
 *
 *     total bytes, 4 LE | elements, 2 LE (65535: not known) | elements | 0xff
 *
 * Pure; see packed_value.h. Source: listpack.c of Redis 7.2.
 */
#pragma once

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "proto/rdb/packed_value.h"

struct listpack {
    struct str rest; /* from the next element on */
    uint32_t seen;
    uint16_t announced; /* elements; LISTPACK_UNKNOWN when the header does not say */
};

enum { LISTPACK_UNKNOWN = 65535 };

/* Errors: RDB_CORRUPT. */
MUST_CHECK bool listpack_open(struct listpack *lp, struct str blob, struct err *err);

/* END only at the end mark, with as many elements as announced and nothing
 * behind it. After END or WRONG the next call says the same. */
MUST_CHECK enum packed_next listpack_next(struct listpack *lp, struct packed_value *ret);
