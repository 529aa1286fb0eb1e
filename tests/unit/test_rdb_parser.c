#include <stdlib.h>

#include "proto/base/bytes.h"
#include "proto/crc/crc64.h"
#include "tests/support/cunit_run.h"
#include "tests/support/rdb_fixture.h"
#include "tests/support/rdb_story.h"

static struct str packed(void) {
    return str_of(rdb_fixture_packed, sizeof(rdb_fixture_packed));
}

static struct str unpacked(void) {
    return str_of(rdb_fixture_unpacked, sizeof(rdb_fixture_unpacked));
}

static void a_real_snapshot_reads_the_same_in_any_pieces(void) {
    rdb_story_in_pieces(packed());
    rdb_story_in_pieces(unpacked());
}

static void a_real_snapshot_tells_all_it_holds(void) {
    struct rdb_story s = rdb_story_of(packed());

    CU_ASSERT_EQUAL(s.keys, 19);
    CU_ASSERT_EQUAL(s.checksum, RDB_CHECKSUM_OK);
    /* SET expires x PXAT 4102444800123 */
    CU_ASSERT_PTR_NOT_NULL(strstr(s.text.ptr, "db=0 type=0 expire=4102444800123 idle=-1 freq=-1"
                                              " key=0765787069726573 value=0178 meta=\n"));
    /* SELECT 3, SET other db */
    CU_ASSERT_PTR_NOT_NULL(strstr(s.text.ptr, "db=3 type=0 expire=-1 idle=-1 freq=-1"
                                              " key=056f74686572 value=026462 meta=\n"));
    buf_done(&s.text);
    s = rdb_story_of(unpacked());
    CU_ASSERT_EQUAL(s.keys, 7);
    CU_ASSERT_EQUAL(s.checksum, RDB_CHECKSUM_OK);
    /* under an LFU policy every key carries its counter */
    CU_ASSERT_PTR_NULL(strstr(s.text.ptr, "freq=-1"));
    buf_done(&s.text);
}

/* What a parser says from a mark on is the rest of what the first one said, with
 * the same verdict on the checksum of the whole. */
static void resumes_at_every_record(struct str file) {
    struct rdb_story whole = rdb_story_of(file);
    struct rdb_parser p;
    size_t told = 0;

    rdb_parser_init(&p);
    for (;;) {
        struct rdb_mark mark = rdb_parser_mark(&p);
        struct rdb_story rest = rdb_story_from(file, 7, &mark);
        struct err err = ERR_INIT;
        struct rdb_event ev;
        const char *line;

        CU_ASSERT(str_equal(buf_str(&rest.text), str_skip(buf_str(&whole.text), told)));
        buf_done(&rest.text);
        CU_ASSERT_EQUAL(rdb_parser_next(&p, str_skip(file, p.offset), &ev, &err), RDB_EVENT);
        if (ev.kind == RDB_EV_EOF)
            break;
        line = strchr(whole.text.ptr + told, '\n');
        told = (size_t)(line - whole.text.ptr) + 1;
    }
    buf_done(&whole.text);
}

static void every_record_boundary_is_a_restart_point(void) {
    resumes_at_every_record(packed());
    resumes_at_every_record(unpacked());
}

/* A mark taken while a record is half walked is the boundary before it. */
static void a_mark_in_the_middle_of_a_record_is_the_boundary_before_it(void) {
    struct str file = packed();
    struct rdb_parser p;
    struct err err = ERR_INIT;
    struct rdb_event ev;
    struct rdb_story whole = rdb_story_of(file), rest;
    struct rdb_mark mark;

    rdb_parser_init(&p);
    while (rdb_parser_next(&p, str_skip(str_first(file, 700), p.offset), &ev, &err) == RDB_EVENT)
        continue;
    CU_ASSERT(p.offset < 700);
    mark = rdb_parser_mark(&p);
    rest = rdb_story_from(file, 3, &mark);
    CU_ASSERT_EQUAL(rest.checksum, RDB_CHECKSUM_OK);
    CU_ASSERT(rest.events > 1);
    CU_ASSERT_STRING_EQUAL(rest.text.ptr, whole.text.ptr + whole.text.len - rest.text.len);
    buf_done(&rest.text);
    buf_done(&whole.text);
}

static void a_flipped_bit_is_seen_by_the_checksum_or_before(void) {
    struct str file = packed();
    char *copy = malloc(file.len);
    size_t silent = 0;

    for (size_t at = 0; at < file.len; at++) {
        struct rdb_story s;

        memcpy(copy, file.ptr, file.len);
        copy[at] = (char)(copy[at] ^ 0x10);
        s = rdb_story_of(str_of(copy, file.len));
        /* Absent: a bit made the version smaller than 5. */
        if (s.last == RDB_EVENT && s.checksum == RDB_CHECKSUM_OK)
            silent++;
        buf_done(&s.text);
    }
    CU_ASSERT_EQUAL(silent, 0);
    free(copy);
}

