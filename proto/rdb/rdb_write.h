/* rdb_write.h - lengths and strings as a snapshot holds them.
 *
 * Pure but for malloc; rdb_string.h reads what this writes. On failure the buf is as
 * it was. Errors: TOO_BIG, MEMORY.
 */
#pragma once

#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/str.h"

/* A length in its shortest form. */
MUST_CHECK bool rdb_put_len(struct buf *b, uint64_t value, struct err *err);

/* A length that is not known yet: room for any that fits 32 bits, at *ret_at. Every
 * reader takes the long form of a small number. */
MUST_CHECK bool rdb_put_len_later(struct buf *b, size_t *ret_at, struct err *err);
void rdb_set_len(struct buf *b, size_t at, uint32_t value);

/* A plain string; an integer, which takes up to five bytes where it fits 32 bits. */
MUST_CHECK bool rdb_put_str(struct buf *b, struct str s, struct err *err);
MUST_CHECK bool rdb_put_int(struct buf *b, int64_t value, struct err *err);

/* 8 bytes, little endian: times and binary doubles. */
MUST_CHECK bool rdb_put_u64(struct buf *b, uint64_t value, struct err *err);
MUST_CHECK bool rdb_put_double(struct buf *b, double value, struct err *err);

/* A score as type 3 holds it: its length and decimal digits that yield the same double,
 * or one of the marks of the infinities. */
MUST_CHECK bool rdb_put_ascii_double(struct buf *b, double value, struct err *err);
