#include "proto/rdb/lzf.h"

#include <stdint.h>
#include <string.h>

bool lzf_unpack(struct str in, void *out, size_t out_len) {
    const uint8_t *from = (const uint8_t *)in.ptr, *from_end = from + in.len;
    uint8_t *to_start = out, *to = to_start, *to_end = to_start + out_len;

    while (from < from_end) {
        size_t control = *from++, len, distance;

        if (control < 32) {
            len = control + 1;
            if (len > (size_t)(from_end - from) || len > (size_t)(to_end - to))
                return false;
            memcpy(to, from, len);
            from += len;
            to += len;
            continue;
        }
        len = control >> 5;
        if (len == 7) { /* a long copy says how long in a byte of its own */
            if (from == from_end)
                return false;
            len += *from++;
        }
        len += 2;
        if (from == from_end)
            return false;
        distance = ((control & 0x1f) << 8) + *from++ + 1;
        if (distance > (size_t)(to - to_start) || len > (size_t)(to_end - to))
            return false;
        if (distance >= len) {
            memcpy(to, to - distance, len);
            to += len;
        } else { /* overlapping: the copy repeats what it has just written */
            for (; len > 0; len--, to++)
                *to = to[-(ptrdiff_t)distance];
        }
    }
    return to == to_end;
}
