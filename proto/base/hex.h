/* hex.h - bytes as hexadecimal text. Pure. */
#pragma once

#include "proto/base/str.h"

/* Write two lower-case digits for each byte, and a NUL: `dst` has room for 2 * len + 1. */
void hex_encode(struct str bytes, char *dst);

/* The bytes of `hex`, digits of either case: `dst` has room for half its length. False when the
 * length is odd or another character stands in it; what was written to `dst` means nothing then. */
MUST_CHECK bool hex_decode(struct str hex, void *dst);
