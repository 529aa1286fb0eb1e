/* ulid.h - ids of everything we name: a prefix and a ULID.
 *
 * 48 bits of wall clock in milliseconds and 80 random bits, as 26 characters of
 * Crockford's alphabet: they sort by the time they were made, which is what lists
 * and cursors use. Random bits come from getrandom(2).
 *
 * Source: the ULID specification (github.com/ulid/spec).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/str.h"

enum {
    ULID_LEN = 26,
    ULID_PREFIX_MAX = 8,
    ULID_ID_SIZE = ULID_PREFIX_MAX + 1 + ULID_LEN + 1, /* prefix, '_', ULID, NUL */
};

/* Write "<prefix>_<26 characters>": "job_01J…". `prefix` has 1 to 8 letters. */
void ulid_make(const char *prefix, char dst[ULID_ID_SIZE]);

/* The 26 characters of a moment and 10 random bytes; pure. NUL behind. */
void ulid_format(uint64_t ms, const uint8_t random[10], char dst[ULID_LEN + 1]);

/* Is `id` one of ours with that prefix? Letters in upper case only: an id has one
 * spelling. Pure. */
bool ulid_is(struct str id, const char *prefix);

/* The milliseconds in an id that ulid_is() accepts. Pure. */
uint64_t ulid_ms(struct str id);
