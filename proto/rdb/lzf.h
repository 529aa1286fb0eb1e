/* lzf.h - unpacks LZF, the compression inside snapshots.
 *
 * Pure, allocates nothing. Written from the format: a control byte c below 32
 * is followed by c + 1 literal bytes; any other copies what stands 1 to 8192
 * bytes back in the output, 3 to 264 bytes of it (the copy may overlap itself).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/attrs.h"
#include "proto/base/str.h"

/* No input unpacks to more than this many times its length. */
enum { LZF_MAX_RATIO = 88 };

/* Unpack `in` to exactly `out_len` bytes at `out`. False when the input is
 * broken or its output has another length; `out` then holds rubbish. Never reads
 * or writes outside the two. */
MUST_CHECK bool lzf_unpack(struct str in, void *out, size_t out_len);
