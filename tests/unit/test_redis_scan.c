#include "services/redis/redis_scan.h"
#include "tests/support/cunit_run.h"

static struct resp_value bulk(const char *text) {
    return (struct resp_value){.type = RESP_BULK, .str = str_from(text)};
}

static void a_cursor_moves_to_what_the_server_said(void) {
    struct resp_value keys[] = {bulk("a"), bulk("b")};
    struct resp_value parts[] = {bulk("18446744073709551615"),
                                 {.type = RESP_ARRAY, .count = 2, .items = keys}};
    struct resp_value reply = {.type = RESP_ARRAY, .count = 2, .items = parts};
    char cursor[REDIS_SCAN_CURSOR_SIZE] = "0";
    const struct resp_value *found = NULL;

    CU_ASSERT_TRUE(redis_scan_is_over(cursor));
    CU_ASSERT_TRUE(redis_scan_reply(&reply, cursor, &found));
    CU_ASSERT_STRING_EQUAL(cursor, "18446744073709551615");
    CU_ASSERT_FALSE(redis_scan_is_over(cursor));
    CU_ASSERT_EQUAL(found->count, 2);
    parts[0] = bulk("0");
    CU_ASSERT_TRUE(redis_scan_reply(&reply, cursor, &found));
    CU_ASSERT_TRUE(redis_scan_is_over(cursor));
}

static void a_cursor_stays_when_the_answer_is_another(void) {
    struct resp_value parts[] = {bulk("7"), {.type = RESP_ARRAY}};
    struct resp_value reply = {.type = RESP_ARRAY, .count = 2, .items = parts};
    char cursor[REDIS_SCAN_CURSOR_SIZE] = "5";
    const struct resp_value *found = NULL;

    parts[0] = bulk("a cursor longer than its room");
    CU_ASSERT_FALSE(redis_scan_reply(&reply, cursor, &found));
    parts[0] = bulk(""); /* the walk would begin anew, for ever */
    CU_ASSERT_FALSE(redis_scan_reply(&reply, cursor, &found));
    parts[0] = (struct resp_value){.type = RESP_NIL};
    CU_ASSERT_FALSE(redis_scan_reply(&reply, cursor, &found));
    parts[0] = bulk("7");
    parts[1] = bulk("no list");
    CU_ASSERT_FALSE(redis_scan_reply(&reply, cursor, &found));
    reply.count = 1;
    CU_ASSERT_FALSE(redis_scan_reply(&reply, cursor, &found));
    CU_ASSERT_STRING_EQUAL(cursor, "5");
    CU_ASSERT_PTR_NULL(found);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_cursor_moves_to_what_the_server_said),
    CUNIT_TEST(a_cursor_stays_when_the_answer_is_another),
};

int main(void) {
    return cunit_run("redis_scan", tests, (unsigned)LENGTH_OF(tests));
}
