/* Any bytes are an intset: reading ends, and stays inside. */
#include <stdint.h>
#include <stdlib.h>

#include "proto/rdb/intset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str blob = str_of(data, size);
    struct err err = ERR_INIT;
    struct packed_value value;
    struct intset packed;
    size_t seen = 0;

    if (!intset_open(&packed, blob, &err))
        return 0;
    while (intset_next(&packed, &value) == PACKED_VALUE) {
        char room[PACKED_DIGITS];
        struct str text = packed_value_text(&value, room);

        /* Every element takes a byte, so there are never more than bytes. */
        if (++seen > size)
            abort();
        if (text.len > 0 && !value.is_number &&
            (text.ptr < blob.ptr || text.ptr + text.len > blob.ptr + blob.len))
            abort();
    }
    return 0;
}
