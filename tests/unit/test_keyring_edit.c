#include <stdlib.h>

#include "services/secret/keyring_edit.h"
#include "tests/support/cunit_run.h"

#define KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static void a_new_key_is_the_last_line_with_the_next_number(void) {
    struct keyring ring = {.keys = {{.id = 9}, {.id = 4}}, .count = 2};
    struct buf out = BUF_INIT(KEYRING_TEXT_MAX);
    struct err err = ERR_INIT;
    uint32_t id = 0;

    CU_ASSERT_TRUE(keyring_edit_add(&ring, STR_LIT("# mine\n9 " KEY "\n4 " KEY), &out, &id, &err));
    CU_ASSERT_EQUAL(id, 10);
    CU_ASSERT_TRUE(str_starts_with(buf_str(&out), STR_LIT("# mine\n9 " KEY "\n4 " KEY "\n10 ")));
    CU_ASSERT_EQUAL(out.len, strlen("# mine\n9 " KEY "\n4 " KEY "\n10 " KEY "\n"));
    CU_ASSERT_EQUAL(out.ptr[out.len - 1], '\n');
    buf_done(&out);
}

static void a_full_file_takes_no_more(void) {
    struct keyring full = {.count = KEYRING_KEYS_MAX};
    struct keyring last = {.keys = {{.id = UINT32_MAX}}, .count = 1};
    struct buf out = BUF_INIT(KEYRING_TEXT_MAX);
    struct err err = ERR_INIT;
    uint32_t id = 0;

    CU_ASSERT_FALSE(keyring_edit_add(&full, STR_EMPTY, &out, &id, &err));
    CU_ASSERT_EQUAL(err.code, ERR_CONFIG);
    err_clear(&err);
    CU_ASSERT_FALSE(keyring_edit_add(&last, STR_EMPTY, &out, &id, &err));
    CU_ASSERT_EQUAL(out.len, 0);
    buf_done(&out);
}

static void only_the_lines_of_those_keys_go(void) {
    const uint32_t ids[] = {1, 12};
    struct buf out = BUF_INIT(KEYRING_TEXT_MAX);
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(keyring_edit_remove(
        STR_LIT("# 1 comment\n1 " KEY "\n\n 12 " KEY "\n11 " KEY "\n2 " KEY), ids, 2, &out, &err));
    CU_ASSERT_TRUE(str_equal(buf_str(&out), STR_LIT("# 1 comment\n\n11 " KEY "\n2 " KEY "\n")));
    buf_done(&out);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_new_key_is_the_last_line_with_the_next_number),
    CUNIT_TEST(a_full_file_takes_no_more),
    CUNIT_TEST(only_the_lines_of_those_keys_go),
};

int main(void) {
    return cunit_run("keyring_edit", tests, (unsigned)LENGTH_OF(tests));
}
