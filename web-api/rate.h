/* rate.h - how many requests a second somebody may make.
 *
 * A bucket per name that holds two seconds' worth and fills with the rate. A fixed number of
 * buckets: the one that was idle longest makes room, so memory is bounded and a flood of names
 * costs nobody else more than a full bucket. Thread safe; the caller brings the clock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/str.h"

enum { RATE_BUCKETS = 1024, RATE_NAME_MAX = 64, RATE_BURST_SECONDS = 2 };

struct rate;

struct rate *rate_new(uint32_t per_second); /* never NULL */
void rate_free(struct rate *rate);          /* NULL is fine */

struct rate_verdict {
    bool is_allowed;
    uint32_t per_second, left, full_in_seconds;
    uint32_t wait_ms; /* until the next is allowed; 0 when this one is */
};

/* May `name` make one more now? `now_ms` is monotonic. */
struct rate_verdict rate_take(struct rate *rate, struct str name, int64_t now_ms);
