#include "proto/crc/crc16.h"

/* Half a byte at a time: key names are short, and 16 entries stay in the cache. */
static const uint16_t table[16] = {
    0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
    0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef,
};

static uint16_t nibble(uint16_t crc, unsigned bits) {
    return (uint16_t)((uint16_t)(crc << 4) ^ table[(crc >> 12) ^ bits]);
}

uint16_t crc16(const void *bytes, size_t n) {
    const uint8_t *p = bytes;
    uint16_t crc = 0;

    for (; n > 0; n--, p++)
        crc = nibble(nibble(crc, *p >> 4), *p & 0xf);
    return crc;
}
