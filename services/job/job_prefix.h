/* job_prefix.h - a key prefix as the API writes it.
 *
 * Pure. A text is the prefix itself; one that begins with "hex:" is its bytes in
 * hexadecimal, for prefixes that are no text, or that begin with these four letters.
 */
#pragma once

#include <stdbool.h>

#include "proto/base/attrs.h"
#include "proto/base/str.h"

enum { JOB_PREFIX_MAX = 512 };

/* The prefix in lower-case hexadecimal, NUL-terminated. *ret_what says what is wrong. */
MUST_CHECK bool job_prefix_hex(struct str text, char ret_hex[2 * JOB_PREFIX_MAX + 1],
                               const char **ret_what);
