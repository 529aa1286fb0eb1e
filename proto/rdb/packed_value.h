/* packed_value.h - one element of a packed encoding (listpack, ziplist, intset,
 * zipmap): bytes, or an integer that stands for its decimal digits.
 *
 * Pure. The four readers share this type and the way they are asked: open once,
 * then next until it says END or WRONG. They allocate nothing, trust nothing in
 * the blob, and each call does a bounded amount of work. A blob is what
 * rdb_string_decode() yields for the value.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/str.h"

struct packed_value {
    bool is_number;
    struct str bytes; /* when not a number; a slice of the blob */
    int64_t number;
};

enum packed_next { PACKED_END, PACKED_VALUE, PACKED_WRONG };

enum { PACKED_DIGITS = 24 }; /* room for any number */

/* The element as the bytes a client sees; digits are written to `room`. */
struct str packed_value_text(const struct packed_value *value, char room[PACKED_DIGITS]);
