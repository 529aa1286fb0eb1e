#include <stdint.h>

#include "proto/base/str.h"
#include "proto/crc/crc16.h"
#include "proto/crc/crc32c.h"
#include "proto/crc/crc64.h"
#include "tests/support/cunit_run.h"

enum { ROOM = 5000 };

static uint8_t bytes[ROOM];

/* A fixed sequence: a failing test must fail again. */
static uint64_t next_random(void) {
    static uint64_t state = 0x9e3779b97f4a7c15ULL;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void fill(void) {
    for (size_t i = 0; i < ROOM; i++)
        bytes[i] = (uint8_t)next_random();
}

/* The definitions, bit by bit. */
static uint64_t crc64_by_bits(uint64_t crc, const uint8_t *p, size_t n) {
    for (; n > 0; n--) {
        crc ^= *p++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? (crc >> 1) ^ 0x95ac9329ac4bc9b5ULL : crc >> 1;
    }
    return crc;
}

static uint32_t crc32c_by_bits(uint32_t crc, const uint8_t *p, size_t n) {
    crc = ~crc;
    for (; n > 0; n--) {
        crc ^= *p++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? (crc >> 1) ^ 0x82f63b78U : crc >> 1;
    }
    return ~crc;
}

static void the_check_values_are_the_published_ones(void) {
    CU_ASSERT_EQUAL(crc64_update(0, "123456789", 9), 0xe9c6d914c4b8d9caULL);
    CU_ASSERT_EQUAL(crc32c_update(0, "123456789", 9), 0xe3069283U);
    CU_ASSERT_EQUAL(crc16("123456789", 9), 0x31c3);
    CU_ASSERT_EQUAL(crc64_update(7, "", 0), 7);
    CU_ASSERT_EQUAL(crc32c_update(7, "", 0), 7);
    CU_ASSERT_EQUAL(crc16("", 0), 0);
}

static void every_way_to_compute_agrees_at_every_length_and_alignment(void) {
    fill();
    for (size_t len = 0; len < 700; len++) {
        const uint8_t *p = bytes + len % 17;
        uint64_t start64 = next_random(), want64 = crc64_by_bits(start64, p, len);
        uint32_t start32 = (uint32_t)next_random(), want32 = crc32c_by_bits(start32, p, len);

        CU_ASSERT_EQUAL(crc64_slice16(start64, p, len), want64);
        CU_ASSERT_EQUAL(crc64_update(start64, p, len), want64);
        CU_ASSERT_EQUAL(crc32c_slice8(start32, p, len), want32);
        CU_ASSERT_EQUAL(crc32c_update(start32, p, len), want32);
        if (crc64_clmul_usable())
            CU_ASSERT_EQUAL(crc64_clmul(start64, p, len), want64);
        if (crc32c_sse42_usable())
            CU_ASSERT_EQUAL(crc32c_sse42(start32, p, len), want32);
    }
}

static void pieces_chain_to_the_whole(void) {
    fill();
    for (int round = 0; round < 500; round++) {
        uint64_t crc64 = 0;
        uint32_t crc32c = 0;

        for (size_t at = 0; at < ROOM;) {
            size_t len = next_random() % (ROOM - at) + 1;

            crc64 = crc64_update(crc64, bytes + at, len);
            crc32c = crc32c_update(crc32c, bytes + at, len);
            at += len;
        }
        CU_ASSERT_EQUAL(crc64, crc64_slice16(0, bytes, ROOM));
        CU_ASSERT_EQUAL(crc32c, crc32c_slice8(0, bytes, ROOM));
    }
}

static void keys_fall_into_the_slots_the_specification_prints(void) {
    CU_ASSERT_EQUAL(crc16("foo", 3) % 16384, 12182);
    CU_ASSERT_EQUAL(crc16("hello", 5) % 16384, 866);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(the_check_values_are_the_published_ones),
    CUNIT_TEST(every_way_to_compute_agrees_at_every_length_and_alignment),
    CUNIT_TEST(pieces_chain_to_the_whole),
    CUNIT_TEST(keys_fall_into_the_slots_the_specification_prints),
};
CUNIT_MAIN("crc", tests)
