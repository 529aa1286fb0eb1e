#include "proto/cluster/slot_set.h"

#include <stdio.h>

#include "proto/crc/crc16.h"

uint16_t slot_set_slot(struct str key) {
    struct str inside = key, before, tag;

    if (str_cut(&inside, '{', &before) && before.len < key.len && str_cut(&inside, '}', &tag) &&
        tag.len > 0 && tag.ptr + tag.len < key.ptr + key.len)
        return crc16(tag.ptr, tag.len) % SLOT_COUNT;
    return crc16(key.ptr, key.len) % SLOT_COUNT;
}

void slot_set_add(struct slot_set *set, uint16_t first, uint16_t last) {
    for (unsigned slot = first; slot <= last; slot++)
        set->words[slot / 64] |= UINT64_C(1) << (slot % 64);
}

bool slot_set_has(const struct slot_set *set, uint16_t slot) {
    return set->words[slot / 64] >> (slot % 64) & 1;
}

unsigned slot_set_size(const struct slot_set *set) {
    unsigned size = 0;

    for (size_t i = 0; i < LENGTH_OF(set->words); i++)
        size += (unsigned)__builtin_popcountll(set->words[i]);
    return size;
}

void slot_set_format(const struct slot_set *set, char *dst, size_t size) {
    size_t used = 0;

    dst[0] = '\0';
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        unsigned first = slot;
        char range[24];

        if (!slot_set_has(set, (uint16_t)slot))
            continue;
        while (slot + 1 < SLOT_COUNT && slot_set_has(set, (uint16_t)(slot + 1)))
            slot++;
        if (slot > first)
            snprintf(range, sizeof(range), "%s%u-%u", used ? "," : "", first, slot);
        else
            snprintf(range, sizeof(range), "%s%u", used ? "," : "", first);
        if (used + strlen(range) + strlen(",...") >= size) {
            snprintf(dst + used, size - used, "%s...", used ? "," : "");
            return;
        }
        used += (size_t)snprintf(dst + used, size - used, "%s", range);
    }
}

bool slot_set_tag(const struct slot_set *set, char dst[SLOT_TAG_SIZE]) {
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    enum { DIGITS = sizeof(digits) - 1, LENGTH_MAX = 4 }; /* four of them reach every slot */
    uint32_t count = 1;

    if (slot_set_size(set) == 0)
        return false;
    for (size_t length = 1; length <= LENGTH_MAX; length++) {
        count *= DIGITS;
        for (uint32_t number = 0; number < count; number++) {
            char text[LENGTH_MAX];
            uint32_t rest = number;

            for (size_t i = 0; i < length; i++) {
                text[length - 1 - i] = digits[rest % DIGITS];
                rest /= DIGITS;
            }
            if (!slot_set_has(set, crc16(text, length) % SLOT_COUNT))
                continue;
            memcpy(dst, text, length);
            dst[length] = '\0';
            return true;
        }
    }
    return false;
}
