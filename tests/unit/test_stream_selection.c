/* From the source's stream to units of a job that selects keys, or leaves commands out. */
#include "tests/support/stream_story.h"

/* ---- selection ---- */

/* Database 1 into 5, keys that begin with "a" but not with "ab"; 2 into 6, all of it. */
static const char prefixes[] = "{\"databases\":[{\"source\":1,\"destination\":5,"
                               "\"include\":[\"61\"],\"exclude\":[\"6162\"]},"
                               "{\"source\":2,\"destination\":6}]}";

static void begin_selected(void) {
    begin();
    map_databases("1:5 2:6");
    choose(prefixes);
}

static bool takes_selected(const char *commands, const char *expected) {
    bool same;

    begin_selected();
    same = take(stream_of(commands)) && strcmp(shown(), expected) == 0;
    if (!same)
        printf("%s became %s\n", commands, shown());
    end();
    return same;
}

static void keys_outside_the_prefixes_are_left_out(void) {
    CU_ASSERT(takes_selected("SELECT 1|SET a1 1|SET b 2|SET ab 3|INCR a", "SET a1 1|INCR a"));
    CU_ASSERT(takes_selected("SELECT 1|DEL a1 b a2 ab", "DEL a1 a2"));
    CU_ASSERT(takes_selected("SELECT 1|DEL b c", ""));
    CU_ASSERT(takes_selected("SELECT 2|SET b 2", "SELECT 6|SET b 2"));
    CU_ASSERT(takes_selected("SET a1 1", "")); /* database 0 is not selected */
}

static void what_a_command_means_for_the_selection_is_written_for_the_destination(void) {
    /* 7.0 has no MSETEX, and expiries are held. */
    CU_ASSERT(takes_selected("SELECT 1|MSETEX 2 a1 1 b 2 PXAT 1700000000000",
                             "MSET a1 1|PEXPIREAT a1 6098046511104"));
    CU_ASSERT(takes_selected("SELECT 1|RENAME a1 b", "DEL a1"));
    CU_ASSERT(takes_selected("SELECT 1|SMOVE b a1 m", "SADD a1 m"));
}

static void keys_leave_and_enter_by_other_databases(void) {
    CU_ASSERT(takes_selected("SELECT 1|MOVE a1 2", "MOVE a1 6"));
    CU_ASSERT(takes_selected("SELECT 1|MOVE a1 3", "DEL a1"));
    CU_ASSERT(takes_selected("SELECT 2|MOVE b 1", "SELECT 6|DEL b"));
    CU_ASSERT(takes_selected("SELECT 1|MOVE b 3", ""));
    CU_ASSERT(takes_selected("SELECT 1|COPY a1 a1 DB 3", ""));
    CU_ASSERT(takes_selected("SELECT 2|COPY x a1 DB 1 REPLACE", "SELECT 6|COPY x a1 DB 5 REPLACE"));
}

#define REFUSES_SELECTED(commands, expected_code)                                                  \
    do {                                                                                           \
        begin_selected();                                                                          \
        CU_ASSERT_FALSE(take(stream_of(commands)));                                                \
        CU_ASSERT_EQUAL(err.code, expected_code);                                                  \
        end();                                                                                     \
    } while (0)

static void what_only_the_source_has_stops(void) {
    REFUSES_SELECTED("SELECT 1|RENAME b a1", ERR_SELECTION_CROSSED);
    REFUSES_SELECTED("MOVE a1 1", ERR_SELECTION_CROSSED); /* from a database that is not selected */
    REFUSES_SELECTED("COPY x a1 DB 1", ERR_SELECTION_CROSSED);
    REFUSES_SELECTED("SELECT 1|SUNIONSTORE a1 a2 b", ERR_SELECTION_CROSSED);
    REFUSES_SELECTED("SWAPDB 2 3", ERR_SELECTION_CROSSED);
    REFUSES_SELECTED("SWAPDB 1 2", ERR_SELECTION_CROSSED);
}

static void a_flush_removes_what_is_selected_and_no_more(void) {
    const char *text;

    begin_selected();
    CU_ASSERT_TRUE(take(stream_of("SELECT 1|FLUSHDB")));
    text = shown();
    CU_ASSERT(strncmp(text, "EVAL ", 5) == 0);
    CU_ASSERT(strstr(text, "FLUSHDB") == NULL && strstr(text, " 1 a 2 ab {kf}:") != NULL);
    end();
    begin_selected();
    CU_ASSERT_TRUE(take(stream_of("FLUSHALL")));
    text = shown();
    CU_ASSERT(strncmp(text, "EVAL ", 5) == 0 && strstr(text, "|SELECT 6|FLUSHDB") != NULL);
    end();
}

static void functions_belong_to_no_database(void) {
    CU_ASSERT(takes_selected("SELECT 9|FUNCTION DELETE x", "FUNCTION DELETE x"));
}

