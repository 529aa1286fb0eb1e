/* A unit as one EVAL: the very bytes, however the unit lies in pieces. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/flow/lane_script.h"
#include "tests/support/cunit_run.h"

enum { OWN_MAX = 4 * 1024 * 1024 };

static const char two[] = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\n\r\n*\r\n*1\r\n$7\r\nflushdb\r\n";
static const char where[] = "*4\r\n$4\r\nHSET\r\n$1\r\np\r\n$3\r\noff\r\n$1\r\n9\r\n";

static void unit_of(struct unit *unit, struct str bytes, size_t cut) {
    struct err err = ERR_INIT;

    unit_init(unit, OWN_MAX);
    unit_clear(unit, 0);
    CU_ASSERT_TRUE(unit_put(unit, str_first(bytes, cut), &err));
    /* Borrowed, so that it is a piece of its own. */
    if (cut < bytes.len) {
        static struct unit_piece piece;

        piece = (struct unit_piece){.borrowed = bytes.ptr + cut, .len = bytes.len - cut};
        CU_ASSERT_TRUE(unit_put(unit, STR_LIT("x"), &err)); /* room for a piece */
        unit->pieces[unit->piece_count - 1].len = cut;
        unit->pieces[unit->piece_count++] = piece;
    }
}

static bool make(struct str commands, size_t cut, const struct lane_script_names *names,
                 struct buf *ret, size_t *ret_words, struct err *err) {
    struct lane_script_frame frame = {.names = names,
                                      .key = STR_LIT("p"),
                                      .database = 3,
                                      .position = STR_LIT(where),
                                      .position_count = 1};
    struct unit unit, out;
    bool ok;

    unit_of(&unit, commands, cut);
    unit_init(&out, OWN_MAX);
    ok = lane_script_make(&frame, &unit, &out, ret_words, err);
    buf_clear(ret);
    for (uint32_t i = 0; ok && i < out.piece_count; i++)
        CU_ASSERT_TRUE(buf_append(ret, unit_piece_str(&out, i), err));
    unit_done(&unit);
    unit_done(&out);
    return ok;
}

static bool ends_with(const struct buf *bytes, const char *end) {
    size_t len = strlen(end);

    return bytes->len >= len && memcmp(bytes->ptr + bytes->len - len, end, len) == 0;
}

static void only_the_first_line_of_a_command_is_another(void) {
    struct buf got = BUF_INIT(OWN_MAX);
    struct err err = ERR_INIT;
    size_t words = 0;

    CU_ASSERT_TRUE(make(STR_LIT(two), sizeof(two) - 1, NULL, &got, &words, &err));
    CU_ASSERT_EQUAL(words, 7 + 5 + 4 + 2);
    CU_ASSERT_TRUE(ends_with(
        &got, "$1\r\n1\r\n$1\r\np\r\n$1\r\n1\r\n$1\r\n0\r\n$1\r\n3\r\n"
              "$1\r\n4\r\n$4\r\nHSET\r\n$1\r\np\r\n$3\r\noff\r\n$1\r\n9\r\n"
              "$1\r\n3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\n\r\n*\r\n$1\r\n1\r\n$7\r\nflushdb\r\n"));
    buf_done(&got);
}

static void one_that_stops_says_so_in_front(void) {
    struct lane_script_frame frame = {.key = STR_LIT("p"), .database = 3, .stops = true};
    struct buf got = BUF_INIT(OWN_MAX);
    struct unit unit, out;
    struct err err = ERR_INIT;
    size_t words = 0;

    unit_of(&unit, STR_LIT(two), sizeof(two) - 1);
    unit_init(&out, OWN_MAX);
    CU_ASSERT_TRUE(lane_script_make(&frame, &unit, &out, &words, &err));
    for (uint32_t i = 0; i < out.piece_count; i++)
        CU_ASSERT_TRUE(buf_append(&got, unit_piece_str(&out, i), &err));
    CU_ASSERT_EQUAL(words, 7 + 4 + 2);
    CU_ASSERT_PTR_NOT_NULL(
        memmem(got.ptr, got.len, "$1\r\np\r\n$1\r\n0\r\n$1\r\n1\r\n$1\r\n3\r\n", 28));
    unit_done(&unit);
    unit_done(&out);
    buf_done(&got);
}

static void it_is_the_same_wherever_the_unit_is_cut(void) {
    struct buf whole = BUF_INIT(OWN_MAX), got = BUF_INIT(OWN_MAX);
    struct err err = ERR_INIT;
    size_t words;

    CU_ASSERT_TRUE(make(STR_LIT(two), sizeof(two) - 1, NULL, &whole, &words, &err));
    for (size_t cut = 1; cut < sizeof(two) - 1; cut++) {
        CU_ASSERT_TRUE(make(STR_LIT(two), cut, NULL, &got, &words, &err));
        CU_ASSERT_TRUE(str_equal(buf_str(&got), buf_str(&whole)));
    }
    buf_done(&whole);
    buf_done(&got);
}

static void what_is_cut_off_is_no_unit(void) {
    struct buf got = BUF_INIT(OWN_MAX);
    size_t words;

    for (size_t len = 1; len < sizeof(two) - 1; len++) {
        struct err err = ERR_INIT;

        if (len == 29) /* behind the first command */
            continue;
        CU_ASSERT_FALSE(make(str_of(two, len), len, NULL, &got, &words, &err));
        CU_ASSERT_EQUAL(err.code, ERR_INTERNAL);
    }
    buf_done(&got);
}

static void refuses(const char *command, const struct lane_script_names *names,
                    enum err_code code) {
    struct buf got = BUF_INIT(OWN_MAX);
    struct err err = ERR_INIT;
    size_t words;

    CU_ASSERT_FALSE(make(str_from(command), strlen(command), names, &got, &words, &err));
    CU_ASSERT_EQUAL(err.code, code);
    buf_done(&got);
}

static void what_no_script_can_do_is_refused(void) {
    static struct lane_script_names names = {.count = 2, .name = {"set", "flushdb"}};
    struct buf got = BUF_INIT(OWN_MAX);
    struct err err = ERR_INIT;
    size_t words;

    refuses("*2\r\n$7\r\nEvalSha\r\n$1\r\nx\r\n", NULL, ERR_COMMAND_REFUSED);
    refuses("*1\r\n$5\r\nLMOVE\r\n", &names, ERR_DEST_UNKNOWN_COMMAND);
    refuses("*7001\r\n$4\r\nSADD\r\n", NULL, ERR_UNIT_TOO_LARGE);
    /* HSET of the position is not in that list. */
    names.count = 3;
    memcpy(names.name[2], "hset", 5);
    CU_ASSERT_TRUE(make(STR_LIT(two), 7, &names, &got, &words, &err));
    buf_done(&got);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(only_the_first_line_of_a_command_is_another),
    CUNIT_TEST(one_that_stops_says_so_in_front),
    CUNIT_TEST(it_is_the_same_wherever_the_unit_is_cut),
    CUNIT_TEST(what_is_cut_off_is_no_unit),
    CUNIT_TEST(what_no_script_can_do_is_refused),
};
CUNIT_MAIN("lane_script", tests)
