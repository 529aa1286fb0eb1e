#include "proto/base/hex.h"
#include "tests/support/cunit_run.h"

static void bytes_come_back_as_they_were(void) {
    char text[513], back[256], all[256];

    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    hex_encode(str_of(all, sizeof(all)), text);
    CU_ASSERT_EQUAL(strlen(text), 512);
    CU_ASSERT_EQUAL(strncmp(text, "000102", 6), 0);
    CU_ASSERT_STRING_EQUAL(text + 508, "feff");
    CU_ASSERT_TRUE(hex_decode(str_from(text), back));
    CU_ASSERT_EQUAL(memcmp(all, back, sizeof(all)), 0);
    hex_encode(STR_EMPTY, text);
    CU_ASSERT_STRING_EQUAL(text, "");
}

static void digits_may_be_of_either_case_and_nothing_else(void) {
    static const char *const wrong[] = {"0", "0g", "a ", "0x41", "abc"};
    char back[8];

    CU_ASSERT_TRUE(hex_decode(STR_LIT("aBFf"), back));
    CU_ASSERT_EQUAL(memcmp(back, "\xab\xff", 2), 0);
    CU_ASSERT_TRUE(hex_decode(STR_EMPTY, back));
    for (size_t i = 0; i < LENGTH_OF(wrong); i++)
        CU_ASSERT_FALSE(hex_decode(str_from(wrong[i]), back));
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(bytes_come_back_as_they_were),
    CUNIT_TEST(digits_may_be_of_either_case_and_nothing_else),
};

int main(void) {
    return cunit_run("hex", tests, (unsigned)LENGTH_OF(tests));
}
