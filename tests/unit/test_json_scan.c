#include <stdlib.h>
#include <string.h>

#include "sql/json_scan.h"
#include "tests/support/cunit_run.h"
#include "web-api/json_compact.h"
#include "web-api/json_text.h"

static const char *const documents[] = {
    "{}",
    "{ }",
    "[1, [2, {\"a\": \"}\"}], \"]\"]",
    "{\"a\": 1, \"b\": {\"c\": [true, false, null]}, \"d e\": \"f, g: h\"}",
    "{\"a\": \"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\"}",
    "{\"a\": \"gr\xc3\xbc\xc3\x9f"
    "e\"}",
    "{\"a\\\"b\": 1, \"\": 2}",
    "{\"jitter\": 0.20000000000000001, \"x\": [1.50, -0.5, 100.0, 12, -7]}",
};

/* A copy of the first `len` bytes that ends where its memory does, so that a sanitizer sees who
 * reads on. */
static struct str cut(const char *text, size_t len) {
    char *copy = malloc(len ? len : 1);

    memcpy(copy, text, len);
    return str_of(copy, len);
}

static void a_copy_is_what_the_value_would_be_written_as(void) {
    for (size_t i = 0; i < LENGTH_OF(documents); i++) {
        json_t *value = json_loads(documents[i], JSON_DECODE_ANY, NULL);
        struct buf right = BUF_INIT(1024), copy = BUF_INIT(1024);
        struct str text = cut(documents[i], strlen(documents[i]));
        struct err err = ERR_INIT;

        CU_ASSERT_PTR_NOT_NULL_FATAL(value);
        CU_ASSERT_TRUE(json_text(&right, value, &err));
        json_compact(&copy, text);
        CU_ASSERT_STRING_EQUAL(copy.ptr, right.ptr);
        free((char *)(uintptr_t)text.ptr);
        buf_done(&right);
        buf_done(&copy);
        json_decref(value);
    }
}

static void members_come_in_their_order_with_their_values(void) {
    struct json_scan scan = json_scan_begin(str_from(documents[3]));
    struct json_member m;

    CU_ASSERT_TRUE(json_scan_next(&scan, &m));
    CU_ASSERT_TRUE(str_equal(m.name, STR_LIT("a")));
    CU_ASSERT_TRUE(str_equal(m.value, STR_LIT("1")));
    CU_ASSERT_TRUE(json_scan_next(&scan, &m));
    CU_ASSERT_TRUE(str_equal(m.name, STR_LIT("b")));
    CU_ASSERT_TRUE(str_equal(m.value, STR_LIT("{\"c\": [true, false, null]}")));
    CU_ASSERT_TRUE(json_scan_next(&scan, &m));
    CU_ASSERT_TRUE(str_equal(m.name, STR_LIT("d e")));
    CU_ASSERT_TRUE(str_equal(m.value, STR_LIT("\"f, g: h\"")));
    CU_ASSERT_FALSE(json_scan_next(&scan, &m));
    CU_ASSERT_FALSE(json_scan_next(&scan, &m));
    CU_ASSERT_TRUE(str_equal(json_scan_find(str_from(documents[3]), STR_LIT("a")), STR_LIT("1")));
    CU_ASSERT_EQUAL(json_scan_find(str_from(documents[3]), STR_LIT("c")).len, 0);
    CU_ASSERT_EQUAL(json_scan_find(STR_LIT("[\"a\", 1]"), STR_LIT("a")).len, 0);
    CU_ASSERT_EQUAL(json_scan_find(STR_EMPTY, STR_LIT("a")).len, 0);
}

static void what_is_cut_anywhere_or_has_a_wrong_byte_is_not_read_beyond_its_end(void) {
    static const char wrong[] = "{}[]\",:\\ u0";

    for (size_t i = 0; i < LENGTH_OF(documents); i++)
        for (size_t len = 0; len <= strlen(documents[i]); len++)
            for (size_t w = 0; w < sizeof(wrong); w++) {
                struct str text = cut(documents[i], len);
                struct json_scan scan;
                struct json_member m;
                struct buf copy = BUF_INIT(1024);
                size_t count = 0;

                if (len > 0 && wrong[w])
                    ((char *)(uintptr_t)text.ptr)[len / 2] = wrong[w];
                scan = json_scan_begin(text);
                while (json_scan_next(&scan, &m))
                    count++;
                CU_ASSERT_TRUE(count <= len);
                json_compact(&copy, text);
                CU_ASSERT_TRUE(copy.len <= 2 * len);
                buf_done(&copy);
                free((char *)(uintptr_t)text.ptr);
            }
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_copy_is_what_the_value_would_be_written_as),
    CUNIT_TEST(members_come_in_their_order_with_their_values),
    CUNIT_TEST(what_is_cut_anywhere_or_has_a_wrong_byte_is_not_read_beyond_its_end),
};
CUNIT_MAIN("json_scan", tests)
