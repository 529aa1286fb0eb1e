#include "proto/crc/crc32c.h"

#include "proto/base/bytes.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define POLY_REFLECTED 0x82f63b78U

/* table[k][b]: what byte b contributes when k more bytes follow it. Filled
 * before main and constant from then on. */
static uint32_t table[8][256];

__attribute__((constructor)) static void fill_tables(void) {
    for (unsigned b = 0; b < 256; b++) {
        uint32_t v = b;

        for (int bit = 0; bit < 8; bit++)
            v = v & 1 ? (v >> 1) ^ POLY_REFLECTED : v >> 1;
        table[0][b] = v;
    }
    for (unsigned b = 0; b < 256; b++) {
        for (int k = 1; k < 8; k++)
            table[k][b] = (table[k - 1][b] >> 8) ^ table[0][table[k - 1][b] & 0xff];
    }
}

uint32_t crc32c_slice8(uint32_t crc, const void *bytes, size_t n) {
    const uint8_t *p = bytes;

    crc = ~crc;
    for (; n >= 8; p += 8, n -= 8) {
        uint32_t low = crc ^ load_le32(p), high = load_le32(p + 4);

        crc = table[7][low & 0xff] ^ table[6][(low >> 8) & 0xff] ^ table[5][(low >> 16) & 0xff] ^
              table[4][low >> 24] ^ table[3][high & 0xff] ^ table[2][(high >> 8) & 0xff] ^
              table[1][(high >> 16) & 0xff] ^ table[0][high >> 24];
    }
    for (; n > 0; n--)
        crc = table[0][(crc ^ *p++) & 0xff] ^ (crc >> 8);
    return ~crc;
}

#if defined(__x86_64__)

/* One instruction takes 8 bytes in 3 cycles: about 8 GB/s, more than the spool's
 * disk or page cache gives, so the streams are not interleaved. */
__attribute__((target("sse4.2"))) uint32_t crc32c_sse42(uint32_t crc, const void *bytes, size_t n) {
    const uint8_t *p = bytes;
    uint64_t state = ~crc;

    for (; n >= 8; p += 8, n -= 8)
        state = _mm_crc32_u64(state, load_le64(p));
    for (; n > 0; n--)
        state = _mm_crc32_u8((uint32_t)state, *p++);
    return ~(uint32_t)state;
}

bool crc32c_sse42_usable(void) {
    return __builtin_cpu_supports("sse4.2");
}

#else

uint32_t crc32c_sse42(uint32_t crc, const void *bytes, size_t n) {
    return crc32c_slice8(crc, bytes, n);
}

bool crc32c_sse42_usable(void) {
    return false;
}

#endif

uint32_t crc32c_update(uint32_t crc, const void *p, size_t n) {
    return crc32c_sse42_usable() ? crc32c_sse42(crc, p, n) : crc32c_slice8(crc, p, n);
}
