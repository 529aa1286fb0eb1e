#include "proto/rdb/rdb_parser.h"
#include "proto/rdb/rdb_summary.h"
#include "tests/support/cunit_run.h"
#include "tests/support/rdb_fixture.h"
#include "tests/support/rdb_story.h"

static void count(struct str file, struct rdb_summary *s) {
    struct rdb_parser p;
    struct err err = ERR_INIT;
    struct rdb_event ev;

    rdb_parser_init(&p);
    while (!s->ended) {
        CU_ASSERT_EQUAL_FATAL(rdb_parser_next(&p, str_skip(file, p.offset), &ev, &err), RDB_EVENT);
        CU_ASSERT_TRUE_FATAL(rdb_summary_add(s, &ev, &err));
    }
}

static void a_snapshot_is_counted_by_database_and_type(void) {
    struct rdb_summary s = RDB_SUMMARY_INIT;

    count(str_of(rdb_fixture_packed, sizeof(rdb_fixture_packed)), &s);
    CU_ASSERT_EQUAL(s.version, 10);
    CU_ASSERT_EQUAL(s.vendor, RDB_REDIS);
    CU_ASSERT(str_equal(s.server_version, STR_LIT("\x06"
                                                  "7.0.15")));
    CU_ASSERT_EQUAL(s.keys, 19);
    CU_ASSERT_EQUAL(s.expires, 1);
    CU_ASSERT_EQUAL(s.functions, 1);
    CU_ASSERT_EQUAL_FATAL(s.database_count, 2);
    CU_ASSERT_EQUAL(s.databases[0].db, 0);
    CU_ASSERT_EQUAL(s.databases[0].by_type[RDB_TYPE_SET_INTSET], 3);
    CU_ASSERT_EQUAL(s.databases[1].db, 3);
    CU_ASSERT_EQUAL(s.databases[1].by_type[RDB_TYPE_STRING], 1);
    CU_ASSERT_EQUAL(s.checksum, RDB_CHECKSUM_OK);
    CU_ASSERT_EQUAL(s.largest_count, RDB_SUMMARY_LARGEST);
    for (size_t i = 1; i < s.largest_count; i++)
        CU_ASSERT(s.largest[i - 1].value_size >= s.largest[i].value_size);
    CU_ASSERT_EQUAL(s.largest[0].value_size, 258);
    rdb_summary_done(&s);
}

/* No server writes them so, but a hostile file may. */
static void databases_in_any_order_become_one_row_each(void) {
    struct buf file = rdb_story_file(
        "REDIS0009",
        STR_LIT("\xfe\7\0\1a\1x\xfe\3\0\1b\1x\xfe\5\0\1c\1x\xfe\3\0\1d\1x\xfe\7\0\1e\1x"));
    struct rdb_summary s = RDB_SUMMARY_INIT;

    count(buf_str(&file), &s);
    CU_ASSERT_EQUAL_FATAL(s.database_count, 3);
    CU_ASSERT_EQUAL(s.databases[0].db, 3);
    CU_ASSERT_EQUAL(s.databases[0].keys, 2);
    CU_ASSERT_EQUAL(s.databases[1].db, 5);
    CU_ASSERT_EQUAL(s.databases[1].keys, 1);
    CU_ASSERT_EQUAL(s.databases[2].db, 7);
    CU_ASSERT_EQUAL(s.databases[2].keys, 2);
    rdb_summary_done(&s);
    buf_done(&file);
}

static void modules_are_named_once_with_all_they_own(void) {
    struct buf file =
        rdb_story_file("REDIS0009", STR_LIT("\xf7\x81\x45\xe2\x52\x38\xdf\x91\x2c\x00\2\1\0"
                                            "\7\1a\x81\x45\xe2\x52\x38\xdf\x91\x2c\x00\0"
                                            "\7\1b\x81\x45\xe2\x52\x38\xdf\x91\x2c\x00\2\1\0"));
    struct rdb_summary s = RDB_SUMMARY_INIT;
    char name[RDB_MODULE_NAME_LEN + 1];

    count(buf_str(&file), &s);
    CU_ASSERT_EQUAL_FATAL(s.module_count, 1);
    CU_ASSERT_EQUAL(s.modules[0].keys, 2);
    CU_ASSERT_EQUAL(s.modules[0].aux_records, 1);
    rdb_module_name(s.modules[0].module_id, name);
    CU_ASSERT_STRING_EQUAL(name, "ReJSON-RL");
    CU_ASSERT_EQUAL(rdb_module_encver(s.modules[0].module_id), 0);
    rdb_summary_done(&s);
    buf_done(&file);
}

static void libraries_are_remembered_with_what_names_them(void) {
    struct buf file = rdb_story_file("REDIS0010", STR_LIT("\xf6\1n\3LUA\0\4code\xf5\4code"));
    struct rdb_summary s = RDB_SUMMARY_INIT;

    count(buf_str(&file), &s);
    CU_ASSERT_EQUAL(s.functions, 2);
    CU_ASSERT(str_equal(s.function[0].name, STR_LIT("\1n")));
    CU_ASSERT_EQUAL(s.function[1].name.len, 0);
    CU_ASSERT(str_equal(s.function[1].source, STR_LIT("\4code")));
    rdb_summary_done(&s);
    buf_done(&file);
}

static void a_library_names_itself_in_its_first_line(void) {
    CU_ASSERT(str_equal(rdb_summary_library_name(STR_LIT("#!lua name=mylib\nredis.x()")),
                        STR_LIT("mylib")));
    CU_ASSERT(
        str_equal(rdb_summary_library_name(STR_LIT("#!lua engine=x name=b\r\n")), STR_LIT("b")));
    CU_ASSERT_EQUAL(rdb_summary_library_name(STR_LIT("name=no\n")).len, 0);
    CU_ASSERT_EQUAL(rdb_summary_library_name(STR_LIT("#!lua\nname=no")).len, 0);
    CU_ASSERT_EQUAL(rdb_summary_library_name(STR_EMPTY).len, 0);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_snapshot_is_counted_by_database_and_type),
    CUNIT_TEST(databases_in_any_order_become_one_row_each),
    CUNIT_TEST(modules_are_named_once_with_all_they_own),
    CUNIT_TEST(libraries_are_remembered_with_what_names_them),
    CUNIT_TEST(a_library_names_itself_in_its_first_line),
};
CUNIT_MAIN("rdb_summary", tests)
