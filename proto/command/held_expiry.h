/* held_expiry.h - expiry times that cannot come true while a job runs.
 *
 * Pure. A replica never expires a key by itself: the source decides and sends a
 * DEL. We write to a primary, which would decide by its own clock, early by
 * whatever we lag. So while a job tails, an absolute expiry t is written as
 * t + 2^42 ms (139 years), and taken back when the job stops. The padding is
 * recognised by its size, so taking it back can be repeated after a crash.
 *
 * For that to be unambiguous, held and true times must not overlap:
 *
 *     true time t (ms)                     written while held
 *     [HELD_EARLIEST, 2^42)                t + 2^42      (2020 .. 2109: every usual one)
 *     [1, HELD_EARLIEST)                   HELD_EARLIEST + 2^42: long past when written;
 *                                          the source's DEL is already under way
 *     [2^42, 2^42 + HELD_EARLIEST)         t             (2109 .. 2160: nothing to hold)
 *     [2^43, ..)                           t             (from 2248: the same)
 *     [2^42 + HELD_EARLIEST, 2^43)         refused: could not be told from a held one
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"

#define HELD_EXPIRY_PAD_MS ((uint64_t)1 << 42)
#define HELD_EXPIRY_EARLIEST_MS UINT64_C(1600000000000) /* 2020-09-13 */
#define HELD_EXPIRY_FIRST_MS (HELD_EXPIRY_PAD_MS + HELD_EXPIRY_EARLIEST_MS)
#define HELD_EXPIRY_END_MS ((uint64_t)1 << 43)

/* `at_ms` as found on the destination is a padded one. */
static inline bool held_expiry_is_held(uint64_t at_ms) {
    return at_ms >= HELD_EXPIRY_FIRST_MS && at_ms < HELD_EXPIRY_END_MS;
}

/* The time to write for the true time `at_ms`. False (nothing written) when there
 * is none: 0, above INT64_MAX, or in the band that could not be told apart. */
MUST_CHECK static inline bool held_expiry_hold(uint64_t at_ms, uint64_t *ret_ms) {
    if (at_ms == 0 || at_ms > (uint64_t)INT64_MAX || held_expiry_is_held(at_ms))
        return false;
    if (at_ms < HELD_EXPIRY_EARLIEST_MS)
        *ret_ms = HELD_EXPIRY_FIRST_MS;
    else
        *ret_ms = at_ms < HELD_EXPIRY_PAD_MS ? at_ms + HELD_EXPIRY_PAD_MS : at_ms;
    return true;
}

/* The true time behind what is found on the destination; itself when not held. */
static inline uint64_t held_expiry_settle(uint64_t at_ms) {
    return held_expiry_is_held(at_ms) ? at_ms - HELD_EXPIRY_PAD_MS : at_ms;
}
