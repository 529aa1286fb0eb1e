/* The keyed hash, by the vectors of its paper. */
#include "proto/base/siphash.h"
#include "tests/support/cunit_run.h"

static const uint64_t key[2] = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};

static void it_agrees_with_the_vectors_of_the_paper(void) {
    static const struct {
        size_t len;
        uint64_t hash;
    } cases[] = {
        {0, 0x726fdb47dd0e0e31u}, {1, 0x74f839c593dc67fdu},  {7, 0xab0200f58b01d137u},
        {8, 0x93f5f5799a932462u}, {15, 0xa129ca6149be45e5u}, {63, 0x958a324ceb064572u},
    };
    char bytes[64];

    for (int i = 0; i < 64; i++)
        bytes[i] = (char)i;
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
        CU_ASSERT_EQUAL(siphash(key, str_of(bytes, cases[i].len)), cases[i].hash);
}

static void another_key_is_another_hash(void) {
    const uint64_t other[2] = {key[0], key[1] ^ 1};

    CU_ASSERT_NOT_EQUAL(siphash(key, STR_LIT("a")), siphash(other, STR_LIT("a")));
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(it_agrees_with_the_vectors_of_the_paper),
    CUNIT_TEST(another_key_is_another_hash),
};
CUNIT_MAIN("siphash", tests)
