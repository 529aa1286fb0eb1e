/* json_time.h - moments as the API writes them. Pure. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"

/* RFC 3339 in UTC with milliseconds; 0 (not yet) is null. */
json_t *json_time(int64_t wall_ms);

/* Read what json_time() or the database wrote: "2026-11-20T09:54:00.123Z". False when
 * it is none. */
MUST_CHECK bool json_time_parse(const json_t *value, int64_t *ret_wall_ms);
