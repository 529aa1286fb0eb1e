#include <stdlib.h>

#include "tests/support/cunit_run.h"
#include "web-api/json_text.h"

/* What jansson writes, which is the reference: flags as in json_text.h. */
static void is_as_jansson_writes_it(json_t *value) {
    char *right = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    struct buf text = BUF_INIT(1024 * 1024);
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(json_text(&text, value, &err));
    CU_ASSERT_TRUE(str_equal(buf_str(&text), str_from(right)));
    buf_done(&text);
    free(right);
    json_decref(value);
}

static void every_kind_of_value_is_written_as_jansson_does(void) {
    static const char *const documents[] = {
        "{}",
        "[]",
        "[[],{},[{}]]",
        "{\"a\":{\"b\":[1,2,{\"c\":null}]},\"d\":[true,false]}",
        "\"\"",
        "\"plain\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\u0001\\u001f\\u007f\"",
        "\"gr\\u00fc\\u00dfe \\ud83d\\ude00 \\u2028\"",
        "\"\\\"\"",
        "\"a\\\"\"",
        "\"\\na\"",
        "0",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "10",
        "1234567890",
        "0.2",
        "-0.5",
        "1.0",
        "1e300",
        "1.5e-7",
        "99.9",
        "123456789012345.0",
        "{\"\":1,\"k\\\"ey\":\"v\",\"\\u00e9\":0.1}",
    };

    for (size_t i = 0; i < LENGTH_OF(documents); i++) {
        json_t *value = json_loads(documents[i], JSON_DECODE_ANY, NULL);

        CU_ASSERT_PTR_NOT_NULL_FATAL(value);
        is_as_jansson_writes_it(value);
    }
    for (int c = 0; c < 0x80; c++)
        is_as_jansson_writes_it(json_sprintf("a%cb", c ? c : ' '));
    is_as_jansson_writes_it(json_stringn("a\0b", 3));
}

static void what_does_not_fit_is_an_error(void) {
    json_t *value = json_pack("{s:[s, i]}", "key", "text", 12345);
    struct err none = ERR_INIT;
    struct buf whole = BUF_INIT(1024);

    CU_ASSERT_TRUE(json_text(&whole, value, &none));
    for (size_t max = 0; max < whole.len; max++) {
        struct buf text = BUF_INIT(max);
        struct err err = ERR_INIT;

        CU_ASSERT_FALSE(json_text(&text, value, &err));
        CU_ASSERT_EQUAL(err.code, ERR_TOO_BIG);
        buf_done(&text);
    }
    buf_done(&whole);
    json_decref(value);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(every_kind_of_value_is_written_as_jansson_does),
    CUNIT_TEST(what_does_not_fit_is_an_error),
};
CUNIT_MAIN("json_text", tests)
