#include "services/common/ulid.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "services/common/clock.h"

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void ulid_format(uint64_t ms, const uint8_t random[10], char dst[ULID_LEN + 1]) {
    uint8_t bytes[16];
    unsigned bits = 0;
    uint32_t held = 0;
    int at = ULID_LEN;

    for (int i = 0; i < 6; i++)
        bytes[i] = (uint8_t)(ms >> (8 * (5 - i)));
    memcpy(bytes + 6, random, 10);
    dst[at] = '\0';
    /* From the last byte on, five bits a character: 26 * 5 = 130, the first has 3. */
    for (int i = 15; i >= 0; i--) {
        held |= (uint32_t)bytes[i] << bits;
        bits += 8;
        while (bits >= 5) {
            dst[--at] = alphabet[held & 31];
            held >>= 5;
            bits -= 5;
        }
    }
    if (at > 0)
        dst[--at] = alphabet[held & 31];
}

void ulid_make(const char *prefix, char dst[ULID_ID_SIZE]) {
    uint8_t random[10];
    char text[ULID_LEN + 1];

    /* 10 bytes come whole; before the pool is ready, which is at boot, it waits. */
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        abort();
    ulid_format((uint64_t)clock_wall_ms(), random, text);
    snprintf(dst, ULID_ID_SIZE, "%.*s_%s", ULID_PREFIX_MAX, prefix, text);
}

static int digit_of(char c) {
    const char *at = c ? strchr(alphabet, c) : NULL;

    return at ? (int)(at - alphabet) : -1;
}

bool ulid_is(struct str id, const char *prefix) {
    struct str wanted = str_from(prefix);

    if (id.len != wanted.len + 1 + ULID_LEN || !str_starts_with(id, wanted) ||
        id.ptr[wanted.len] != '_')
        return false;
    if (id.ptr[wanted.len + 1] > '7') /* the first character carries 3 bits */
        return false;
    for (size_t i = wanted.len + 1; i < id.len; i++) {
        if (digit_of(id.ptr[i]) < 0)
            return false;
    }
    return true;
}

uint64_t ulid_ms(struct str id) {
    uint64_t ms = 0;

    for (size_t i = id.len - ULID_LEN; i < id.len - ULID_LEN + 10; i++)
        ms = ms << 5 | (uint64_t)digit_of(id.ptr[i]);
    return ms;
}
