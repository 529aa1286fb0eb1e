/* clock.h - the two clocks. Not pure: it asks the system.
 *
 * Deadlines and durations use the monotonic clock, which a set of the system's
 * time cannot move; what people and servers read uses the wall clock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"

int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
int64_t clock_wall_ms(void); /* since 1970, UTC */
int64_t clock_wall_us(void);

enum { CLOCK_RFC3339_SIZE = 32 };

/* Write "2026-11-20T09:54:00.123Z" into `dst`. What lies outside the years
 * 1970 to 9999 is moved to the nearer end. */
void clock_rfc3339(int64_t wall_ms, char dst[CLOCK_RFC3339_SIZE]);

/* Read what clock_rfc3339() writes, or the same without milliseconds. False when it is none, and
 * for a day that no month has. Pure. */
MUST_CHECK bool clock_parse_rfc3339(const char *text, int64_t *ret_wall_ms);
