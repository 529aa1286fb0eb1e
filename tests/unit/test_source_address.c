#include <string.h>

#include "services/net/source_address.h"
#include "tests/support/cunit_run.h"

static void a_list_comes_back_as_it_was_written(void) {
    struct err err = ERR_INIT;
    json_t *list = NULL;

    CU_ASSERT_TRUE(
        source_address_parse(STR_LIT(" 203.0.113.7,198.51.100.0/24\t2001:db8::/48 "), &list, &err));
    CU_ASSERT_EQUAL_FATAL(json_array_size(list), 3);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(list, 0)), "203.0.113.7");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(list, 1)), "198.51.100.0/24");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(list, 2)), "2001:db8::/48");
    json_decref(list);
    CU_ASSERT_TRUE(source_address_parse(STR_EMPTY, &list, &err));
    CU_ASSERT_EQUAL(json_array_size(list), 0);
    json_decref(list);
}

static void what_is_no_address_is_quoted_with_the_name_of_the_setting(void) {
    static const char *const wrong[] = {"nat.example", "203.0.113.7 203.0.113.256", "10.0.0.0/33"};
    char story[512];

    for (size_t i = 0; i < LENGTH_OF(wrong); i++) {
        struct err err = ERR_INIT;
        json_t *list = NULL;

        CU_ASSERT_FALSE(source_address_parse(str_from(wrong[i]), &list, &err));
        CU_ASSERT_EQUAL(err.code, ERR_CONFIG);
        CU_ASSERT_PTR_NULL(list);
        err_format(&err, story, sizeof(story));
        CU_ASSERT_PTR_NOT_NULL(strstr(story, "KEYFERRY_EGRESS_ADDRESSES"));
    }
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_list_comes_back_as_it_was_written),
    CUNIT_TEST(what_is_no_address_is_quoted_with_the_name_of_the_setting),
};

int main(void) {
    return cunit_run("source_address", tests, (unsigned)LENGTH_OF(tests));
}
