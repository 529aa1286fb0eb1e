#include "proto/rdb/packed_value.h"

#include <inttypes.h>
#include <stdio.h>

struct str packed_value_text(const struct packed_value *value, char room[PACKED_DIGITS]) {
    if (!value->is_number)
        return value->bytes;
    return str_of(room, (size_t)snprintf(room, PACKED_DIGITS, "%" PRId64, value->number));
}
