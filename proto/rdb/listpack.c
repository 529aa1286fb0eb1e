#include "proto/rdb/listpack.h"

#include "proto/base/bytes.h"

enum { HEADER = 6, END_MARK = 0xff };

bool listpack_open(struct listpack *lp, struct str blob, struct err *err) {
    if (blob.len < HEADER + 1)
        return err_set(err, ERR_RDB_CORRUPT, "a listpack of %zu bytes is too short", blob.len);
    if (load_le32(blob.ptr) != blob.len)
        return err_set(err, ERR_RDB_CORRUPT, "a listpack of %zu bytes says it has %u", blob.len,
                       load_le32(blob.ptr));
    *lp = (struct listpack){.rest = str_skip(blob, HEADER), .announced = load_le16(blob.ptr + 4)};
    return true;
}

/* Behind each element stands its length for walking backwards, seven bits a byte. */
static size_t backward_len(uint64_t size) {
    return size <= 127 ? 1 : size < 16383 ? 2 : size < 2097151 ? 3 : size < 268435455 ? 4 : 5;
}

/* The bytes of an integer form behind its first byte; 0: no integer form. */
static size_t number_len(uint8_t first) {
    switch (first) {
    case 0xf1:
        return 2;
    case 0xf2:
        return 3;
    case 0xf3:
        return 4;
    case 0xf4:
        return 8;
    default:
        return 0;
    }
}

static int64_t number(const char *p, size_t len) {
    uint64_t bits = 0;
    unsigned unused = 64 - 8 * (unsigned)len;

    for (size_t i = 0; i < len; i++)
        bits |= (uint64_t)(uint8_t)p[i] << (8 * i);
    return (int64_t)(bits << unused) >> unused;
}

/* The header of the element at the front: *ret_head bytes, then *ret_data bytes.
 * False: not a form that exists, or cut. */
static bool measure(struct str rest, size_t *ret_head, uint64_t *ret_data, bool *ret_is_number) {
    uint8_t first = (uint8_t)rest.ptr[0];

    *ret_is_number = false;
    *ret_head = 1;
    *ret_data = 0;
    if (first < 0x80) { /* 7-bit number, in the first byte itself */
        *ret_is_number = true;
    } else if (first < 0xc0) {
        *ret_data = first & 0x3f;
    } else if (first < 0xe0) { /* 13-bit number */
        *ret_is_number = true;
        *ret_data = 1;
    } else if (first < 0xf0) {
        if (rest.len < 2)
            return false;
        *ret_head = 2;
        *ret_data = (uint64_t)(first & 0x0f) << 8 | (uint8_t)rest.ptr[1];
    } else if (first == 0xf0) {
        if (rest.len < 5)
            return false;
        *ret_head = 5;
        *ret_data = load_le32(rest.ptr + 1);
    } else {
        *ret_is_number = true;
        *ret_data = number_len(first);
        return *ret_data != 0;
    }
    return true;
}

static int64_t read_number(const char *p) {
    uint8_t first = (uint8_t)*p;

    if (first < 0x80)
        return first;
    if (first < 0xe0) {
        int64_t bits = (int64_t)(first & 0x1f) << 8 | (uint8_t)p[1];

        return bits < 4096 ? bits : bits - 8192;
    }
    return number(p + 1, number_len(first));
}

enum packed_next listpack_next(struct listpack *lp, struct packed_value *ret) {
    size_t head;
    uint64_t data, size;
    bool is_number;

    if (lp->rest.len == 0)
        return PACKED_WRONG;
    if ((uint8_t)lp->rest.ptr[0] == END_MARK) {
        bool right = lp->announced == LISTPACK_UNKNOWN || lp->announced == lp->seen;

        return lp->rest.len == 1 && right ? PACKED_END : PACKED_WRONG;
    }
    if (!measure(lp->rest, &head, &data, &is_number))
        return PACKED_WRONG;
    size = head + data;
    /* The end mark must still come. */
    if (size + backward_len(size) >= lp->rest.len)
        return PACKED_WRONG;
    ret->is_number = is_number;
    ret->number = is_number ? read_number(lp->rest.ptr) : 0;
    ret->bytes = is_number ? STR_EMPTY : str_of(lp->rest.ptr + head, (size_t)data);
    lp->rest = str_skip(lp->rest, (size_t)size + backward_len(size));
    lp->seen++;
    return PACKED_VALUE;
}
