/* command_time.h - an expiry time, whatever its form, as the destination shall have it.
 *
 * Pure; it is given the source's clock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "proto/base/str.h"

/* Seconds or milliseconds, from now on or absolute: as the words of SET name them. */
enum command_time { COMMAND_TIME_EX, COMMAND_TIME_PX, COMMAND_TIME_EXAT, COMMAND_TIME_PXAT };

/* The time to write at the destination: absolute, ms, held if so wanted. Relative
 * times count from receipt_ms.
 * Errors: PROTOCOL (no number, 0, negative, beyond all range), COMMAND_REFUSED (cannot be
 * held). */
MUST_CHECK bool command_time_resolve(struct str text, enum command_time time, uint64_t receipt_ms,
                                     bool held, uint64_t *ret_at_ms, struct err *err);
