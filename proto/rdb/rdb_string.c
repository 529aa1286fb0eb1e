#include "proto/rdb/rdb_string.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/base/bytes.h"
#include "proto/rdb/lzf.h"

/* The two high bits of the first byte say how a length is written. */
enum { LEN_6BIT, LEN_14BIT, LEN_32_OR_64BIT, LEN_ENCODED };
enum { LEN_32BIT = 0x80, LEN_64BIT = 0x81 };
enum { ENC_INT8 = 0xc0, ENC_INT16 = 0xc1, ENC_INT32 = 0xc2, ENC_LZF = 0xc3 };

/* No server holds a string near this; above it sums of lengths could overflow. */
#define STRING_MAX (UINT64_MAX >> 2)

int rdb_len_read(struct str s, uint64_t *ret_value) {
    uint8_t first;

    if (s.len == 0)
        return 0;
    first = (uint8_t)s.ptr[0];
    switch (first >> 6) {
    case LEN_6BIT:
        *ret_value = first;
        return 1;
    case LEN_14BIT:
        if (s.len < 2)
            return 0;
        *ret_value = (uint64_t)(first & 0x3f) << 8 | (uint8_t)s.ptr[1];
        return 2;
    case LEN_32_OR_64BIT:
        if (first == LEN_32BIT) {
            if (s.len < 5)
                return 0;
            *ret_value = load_be32(s.ptr + 1);
            return 5;
        }
        if (first == LEN_64BIT) {
            if (s.len < 9)
                return 0;
            *ret_value = load_be64(s.ptr + 1);
            return 9;
        }
        return -1;
    default:
        return -1;
    }
}

/* The two lengths behind ENC_LZF; *ret_head is what stands before the data. */
static int lzf_head(struct str s, size_t *ret_head, uint64_t *ret_packed, uint64_t *ret_plain) {
    int packed_size, plain_size;

    packed_size = rdb_len_read(str_skip(s, 1), ret_packed);
    if (packed_size <= 0)
        return packed_size;
    plain_size = rdb_len_read(str_skip(s, 1 + (size_t)packed_size), ret_plain);
    if (plain_size <= 0)
        return plain_size;
    *ret_head = 1 + (size_t)packed_size + (size_t)plain_size;
    return *ret_packed <= STRING_MAX ? 1 : -1;
}

int rdb_string_size(struct str s, uint64_t *ret_size) {
    uint64_t len, packed, plain;
    size_t head;
    int n;

    if (s.len == 0)
        return 0;
    switch ((uint8_t)s.ptr[0]) {
    case ENC_INT8:
        *ret_size = 2;
        return 1;
    case ENC_INT16:
        *ret_size = 3;
        return 1;
    case ENC_INT32:
        *ret_size = 5;
        return 1;
    case ENC_LZF:
        n = lzf_head(s, &head, &packed, &plain);
        if (n > 0)
            *ret_size = head + packed;
        return n;
    default:
        n = rdb_len_read(s, &len);
        if (n <= 0)
            return n;
        if (len > STRING_MAX)
            return -1;
        *ret_size = (uint64_t)n + len;
        return 1;
    }
}

bool rdb_take_len(struct str *rest, uint64_t *ret_value) {
    int n = rdb_len_read(*rest, ret_value);

    if (n <= 0)
        return false;
    *rest = str_skip(*rest, (size_t)n);
    return true;
}

bool rdb_take_str(struct str *rest, struct str *ret_raw) {
    uint64_t size;

    if (rdb_string_size(*rest, &size) <= 0 || size > rest->len)
        return false;
    *ret_raw = str_of(rest->ptr, (size_t)size);
    *rest = str_skip(*rest, (size_t)size);
    return true;
}

enum shape { SHAPE_PLAIN, SHAPE_INT, SHAPE_LZF };

/* A raw string whose size was checked against its slice. */
struct pieces {
    enum shape shape;
    struct str data; /* plain or packed bytes */
    int64_t number;
    uint64_t plain_len; /* as LZF claims it */
};

static bool take_apart(struct str raw, struct pieces *ret, struct err *err) {
    uint64_t size, packed;
    size_t head = 0;

    if (rdb_string_size(raw, &size) <= 0 || size != raw.len)
        return err_set(err, ERR_RDB_CORRUPT, "a string of the snapshot is cut or overlong");
    switch ((uint8_t)raw.ptr[0]) {
    case ENC_INT8:
        *ret = (struct pieces){.shape = SHAPE_INT, .number = (int8_t)raw.ptr[1]};
        return true;
    case ENC_INT16:
        *ret = (struct pieces){.shape = SHAPE_INT, .number = (int16_t)load_le16(raw.ptr + 1)};
        return true;
    case ENC_INT32:
        *ret = (struct pieces){.shape = SHAPE_INT, .number = (int32_t)load_le32(raw.ptr + 1)};
        return true;
    case ENC_LZF:
        *ret = (struct pieces){.shape = SHAPE_LZF};
        if (lzf_head(raw, &head, &packed, &ret->plain_len) <= 0)
            return err_set(err, ERR_RDB_CORRUPT, "a compressed string has no lengths");
        ret->data = str_skip(raw, head);
        if (ret->plain_len > ret->data.len * LZF_MAX_RATIO)
            return err_set(err, ERR_RDB_CORRUPT, "%zu compressed bytes claim to unpack to %" PRIu64,
                           ret->data.len, ret->plain_len);
        return true;
    default: {
        int n = rdb_len_read(raw, &packed);

        *ret = (struct pieces){.shape = SHAPE_PLAIN, .data = str_skip(raw, (size_t)n)};
        return true;
    }
    }
}

bool rdb_string_decode(struct str raw, struct buf *scratch, struct str *ret, struct err *err) {
    struct pieces pieces;

    if (!take_apart(raw, &pieces, err))
        return false;
    switch (pieces.shape) {
    case SHAPE_PLAIN:
        *ret = pieces.data;
        return true;
    case SHAPE_INT:
        buf_clear(scratch);
        if (!buf_printf(scratch, err, "%" PRId64, pieces.number))
            return false;
        break;
    case SHAPE_LZF:
        buf_clear(scratch);
        if (!buf_reserve(scratch, pieces.plain_len, err))
            return err_wrap(err, "unpacking a string");
        if (!lzf_unpack(pieces.data, scratch->ptr, pieces.plain_len))
            return err_set(err, ERR_RDB_CORRUPT, "a compressed string does not unpack");
        scratch->len = pieces.plain_len;
        scratch->ptr[scratch->len] = '\0';
        break;
    }
    *ret = buf_str(scratch);
    return true;
}

bool rdb_string_len(struct str raw, uint64_t *ret_len, struct err *err) {
    struct pieces pieces;

    if (!take_apart(raw, &pieces, err))
        return false;
    switch (pieces.shape) {
    case SHAPE_PLAIN:
        *ret_len = pieces.data.len;
        break;
    case SHAPE_INT:
        *ret_len = (uint64_t)snprintf(NULL, 0, "%" PRId64, pieces.number);
        break;
    case SHAPE_LZF:
        *ret_len = pieces.plain_len;
        break;
    }
    return true;
}
