/* slot_set.h - the slots of a cluster: which one a key lives in, and sets of them.
 *
 * Pure. A slot is CRC-16 of the key modulo 16384, of the part between the first brace and the
 * next closing one where something stands there: keys with the same tag share a slot.
 *
 * Source: the Redis Cluster specification, "Key distribution model" and "Hash tags".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/str.h"

enum { SLOT_COUNT = 16384, SLOT_TAG_SIZE = 8 };

struct slot_set {
    uint64_t words[SLOT_COUNT / 64];
};

/* The slot that `key` lives in. */
uint16_t slot_set_slot(struct str key);

/* Add first..last, both below SLOT_COUNT. */
void slot_set_add(struct slot_set *set, uint16_t first, uint16_t last);

bool slot_set_has(const struct slot_set *set, uint16_t slot);
unsigned slot_set_size(const struct slot_set *set);

/* "0-5460,10923": the ranges, cut with "..." when they do not fit; "" of none. */
void slot_set_format(const struct slot_set *set, char *dst, size_t size);

/* What stands between the braces of a key that is to live in one of these slots: letters and
 * digits, as few as can be. False: the set is empty. */
MUST_CHECK bool slot_set_tag(const struct slot_set *set, char dst[SLOT_TAG_SIZE]);
