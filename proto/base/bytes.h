/* bytes.h - numbers in byte order, and sums that notice when they overflow. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/base/attrs.h"

static inline uint16_t load_le16(const void *p) {
    uint16_t v;
    memcpy(&v, p, sizeof(v));
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap16(v);
}

static inline uint32_t load_le32(const void *p) {
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap32(v);
}

static inline uint64_t load_le64(const void *p) {
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap64(v);
}

static inline uint32_t load_be32(const void *p) {
    return __builtin_bswap32(load_le32(p));
}

static inline uint64_t load_be64(const void *p) {
    return __builtin_bswap64(load_le64(p));
}

static inline void store_le16(void *p, uint16_t v) {
    v = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap16(v);
    memcpy(p, &v, sizeof(v));
}

static inline void store_le32(void *p, uint32_t v) {
    v = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap32(v);
    memcpy(p, &v, sizeof(v));
}

static inline void store_le64(void *p, uint64_t v) {
    v = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap64(v);
    memcpy(p, &v, sizeof(v));
}

static inline bool size_add(size_t a, size_t b, size_t *ret_sum) {
    return !__builtin_add_overflow(a, b, ret_sum);
}

static inline bool size_mul(size_t a, size_t b, size_t *ret_product) {
    return !__builtin_mul_overflow(a, b, ret_product);
}
