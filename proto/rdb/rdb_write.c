#include "proto/rdb/rdb_write.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "proto/base/bytes.h"

enum { LEN_14BIT = 0x40, LEN_32BIT = 0x80, LEN_64BIT = 0x81 };
enum { ENC_INT8 = 0xc0, ENC_INT16 = 0xc1, ENC_INT32 = 0xc2 };
enum { PLUS_INFINITY = 254, MINUS_INFINITY = 255 };
enum { LATER_SIZE = 5, DIGITS_MAX = 40 };

bool rdb_put_len(struct buf *b, uint64_t value, struct err *err) {
    char bytes[9];
    size_t n;

    if (value < 1 << 6) {
        bytes[0] = (char)value;
        n = 1;
    } else if (value < 1 << 14) {
        bytes[0] = (char)(LEN_14BIT | value >> 8);
        bytes[1] = (char)value;
        n = 2;
    } else if (value <= UINT32_MAX) {
        bytes[0] = (char)LEN_32BIT;
        store_le32(bytes + 1, __builtin_bswap32((uint32_t)value));
        n = 5;
    } else {
        bytes[0] = (char)LEN_64BIT;
        store_le64(bytes + 1, __builtin_bswap64(value));
        n = 9;
    }
    return buf_append(b, str_of(bytes, n), err);
}

bool rdb_put_len_later(struct buf *b, size_t *ret_at, struct err *err) {
    if (!buf_reserve(b, LATER_SIZE, err))
        return false;
    *ret_at = b->len;
    b->len += LATER_SIZE;
    rdb_set_len(b, *ret_at, 0);
    return true;
}

void rdb_set_len(struct buf *b, size_t at, uint32_t value) {
    b->ptr[at] = (char)LEN_32BIT;
    store_le32(b->ptr + at + 1, __builtin_bswap32(value));
}

bool rdb_put_str(struct buf *b, struct str s, struct err *err) {
    size_t before = b->len;

    if (rdb_put_len(b, s.len, err) && buf_append(b, s, err))
        return true;
    b->len = before;
    return false;
}

bool rdb_put_int(struct buf *b, int64_t value, struct err *err) {
    char bytes[DIGITS_MAX];
    int n;

    if (value >= INT8_MIN && value <= INT8_MAX) {
        bytes[0] = (char)ENC_INT8;
        bytes[1] = (char)value;
        return buf_append(b, str_of(bytes, 2), err);
    }
    if (value >= INT16_MIN && value <= INT16_MAX) {
        bytes[0] = (char)ENC_INT16;
        store_le16(bytes + 1, (uint16_t)value);
        return buf_append(b, str_of(bytes, 3), err);
    }
    if (value >= INT32_MIN && value <= INT32_MAX) {
        bytes[0] = (char)ENC_INT32;
        store_le32(bytes + 1, (uint32_t)value);
        return buf_append(b, str_of(bytes, 5), err);
    }
    n = snprintf(bytes, sizeof(bytes), "%" PRId64, value);
    return rdb_put_str(b, str_of(bytes, (size_t)n), err);
}

bool rdb_put_u64(struct buf *b, uint64_t value, struct err *err) {
    char bytes[8];

    store_le64(bytes, value);
    return buf_append(b, str_of(bytes, sizeof(bytes)), err);
}

bool rdb_put_double(struct buf *b, double value, struct err *err) {
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return rdb_put_u64(b, bits, err);
}

bool rdb_put_ascii_double(struct buf *b, double value, struct err *err) {
    char bytes[1 + DIGITS_MAX];
    int n = 0;

    if (isinf(value)) {
        bytes[0] = (char)(value > 0 ? PLUS_INFINITY : MINUS_INFINITY);
    } else {
        n = snprintf(bytes + 1, DIGITS_MAX, "%.17g", value);
        bytes[0] = (char)n;
    }
    return buf_append(b, str_of(bytes, 1 + (size_t)n), err);
}
