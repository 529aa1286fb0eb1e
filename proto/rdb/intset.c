#include "proto/rdb/intset.h"

#include "proto/base/bytes.h"

enum { HEADER = 8 };

bool intset_open(struct intset *set, struct str blob, struct err *err) {
    uint32_t width, count;

    if (blob.len < HEADER)
        return err_set(err, ERR_RDB_CORRUPT, "an intset of %zu bytes is too short", blob.len);
    width = load_le32(blob.ptr);
    count = load_le32(blob.ptr + 4);
    if (width != 2 && width != 4 && width != 8)
        return err_set(err, ERR_RDB_CORRUPT, "an intset has elements of %u bytes", width);
    if ((uint64_t)width * count != blob.len - HEADER)
        return err_set(err, ERR_RDB_CORRUPT, "an intset of %zu bytes says it has %u elements of %u",
                       blob.len, count, width);
    *set = (struct intset){.rest = str_skip(blob, HEADER), .width = width};
    return true;
}

enum packed_next intset_next(struct intset *set, struct packed_value *ret) {
    const char *p = set->rest.ptr;

    if (set->rest.len < set->width)
        return PACKED_END;
    ret->is_number = true;
    ret->bytes = STR_EMPTY;
    ret->number = set->width == 2   ? (int16_t)load_le16(p)
                  : set->width == 4 ? (int32_t)load_le32(p)
                                    : (int64_t)load_le64(p);
    set->rest = str_skip(set->rest, set->width);
    return PACKED_VALUE;
}
