/* intset.h - reads an intset, the packed encoding of sets of integers.
 *
 *     bytes per element, 4 LE (2, 4 or 8) | elements, 4 LE | elements, LE, ascending
 *
 * Pure; see packed_value.h. Source: intset.c of Redis 7.2.
 */
#pragma once

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "proto/rdb/packed_value.h"

struct intset {
    struct str rest;
    size_t width; /* bytes per element */
};

/* Errors: RDB_CORRUPT (also when the elements do not fill the blob exactly). */
MUST_CHECK bool intset_open(struct intset *set, struct str blob, struct err *err);

/* Elements in their order; never WRONG. */
MUST_CHECK enum packed_next intset_next(struct intset *set, struct packed_value *ret);
