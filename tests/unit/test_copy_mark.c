/* The word that says how far a copy is. */
#include <string.h>

#include "services/flow/copy_mark.h"
#include "tests/support/cunit_run.h"

static void a_mark_comes_back_as_it_was(void) {
    struct copy_mark mark = {
        .at = {.offset = UINT64_MAX,
               .crc = UINT64_MAX - 1,
               .db = UINT32_MAX,
               .version = 80,
               .vendor = RDB_VALKEY,
               .crc_enabled = true},
        .keys_done = 3,
        .keys_expired = 4,
        .keys_conflict = UINT64_MAX,
        .field_expiries_dropped = UINT64_MAX - 2,
        .stream_db = -1,
        .temporary = {.database = 255, .tag = 999999},
    };
    struct copy_mark back;
    struct err err = ERR_INIT;
    char text[POSITION_MARK_MAX];

    copy_mark_format(&mark, text);
    CU_ASSERT_TRUE(copy_mark_parse(str_from(text), &back, &err));
    CU_ASSERT_EQUAL(back.at.offset, mark.at.offset);
    CU_ASSERT_EQUAL(back.at.crc, mark.at.crc);
    CU_ASSERT_EQUAL(back.at.db, mark.at.db);
    CU_ASSERT_EQUAL(back.at.version, 80);
    CU_ASSERT_EQUAL(back.at.vendor, RDB_VALKEY);
    CU_ASSERT_TRUE(back.at.crc_enabled);
    CU_ASSERT_EQUAL(back.keys_done, 3);
    CU_ASSERT_EQUAL(back.keys_expired, 4);
    CU_ASSERT_EQUAL(back.stream_db, -1);
    CU_ASSERT_EQUAL(back.temporary.database, 255);
    CU_ASSERT_EQUAL(back.temporary.tag, 999999);
    CU_ASSERT_EQUAL(back.keys_conflict, UINT64_MAX);
    CU_ASSERT_EQUAL(back.field_expiries_dropped, UINT64_MAX - 2);
}

static void a_mark_of_the_first_version_is_read(void) {
    struct copy_mark back;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(copy_mark_parse(STR_LIT("1:2:3:4:0:0:7:8:1"), &back, &err));
    CU_ASSERT_EQUAL(back.keys_expired, 8);
    CU_ASSERT_EQUAL(back.keys_conflict, 0);
    CU_ASSERT_EQUAL(back.stream_db, 0);
    CU_ASSERT_EQUAL(back.temporary.database, -1);
}

static void beginning_anew_forgets_all_but_what_is_to_be_removed(void) {
    char with[POSITION_MARK_MAX] = "100:2:3:11:0:1:7:8:2:4:555:9:10";
    char without[POSITION_MARK_MAX] = "100:2:3:11:0:1:7:8:2:0:0:9:10", none[POSITION_MARK_MAX] = "";
    struct copy_mark left;
    struct err err = ERR_INIT;

    copy_mark_begin_anew(with);
    CU_ASSERT_TRUE_FATAL(copy_mark_parse(str_from(with), &left, &err));
    CU_ASSERT_EQUAL(left.temporary.database, 3);
    CU_ASSERT_EQUAL(left.temporary.tag, 555);
    CU_ASSERT_EQUAL(left.at.offset, 0);
    CU_ASSERT_EQUAL(left.keys_done, 0);
    CU_ASSERT_EQUAL(left.keys_conflict, 0);
    copy_mark_begin_anew(without);
    CU_ASSERT_STRING_EQUAL(without, "");
    copy_mark_begin_anew(none);
    CU_ASSERT_STRING_EQUAL(none, "");
}

static void what_is_no_mark_is_refused(void) {
    static const char *const wrong[] = {
        "", "1", "1:2:3:4:5:6:7:8", "a:2:3:4:5:6:7:8:9", "1:2:3:4:0:0:7:8:1:x", "::::::::"};
    struct copy_mark back;
    struct err err = ERR_INIT;

    for (unsigned i = 0; i < LENGTH_OF(wrong); i++) {
        CU_ASSERT_FALSE(copy_mark_parse(str_from(wrong[i]), &back, &err));
        CU_ASSERT_EQUAL(err.code, ERR_POSITION_MISSING);
    }
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_mark_comes_back_as_it_was),
    CUNIT_TEST(a_mark_of_the_first_version_is_read),
    CUNIT_TEST(beginning_anew_forgets_all_but_what_is_to_be_removed),
    CUNIT_TEST(what_is_no_mark_is_refused),
};
CUNIT_MAIN("copy_mark", tests)
