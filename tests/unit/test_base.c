#include <stdio.h>

#include "proto/base/arena.h"
#include "proto/base/buf.h"
#include "proto/base/bytes.h"
#include "proto/base/err.h"
#include "proto/base/str.h"
#include "tests/support/cunit_run.h"

static void a_story_reads_from_the_outside_in(void) {
    struct err err = ERR_INIT;
    char text[256];

    CU_ASSERT_FALSE(err_set(&err, ERR_TIMEOUT, "no answer in %d ms", 5));
    CU_ASSERT_FALSE(err_recode(&err, ERR_SOURCE_DOWN, "probing %s", "a:1"));
    err_format(&err, text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "probing a:1: no answer in 5 ms");
    CU_ASSERT_EQUAL(err.code, ERR_SOURCE_DOWN);
}

static void a_long_story_keeps_its_root_and_its_end(void) {
    struct err err = ERR_INIT;

    (void)err_set(&err, ERR_IO, "root");
    for (int i = 0; i < 20; i++)
        (void)err_wrap(&err, "frame %d", i);
    CU_ASSERT_EQUAL(err.frame_count, ERR_FRAMES);
    CU_ASSERT_STRING_EQUAL(err.frame[0], "root");
    CU_ASSERT_STRING_EQUAL(err.frame[ERR_FRAMES - 1], "frame 19");
}

static void every_slug_is_unique_and_finds_its_code(void) {
    for (int i = ERR_NONE + 1; i < ERR_COUNT; i++) {
        CU_ASSERT_EQUAL(err_from_slug(err_slug((enum err_code)i)), i);
        CU_ASSERT(err_http((enum err_code)i) >= 400);
    }
    CU_ASSERT_EQUAL(err_from_slug("no_such_thing"), ERR_NONE);
}

static void numbers_are_whole_or_refused(void) {
    uint64_t u = 7;
    int64_t i = 7;

    CU_ASSERT_FALSE(str_parse_u64(STR_EMPTY, &u));
    CU_ASSERT_FALSE(str_parse_u64(STR_LIT("1 "), &u));
    CU_ASSERT_FALSE(str_parse_u64(STR_LIT("-1"), &u));
    CU_ASSERT_FALSE(str_parse_u64(STR_LIT("18446744073709551616"), &u));
    CU_ASSERT_EQUAL(u, 7);
    CU_ASSERT_TRUE(str_parse_u64(STR_LIT("18446744073709551615"), &u));
    CU_ASSERT_EQUAL(u, UINT64_MAX);
    CU_ASSERT_TRUE(str_parse_i64(STR_LIT("-9223372036854775808"), &i));
    CU_ASSERT_EQUAL(i, INT64_MIN);
    CU_ASSERT_FALSE(str_parse_i64(STR_LIT("9223372036854775808"), &i));
}

static void cutting_hands_out_every_piece_once(void) {
    struct str rest = STR_LIT("a,,b"), head;

    CU_ASSERT_TRUE(str_cut(&rest, ',', &head));
    CU_ASSERT_TRUE(str_equal(head, STR_LIT("a")));
    CU_ASSERT_TRUE(str_cut(&rest, ',', &head));
    CU_ASSERT_EQUAL(head.len, 0);
    CU_ASSERT_TRUE(str_cut(&rest, ',', &head));
    CU_ASSERT_TRUE(str_equal(head, STR_LIT("b")));
    CU_ASSERT_FALSE(str_cut(&rest, ',', &head));
}

static void escaping_never_writes_past_its_end(void) {
    char text[16];

    for (size_t size = 1; size <= sizeof(text); size++) {
        size_t len = str_escape(STR_LIT("ab\x01\xff zzzzzzzzzzz"), text, size);

        CU_ASSERT(len < size);
        CU_ASSERT_EQUAL(text[len], '\0');
    }
}

static void escaping_cuts_only_what_does_not_fit(void) {
    char text[41];

    CU_ASSERT_EQUAL(str_escape(STR_LIT("0123456789012345678901234567890123456789"), text, 41), 40);
    CU_ASSERT_STRING_EQUAL(text, "0123456789012345678901234567890123456789");
    CU_ASSERT_EQUAL(str_escape(STR_LIT("01234567890123456789012345678901234567890"), text, 41), 40);
    CU_ASSERT_STRING_EQUAL(text, "0123456789012345678901234567890123456...");
    CU_ASSERT_EQUAL(str_escape(STR_LIT("a\x01"), text, 6), 5);
    CU_ASSERT_STRING_EQUAL(text, "a\\x01");
}

static void a_buffer_stops_at_its_limit_and_keeps_its_content(void) {
    struct buf b = BUF_INIT(4);
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(buf_append(&b, STR_LIT("abcd"), &err));
    CU_ASSERT_FALSE(buf_append(&b, STR_LIT("e"), &err));
    CU_ASSERT_EQUAL(err.code, ERR_TOO_BIG);
    CU_ASSERT_TRUE(str_equal(buf_str(&b), STR_LIT("abcd")));
    buf_consume(&b, 3);
    CU_ASSERT_TRUE(str_equal(buf_str(&b), STR_LIT("d")));
    CU_ASSERT_FALSE(buf_reserve(&b, SIZE_MAX, &err));
    buf_done(&b);
}

static void an_arena_gives_aligned_zeroed_memory(void) {
    struct arena a = ARENA_INIT;

    for (size_t size = 1; size < 20000; size = size * 3 + 1) {
        char *p = arena_alloc(&a, size);

        CU_ASSERT_EQUAL((uintptr_t)p % 16, 0);
        CU_ASSERT_EQUAL(p[size - 1], 0);
        memset(p, 0xff, size);
    }
    CU_ASSERT_STRING_EQUAL(arena_printf(&a, "%d-%s", 7, "x"), "7-x");
    arena_done(&a);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_story_reads_from_the_outside_in),
    CUNIT_TEST(a_long_story_keeps_its_root_and_its_end),
    CUNIT_TEST(every_slug_is_unique_and_finds_its_code),
    CUNIT_TEST(numbers_are_whole_or_refused),
    CUNIT_TEST(cutting_hands_out_every_piece_once),
    CUNIT_TEST(escaping_never_writes_past_its_end),
    CUNIT_TEST(escaping_cuts_only_what_does_not_fit),
    CUNIT_TEST(a_buffer_stops_at_its_limit_and_keeps_its_content),
    CUNIT_TEST(an_arena_gives_aligned_zeroed_memory),
};
CUNIT_MAIN("base", tests)
