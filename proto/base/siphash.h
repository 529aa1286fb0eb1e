/* siphash.h - a keyed hash of 64 bits: whoever does not know the key cannot choose two
 * inputs that meet.
 *
 * Pure. SipHash-2-4 by Jean-Philippe Aumasson and Daniel J. Bernstein (2012); checked
 * against the test vectors of their paper.
 */
#pragma once

#include <stdint.h>

#include "proto/base/str.h"

uint64_t siphash(const uint64_t key[2], struct str bytes);
