/* zipmap.h - reads a zipmap, the packed hash of Redis 2.2 and 2.4.
 *
 *     pairs, 1 (254 and more: not known) |
 *     pairs of {length, field, length, unused, value, unused bytes} | 0xff
 *
 * Pure; see packed_value.h. A length is one byte up to 253, or 0xfe and 4 LE.
 * Source: zipmap.c of Redis 6.2.
 */
#pragma once

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "proto/rdb/packed_value.h"

struct zipmap {
    struct str rest;
    bool value_next; /* a field was read, its value comes */
    uint32_t seen;   /* pairs */
    uint8_t announced;
};

/* Errors: RDB_CORRUPT. */
MUST_CHECK bool zipmap_open(struct zipmap *zm, struct str blob, struct err *err);

/* Field, value, field, value, … END only at the end mark, with as many pairs as
 * announced and nothing behind it. */
MUST_CHECK enum packed_next zipmap_next(struct zipmap *zm, struct packed_value *ret);
