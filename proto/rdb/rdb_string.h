/* rdb_string.h - lengths and strings of a snapshot, and their decoding.
 *
 * Pure. A "raw" string is a STR as it stands in the file: a length and the
 * bytes, a small integer, or LZF. The _take functions read whole values; they
 * trust nothing, but do not distinguish "more to come" from "wrong" (the parser
 * has already seen the end).
 *
 * Source: rdbLoadLenByRef() and rdbGenericLoadStringObject() of both products.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/str.h"

/* How many bytes the length at the front of `s` takes (1, 2, 5 or 9) and its
 * value. 0: cut short. -1: an encoding that is no plain length (0xC0.. strings
 * included). Every 64-bit value is legal. */
int rdb_len_read(struct str s, uint64_t *ret_value);

/* How many bytes the string at the front of `s` takes, header included, in
 * *ret_size. 1: known (it may reach past `s`). 0: `s` is too short to tell.
 * -1: no string. */
int rdb_string_size(struct str s, uint64_t *ret_size);

/* Take a length, or a raw string, from the front of *rest. False when what
 * stands there is not one, or not whole; *rest is then unchanged. */
MUST_CHECK bool rdb_take_len(struct str *rest, uint64_t *ret_value);
MUST_CHECK bool rdb_take_str(struct str *rest, struct str *ret_raw);

/* The bytes of a raw string.
 *
 * A plain string is a slice of `raw`, nothing is copied. An integer or LZF is
 * written to `scratch` from its start: what an earlier call left there is gone.
 * scratch->max is the cap on what LZF may unpack to.
 *
 * Errors: RDB_CORRUPT; TOO_BIG (the cap); MEMORY.
 */
MUST_CHECK bool rdb_string_decode(struct str raw, struct buf *scratch, struct str *ret,
                                  struct err *err);

/* How long the decoded string would be, without decoding it.
 * Errors: RDB_CORRUPT. */
MUST_CHECK bool rdb_string_len(struct str raw, uint64_t *ret_len, struct err *err);