static void a_checksum_can_be_absent_or_skipped(void) {
    struct buf file = rdb_story_file("REDIS0009", STR_LIT("\0\1k\1v"));
    struct rdb_parser p;
    struct rdb_event ev;
    struct err err = ERR_INIT;
    struct rdb_story s;

    rdb_parser_init(&p);
    rdb_parser_skip_crc(&p);
    do {
        CU_ASSERT_EQUAL_FATAL(rdb_parser_next(&p, str_skip(buf_str(&file), p.offset), &ev, &err),
                              RDB_EVENT);
    } while (ev.kind != RDB_EV_EOF);
    CU_ASSERT_EQUAL(ev.eof.checksum, RDB_CHECKSUM_UNCHECKED);
    memset(file.ptr + file.len - 8, 0, 8);
    s = rdb_story_of(buf_str(&file));
    CU_ASSERT_EQUAL(s.checksum, RDB_CHECKSUM_ABSENT);
    buf_done(&s.text);
    s = rdb_story_of(STR_LIT("REDIS0004\xff"));
    CU_ASSERT_EQUAL(s.last, RDB_EVENT);
    CU_ASSERT_EQUAL(s.checksum, RDB_CHECKSUM_ABSENT);
    buf_done(&s.text);
    file.ptr[file.len - 1] = 1;
    s = rdb_story_of(buf_str(&file));
    CU_ASSERT_EQUAL(s.checksum, RDB_CHECKSUM_WRONG);
    buf_done(&s.text);
    buf_done(&file);
}

static void expiries_and_hints_belong_to_the_next_key_only(void) {
    struct buf file =
        rdb_story_file("REDIS0009", STR_LIT("\xfd\1\0\0\0\xf8\x40\xff\0\1a\1x"
                                            "\xf9\x0a\0\1b\1x"
                                            "\xfc\xfe\xff\xff\xff\xff\xff\xff\xff\0\1c\1x"
                                            "\0\1d\1x"));
    struct rdb_story s = rdb_story_of(buf_str(&file));

    CU_ASSERT_PTR_NOT_NULL(strstr(s.text.ptr, "expire=1000 idle=255 freq=-1 key=0161"));
    CU_ASSERT_PTR_NOT_NULL(strstr(s.text.ptr, "expire=-1 idle=-1 freq=10 key=0162"));
    CU_ASSERT_PTR_NOT_NULL(strstr(s.text.ptr, "expire=0 idle=-1 freq=-1 key=0163"));
    CU_ASSERT_PTR_NOT_NULL(strstr(s.text.ptr, "expire=-1 idle=-1 freq=-1 key=0164"));
    buf_done(&s.text);
    buf_done(&file);
}

static void a_record_past_the_known_end_is_refused_at_once(void) {
    struct str file = STR_LIT("REDIS0009\0\1k\x80\0\1\0\0abc");
    struct err err = ERR_INIT;
    struct rdb_parser p;
    struct rdb_event ev;

    rdb_parser_init(&p);
    rdb_parser_set_size(&p, file.len);
    CU_ASSERT_EQUAL(rdb_parser_next(&p, file, &ev, &err), RDB_EVENT);
    CU_ASSERT_EQUAL(rdb_parser_next(&p, str_skip(file, 9), &ev, &err), RDB_WRONG);
    CU_ASSERT_EQUAL(err.code, ERR_RDB_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.frame[0], "offset 9 "));
    err_clear(&err);
    CU_ASSERT_FALSE(rdb_parser_cut_short(&p, 5, &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.frame[0], "ends at offset 14"));
}

/* A list of a million elements that arrives in many small pieces is walked once:
 * with a walk that starts over this test takes hours. */
static void a_huge_value_is_walked_once_however_it_arrives(void) {
    enum { COUNT = 1000000, PIECE = 16 };
    struct buf file = BUF_INIT(COUNT * 4);
    struct err err = ERR_INIT;
    struct rdb_parser p;
    struct rdb_event ev;
    enum rdb_pull pull = RDB_NEED_MORE;

    CU_ASSERT_TRUE_FATAL(buf_append(&file, STR_LIT("REDIS0006\1\1k\x80\x00\x0f\x42\x40"), &err));
    CU_ASSERT_TRUE_FATAL(buf_reserve(&file, COUNT * 2, &err));
    for (int i = 0; i < COUNT; i++) {
        file.ptr[file.len++] = 1;
        file.ptr[file.len++] = (char)i;
    }
    rdb_parser_init(&p);
    CU_ASSERT_EQUAL(rdb_parser_next(&p, str_first(buf_str(&file), 9), &ev, &err), RDB_EVENT);
    for (size_t len = 10; pull == RDB_NEED_MORE && len < file.len + PIECE; len += PIECE)
        pull = rdb_parser_next(&p, str_skip(str_first(buf_str(&file), len), 9), &ev, &err);
    CU_ASSERT_EQUAL(pull, RDB_EVENT);
    CU_ASSERT_EQUAL(ev.key.value.len, 5 + 2 * COUNT);
    CU_ASSERT_EQUAL(rdb_parser_mark(&p).crc, crc64_update(0, file.ptr, file.len));
    buf_done(&file);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_real_snapshot_tells_all_it_holds),
    CUNIT_TEST(a_real_snapshot_reads_the_same_in_any_pieces),
    CUNIT_TEST(expiries_and_hints_belong_to_the_next_key_only),
    CUNIT_TEST(every_record_boundary_is_a_restart_point),
    CUNIT_TEST(a_mark_in_the_middle_of_a_record_is_the_boundary_before_it),
    CUNIT_TEST(a_flipped_bit_is_seen_by_the_checksum_or_before),
    CUNIT_TEST(a_checksum_can_be_absent_or_skipped),
    CUNIT_TEST(a_record_past_the_known_end_is_refused_at_once),
    CUNIT_TEST(a_huge_value_is_walked_once_however_it_arrives),
};
CUNIT_MAIN("rdb_parser", tests)
