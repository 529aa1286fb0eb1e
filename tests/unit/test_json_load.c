#include <stdlib.h>
#include <string.h>

#include "sql/json_load.h"
#include "tests/support/cunit_run.h"

/* jansson is the reference: the same value, or none. */
static void is_as_jansson_reads_it(const char *text) {
    json_t *right = json_loads(text, JSON_DECODE_ANY, NULL), *read = json_load(text);

    if (right)
        CU_ASSERT_TRUE(json_equal(read, right))
    else
        CU_ASSERT_PTR_NULL(read);
    json_decref(right);
    json_decref(read);
}

static const char whole[] =
    "{\"id\": \"job_1\", \"n\": [0, -1, 12, 123456789012345678, 1234567890123456789], \"empty\": "
    "{}, \"none\": [], \"t\": true, \"f\": false, \"z\": null, \"deep\": {\"a\": [{\"b\": "
    "\"\xc3\xa9\"}]}, \"e\": \"a\\\"b\\\\c\\u00e9\\n\", \"r\": [0.5, -1.25, 1e3, 2E-2]}";

static void what_postgresql_writes_is_read_as_jansson_does(void) {
    static const char *const texts[] = {
        "{}",
        "[]",
        "\"\"",
        "0",
        "-0",
        "00",
        "-",
        "-1",
        "+1",
        ".5",
        "1.",
        "1.0",
        "true",
        "truex",
        "nul",
        "null",
        " [ 1 , 2 ] ",
        "[1,]",
        "[,1]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{1:2}",
        "{\"a\":1,\"a\":2}",
        "\"a",
        "\"\\u0000\"",
        "\"\x01\"",
        "[1] x",
        "",
        " ",
        "[[[[1]]]]",
        "{]",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "{\"\": \"\"}",
        "\t{\n\"a\"\r: 1}\n",
        "\"\xff\xff\\\"\"",
        "[1 2]",
        "{\"a\" 1}",
        "'a'",
        "NaN",
    };

    is_as_jansson_reads_it(whole);
    for (size_t i = 0; i < LENGTH_OF(texts); i++)
        is_as_jansson_reads_it(texts[i]);
}

static void cut_at_every_place_it_is_none(void) {
    char text[sizeof(whole)];

    for (size_t len = 0; len < strlen(whole); len++) {
        memcpy(text, whole, len);
        text[len] = '\0';
        is_as_jansson_reads_it(text);
    }
}

static void nesting_is_read_as_deep_as_jansson_does(void) {
    for (size_t depth = 1; depth < 5000; depth = depth * 3 / 2 + 1) {
        char *text = calloc(1, 2 * depth + 1);

        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        is_as_jansson_reads_it(text);
        free(text);
    }
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(what_postgresql_writes_is_read_as_jansson_does),
    CUNIT_TEST(cut_at_every_place_it_is_none),
    CUNIT_TEST(nesting_is_read_as_deep_as_jansson_does),
};
CUNIT_MAIN("json_load", tests)