/* ---- policies ---- */

static void a_job_may_ask_before_it_flushes(void) {
    begin();
    map_databases("1:5");
    choose("{\"policies\":{\"flush\":\"block_and_pause\"}}");
    CU_ASSERT_TRUE(take(stream_of("SELECT 2|FLUSHDB"))); /* not the job's */
    CU_ASSERT_STRING_EQUAL(shown(), "");
    end();
    begin();
    map_databases("1:5");
    choose("{\"policies\":{\"flush\":\"block_and_pause\"}}");
    CU_ASSERT_FALSE(take(stream_of("SELECT 1|FLUSHDB")));
    CU_ASSERT_EQUAL(err.code, ERR_FLUSH_BLOCKED);
    end();
}

static void what_is_skipped_is_on_record(void) {
    begin();
    choose("{\"policies\":{\"flush\":\"skip\",\"lua\":\"skip\",\"unknown\":\"skip_and_record\"}}");
    CU_ASSERT_TRUE(take(stream_of("SET a 1|NOSUCH k v|MULTI|EVAL s 1 k|SET b 2|EXEC")));
    CU_ASSERT_STRING_EQUAL(shown(), "SET a 1|SET b 2");
    CU_ASSERT_EQUAL_FATAL(out.reject_count, 2);
    CU_ASSERT_EQUAL(out.rejects[0].reason, STREAM_REJECT_UNKNOWN);
    CU_ASSERT_EQUAL(out.rejects[0].offset, 1 + 27);
    CU_ASSERT_STRING_EQUAL(out.rejects[0].name, "NOSUCH");
    CU_ASSERT_FALSE(out.rejects[0].has_key);
    CU_ASSERT_EQUAL(out.rejects[1].reason, STREAM_REJECT_LUA);
    CU_ASSERT_EQUAL(out.rejects[1].offset, 1 + 27 + 30 + 15);
    CU_ASSERT_TRUE(out.rejects[1].has_key);
    CU_ASSERT(str_starts_with(str_skip(buf_str(&out.reject_bytes), out.rejects[1].at),
                              STR_LIT("*4\r\n$4\r\nEVAL")));
    CU_ASSERT_EQUAL(out.counts[COMMAND_EVAL][STREAM_REJECTED], 1);
    CU_ASSERT_EQUAL(out.counts[COMMAND_SET][STREAM_APPLIED], 2);
    stream_unit_clear(&out, a);
    CU_ASSERT_EQUAL(out.counts[COMMAND_SET][STREAM_APPLIED], 0);
    end();
}

/* What is known and refused is never skipped, whatever the policy. */
static void a_policy_for_unknown_commands_lets_no_other_pass(void) {
    begin();
    choose("{\"policies\":{\"unknown\":\"skip_and_record\"}}");
    CU_ASSERT_FALSE(take(stream_of("CONFIG SET dir x")));
    CU_ASSERT_EQUAL(err.code, ERR_COMMAND_REFUSED);
    end();
}

static void messages_are_forwarded_when_they_are_wanted(void) {
    TAKES("PUBLISH c m", "");
    begin();
    choose("{\"policies\":{\"publish\":true}}");
    CU_ASSERT_TRUE(take(stream_of("PUBLISH c m|SPUBLISH d m")));
    CU_ASSERT_STRING_EQUAL(shown(), "PUBLISH c m|SPUBLISH d m");
    end();
}

static void excluded_commands_are_counted_only(void) {
    begin();
    choose("{\"policies\":{\"exclude\":[\"pexpireat\",\"flushall\"]}}");
    CU_ASSERT_TRUE(take(stream_of("SET a 1|PEXPIREAT a 1700000000000|FLUSHALL|SET b 1")));
    CU_ASSERT_STRING_EQUAL(shown(), "SET a 1");
    CU_ASSERT_EQUAL(out.counts[COMMAND_PEXPIREAT][STREAM_SKIPPED], 1);
    end();
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(keys_outside_the_prefixes_are_left_out),
    CUNIT_TEST(what_a_command_means_for_the_selection_is_written_for_the_destination),
    CUNIT_TEST(keys_leave_and_enter_by_other_databases),
    CUNIT_TEST(what_only_the_source_has_stops),
    CUNIT_TEST(a_flush_removes_what_is_selected_and_no_more),
    CUNIT_TEST(functions_belong_to_no_database),
    CUNIT_TEST(a_job_may_ask_before_it_flushes),
    CUNIT_TEST(what_is_skipped_is_on_record),
    CUNIT_TEST(a_policy_for_unknown_commands_lets_no_other_pass),
    CUNIT_TEST(messages_are_forwarded_when_they_are_wanted),
    CUNIT_TEST(excluded_commands_are_counted_only),
};

CUNIT_MAIN("stream_selection", tests)
