/* json_time.h - moments as the API writes them. Pure. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "services/common/clock.h"

/* RFC 3339 in UTC with milliseconds; 0 (not yet) is null. */
static inline json_t *json_time(int64_t wall_ms) {
    char text[CLOCK_RFC3339_SIZE];

    if (wall_ms == 0)
        return json_null();
    clock_rfc3339(wall_ms, text);
    return json_string(text);
}
