#include "proto/crc/crc64.h"

#include "proto/base/bytes.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* 0xad93d23594c935a9 with its bits in reverse order. */
#define POLY_REFLECTED 0x95ac9329ac4bc9b5ULL

/* table[k][b]: what byte b contributes when k more bytes follow it. Filled
 * before main and constant from then on: 32 KiB of literals would say less. */
static uint64_t table[16][256];

__attribute__((constructor)) static void fill_tables(void) {
    for (unsigned b = 0; b < 256; b++) {
        uint64_t v = b;

        for (int bit = 0; bit < 8; bit++)
            v = v & 1 ? (v >> 1) ^ POLY_REFLECTED : v >> 1;
        table[0][b] = v;
    }
    for (unsigned b = 0; b < 256; b++) {
        for (int k = 1; k < 16; k++)
            table[k][b] = (table[k - 1][b] >> 8) ^ table[0][table[k - 1][b] & 0xff];
    }
}

static inline uint64_t eight(uint64_t v, int k) {
    return table[k + 7][v & 0xff] ^ table[k + 6][(v >> 8) & 0xff] ^ table[k + 5][(v >> 16) & 0xff] ^
           table[k + 4][(v >> 24) & 0xff] ^ table[k + 3][(v >> 32) & 0xff] ^
           table[k + 2][(v >> 40) & 0xff] ^ table[k + 1][(v >> 48) & 0xff] ^ table[k][v >> 56];
}

uint64_t crc64_slice16(uint64_t crc, const void *bytes, size_t n) {
    const uint8_t *p = bytes;

    for (; n >= 16; p += 16, n -= 16)
        crc = eight(crc ^ load_le64(p), 8) ^ eight(load_le64(p + 8), 0);
    if (n >= 8) {
        crc = eight(crc ^ load_le64(p), 0);
        p += 8;
        n -= 8;
    }
    for (; n > 0; n--)
        crc = table[0][(crc ^ *p++) & 0xff] ^ (crc >> 8);
    return crc;
}

#if defined(__x86_64__)

/* Folding: what stands D bits ahead of a block is multiplied by x^D mod P and
 * added to it. In the reflected form the low half of a block is the earlier one,
 * so it takes x^(D+63) and the high half x^(D-1), both bit-reversed. */
#define FOLD_128_LOW 0xd9d7be7d505da32cULL
#define FOLD_128_HIGH 0x381d0015c96f4444ULL
#define FOLD_512_LOW 0xaf86efb16d9ab4fbULL
#define FOLD_512_HIGH 0xf49784a634f014e4ULL

__attribute__((target("pclmul,sse4.1"))) static inline __m128i load16(const uint8_t *p) {
    __m128i v;

    memcpy(&v, p, sizeof(v));
    return v;
}

__attribute__((target("pclmul,sse4.1"))) static inline __m128i fold(__m128i x, __m128i by,
                                                                    __m128i next) {
    return _mm_xor_si128(
        next, _mm_xor_si128(_mm_clmulepi64_si128(x, by, 0x00), _mm_clmulepi64_si128(x, by, 0x11)));
}

__attribute__((target("pclmul,sse4.1"))) uint64_t crc64_clmul(uint64_t crc, const void *bytes,
                                                              size_t n) {
    const __m128i by128 = _mm_set_epi64x((int64_t)FOLD_128_HIGH, (int64_t)FOLD_128_LOW);
    const uint8_t *p = bytes;
    uint8_t last[16];
    __m128i x;

    if (n < 32)
        return crc64_slice16(crc, p, n);
    x = _mm_xor_si128(load16(p), _mm_cvtsi64_si128((int64_t)crc));
    if (n >= 128) {
        const __m128i by512 = _mm_set_epi64x((int64_t)FOLD_512_HIGH, (int64_t)FOLD_512_LOW);
        __m128i x1 = load16(p + 16), x2 = load16(p + 32), x3 = load16(p + 48);

        for (p += 64, n -= 64; n >= 64; p += 64, n -= 64) {
            x = fold(x, by512, load16(p));
            x1 = fold(x1, by512, load16(p + 16));
            x2 = fold(x2, by512, load16(p + 32));
            x3 = fold(x3, by512, load16(p + 48));
        }
        x = fold(fold(fold(x, by128, x1), by128, x2), by128, x3);
    } else {
        p += 16;
        n -= 16;
    }
    for (; n >= 16; p += 16, n -= 16)
        x = fold(x, by128, load16(p));
    /* x stands for everything before p: its checksum is that of those 16 bytes. */
    memcpy(last, &x, sizeof(last));
    return crc64_slice16(crc64_slice16(0, last, sizeof(last)), p, n);
}

bool crc64_clmul_usable(void) {
    return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
}

#else

uint64_t crc64_clmul(uint64_t crc, const void *bytes, size_t n) {
    return crc64_slice16(crc, bytes, n);
}

bool crc64_clmul_usable(void) {
    return false;
}

#endif

uint64_t crc64_update(uint64_t crc, const void *p, size_t n) {
    return n >= 32 && crc64_clmul_usable() ? crc64_clmul(crc, p, n) : crc64_slice16(crc, p, n);
}
