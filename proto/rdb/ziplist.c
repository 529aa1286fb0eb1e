#include "proto/rdb/ziplist.h"

#include "proto/base/bytes.h"

enum { HEADER = 10, END_MARK = 0xff, LONG_PREVIOUS = 0xfe };

enum {
    INT16 = 0xc0,
    INT32 = 0xd0,
    INT64 = 0xe0,
    INT24 = 0xf0,
    SMALL_FIRST = 0xf1, /* 0 to 12 in the byte itself */
    SMALL_LAST = 0xfd,
    INT8 = 0xfe,
};

bool ziplist_open(struct ziplist *zl, struct str blob, struct err *err) {
    if (blob.len < HEADER + 1)
        return err_set(err, ERR_RDB_CORRUPT, "a ziplist of %zu bytes is too short", blob.len);
    if (load_le32(blob.ptr) != blob.len)
        return err_set(err, ERR_RDB_CORRUPT, "a ziplist of %zu bytes says it has %u", blob.len,
                       load_le32(blob.ptr));
    *zl = (struct ziplist){.rest = str_skip(blob, HEADER), .announced = load_le16(blob.ptr + 8)};
    return true;
}

/* `p` stands at the form byte, `len` bytes of integer behind it. */
static int64_t number(const char *p, size_t len) {
    uint64_t bits = 0;
    unsigned unused = 64 - 8 * (unsigned)len;

    if (len == 0)
        return (uint8_t)*p - SMALL_FIRST;
    for (size_t i = 0; i < len; i++)
        bits |= (uint64_t)(uint8_t)p[1 + i] << (8 * i);
    return (int64_t)(bits << unused) >> unused;
}

/* The form of the element at the front of `s` (its previous-length is already
 * taken off): *ret_head bytes, then *ret_data bytes. */
static bool measure(struct str s, size_t *ret_head, uint64_t *ret_data, bool *ret_is_number) {
    uint8_t first;

    if (s.len == 0)
        return false;
    first = (uint8_t)s.ptr[0];
    *ret_head = 1;
    *ret_is_number = first >= 0xc0;
    switch (first >> 6) {
    case 0:
        *ret_data = first;
        return true;
    case 1:
        if (s.len < 2)
            return false;
        *ret_head = 2;
        *ret_data = (uint64_t)(first & 0x3f) << 8 | (uint8_t)s.ptr[1];
        return true;
    case 2:
        if (s.len < 5)
            return false;
        *ret_head = 5;
        *ret_data = load_be32(s.ptr + 1);
        return true;
    default:
        break;
    }
    if (first >= SMALL_FIRST && first <= SMALL_LAST) {
        *ret_data = 0;
        return true;
    }
    *ret_data = first == INT8    ? 1
                : first == INT16 ? 2
                : first == INT24 ? 3
                : first == INT32 ? 4
                : first == INT64 ? 8
                                 : 0;
    return *ret_data != 0;
}

enum packed_next ziplist_next(struct ziplist *zl, struct packed_value *ret) {
    struct str rest = zl->rest;
    size_t head;
    uint64_t data;
    bool is_number;

    if (rest.len == 0)
        return PACKED_WRONG;
    if ((uint8_t)rest.ptr[0] == END_MARK) {
        bool right = zl->announced == ZIPLIST_UNKNOWN || zl->announced == zl->seen;

        return rest.len == 1 && right ? PACKED_END : PACKED_WRONG;
    }
    rest = str_skip(rest, (uint8_t)rest.ptr[0] == LONG_PREVIOUS ? 5 : 1);
    /* The end mark must still come. */
    if (!measure(rest, &head, &data, &is_number) || head + data >= rest.len)
        return PACKED_WRONG;
    ret->is_number = is_number;
    ret->number = is_number ? number(rest.ptr, (size_t)data) : 0;
    ret->bytes = is_number ? STR_EMPTY : str_of(rest.ptr + head, (size_t)data);
    zl->rest = str_skip(rest, head + (size_t)data);
    zl->seen++;
    return PACKED_VALUE;
}
