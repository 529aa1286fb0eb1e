#include "proto/rdb/zipmap.h"

#include "proto/base/bytes.h"

enum { END_MARK = 0xff, LONG_LENGTH = 0xfe };

bool zipmap_open(struct zipmap *zm, struct str blob, struct err *err) {
    if (blob.len < 2)
        return err_set(err, ERR_RDB_CORRUPT, "a zipmap of %zu bytes is too short", blob.len);
    *zm = (struct zipmap){.rest = str_skip(blob, 1), .announced = (uint8_t)blob.ptr[0]};
    return true;
}

static bool take_len(struct str *rest, uint64_t *ret_len) {
    uint8_t first;

    if (rest->len == 0)
        return false;
    first = (uint8_t)rest->ptr[0];
    if (first == END_MARK || (first == LONG_LENGTH && rest->len < 5))
        return false;
    *ret_len = first == LONG_LENGTH ? load_le32(rest->ptr + 1) : first;
    *rest = str_skip(*rest, first == LONG_LENGTH ? 5 : 1);
    return true;
}

enum packed_next zipmap_next(struct zipmap *zm, struct packed_value *ret) {
    struct str rest = zm->rest;
    uint64_t len, unused = 0;

    if (!zm->value_next && rest.len > 0 && (uint8_t)rest.ptr[0] == END_MARK) {
        bool right = zm->announced >= LONG_LENGTH || zm->announced == zm->seen;

        return rest.len == 1 && right ? PACKED_END : PACKED_WRONG;
    }
    if (!take_len(&rest, &len))
        return PACKED_WRONG;
    if (zm->value_next) {
        if (rest.len == 0)
            return PACKED_WRONG;
        unused = (uint8_t)rest.ptr[0];
        rest = str_skip(rest, 1);
    }
    /* The end mark must still come. */
    if (len + unused >= rest.len)
        return PACKED_WRONG;
    *ret = (struct packed_value){.bytes = str_first(rest, (size_t)len)};
    zm->rest = str_skip(rest, (size_t)(len + unused));
    zm->seen += zm->value_next;
    zm->value_next = !zm->value_next;
    return PACKED_VALUE;
}
