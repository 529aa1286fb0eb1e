/* How a replication stream falls apart into commands, whatever pieces it comes in. */
#include <stdlib.h>

#include "proto/base/buf.h"
#include "proto/resp/resp_command.h"
#include "proto/resp/resp_write.h"
#include "tests/support/cunit_run.h"

static struct resp_command command;

static const char golden[] = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\na\r\nb\r\n"
                             "*1\r\n$4\r\nping\r\n"
                             "\n"
                             "*2\r\n$6\r\nSELECT\r\n$2\r\n10\r\n"
                             "*2\r\n$3\r\nDEL\r\n$0\r\n\r\n";

static struct str golden_str(void) {
    return STR_LIT(golden);
}

static void a_command_is_its_arguments_and_its_bytes(void) {
    struct resp_scan scan = RESP_SCAN_INIT;
    struct err err = ERR_INIT;
    struct str in = golden_str();

    scan.stream_offset = 1000;
    CU_ASSERT_EQUAL_FATAL(resp_command_scan(&scan, in, &command, &err), RESP_GOT);
    CU_ASSERT_EQUAL(command.argc, 3);
    CU_ASSERT_EQUAL(command.argv_count, 3);
    CU_ASSERT(str_equal(command.argv[0], STR_LIT("SET")));
    CU_ASSERT(str_equal(command.argv[2], STR_LIT("a\r\nb")));
    CU_ASSERT_EQUAL(command.raw.len, 30);
    CU_ASSERT_EQUAL(scan.stream_offset, 1030);
    in = str_skip(in, command.raw.len);
    CU_ASSERT_EQUAL_FATAL(resp_command_scan(&scan, in, &command, &err), RESP_GOT);
    CU_ASSERT_EQUAL(command.raw.len, 14); /* what a PING adds to every offset */
}

static void a_lone_newline_counts_as_a_byte_and_as_nothing_else(void) {
    struct resp_scan scan = RESP_SCAN_INIT;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(resp_command_scan(&scan, STR_LIT("\n*1"), &command, &err), RESP_GOT);
    CU_ASSERT_EQUAL(command.argc, 0);
    CU_ASSERT_EQUAL(command.raw.len, 1);
    CU_ASSERT_EQUAL(scan.stream_offset, 1);
}

/* Count the commands of `in`, of which the scan is shown `step` more bytes each time,
 * at another address each time. */
static unsigned count_in_steps(struct str in, size_t step) {
    struct resp_scan scan = RESP_SCAN_INIT;
    struct err err = ERR_INIT;
    size_t from = 0, upto = 0;
    unsigned count = 0;

    while (from < in.len) {
        char *copy;
        enum resp_status status;

        upto = upto + step < in.len ? upto + step : in.len;
        copy = malloc(upto - from + 1);
        CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
        memcpy(copy, in.ptr + from, upto - from);
        while ((status = resp_command_scan(&scan, str_of(copy, upto - from), &command, &err)) ==
               RESP_GOT) {
            CU_ASSERT_EQUAL(memcmp(command.raw.ptr, in.ptr + from, command.raw.len), 0);
            for (uint32_t i = 0; i < command.argv_count; i++)
                CU_ASSERT(command.argv[i].ptr > command.raw.ptr &&
                          command.argv[i].ptr + command.argv[i].len <
                              command.raw.ptr + command.raw.len);
            from += command.raw.len;
            count++;
            memmove(copy, copy + command.raw.len, upto - from);
        }
        free(copy);
        CU_ASSERT_EQUAL_FATAL(status, RESP_NEED_MORE);
        if (upto == in.len && from < in.len)
            return 0;
    }
    return count;
}

static void pieces_of_any_size_give_the_same_commands(void) {
    for (size_t step = 1; step <= golden_str().len; step++)
        CU_ASSERT_EQUAL(count_in_steps(golden_str(), step), 5);
}

static void a_command_cut_anywhere_needs_more(void) {
    struct str whole = str_first(golden_str(), 30);

    for (size_t cut = 0; cut < whole.len; cut++) {
        struct resp_scan scan = RESP_SCAN_INIT;
        struct err err = ERR_INIT;

        CU_ASSERT_EQUAL(resp_command_scan(&scan, str_first(whole, cut), &command, &err),
                        RESP_NEED_MORE);
        CU_ASSERT(scan.need <= whole.len);
        CU_ASSERT_EQUAL(resp_command_scan(&scan, whole, &command, &err), RESP_GOT);
        CU_ASSERT(str_equal(command.argv[1], STR_LIT("k")));
    }
}

static void what_a_long_argument_needs_is_known_from_its_header(void) {
    struct resp_scan scan = RESP_SCAN_INIT;
    struct err err = ERR_INIT;
    struct str in = STR_LIT("*3\r\n$3\r\nSET\r\n$1000\r\nabc");

    CU_ASSERT_EQUAL(resp_command_scan(&scan, in, &command, &err), RESP_NEED_MORE);
    CU_ASSERT_EQUAL(scan.need, 4 + 9 + 7 + 1000 + 2 + 6);
}

static void a_command_of_many_arguments_is_walked_whole(void) {
    enum { COUNT = 5000 };
    struct buf b = BUF_INIT(1 << 20);
    struct resp_scan scan = RESP_SCAN_INIT;
    struct resp_command_args args;
    struct err err = ERR_INIT;
    struct str arg;
    uint64_t number = 0, seen = 0;

    CU_ASSERT_TRUE_FATAL(resp_put_array(&b, COUNT, &err));
    for (uint64_t i = 0; i < COUNT; i++)
        CU_ASSERT_TRUE_FATAL(resp_put_u64(&b, i, &err));
    CU_ASSERT_EQUAL_FATAL(resp_command_scan(&scan, buf_str(&b), &command, &err), RESP_GOT);
    CU_ASSERT_EQUAL(command.argc, COUNT);
    CU_ASSERT_EQUAL(command.argv_count, RESP_ARGV_MAX);
    CU_ASSERT_EQUAL(command.raw.len, b.len);
    args = resp_command_args(&command);
    for (; resp_command_args_next(&args, &arg); seen++)
        CU_ASSERT(str_parse_u64(arg, &number) && number == seen);
    CU_ASSERT_EQUAL(seen, COUNT);
    CU_ASSERT_EQUAL(count_in_steps(buf_str(&b), 777), 1);
    buf_done(&b);
}

static void expect_wrong(const char *bytes, enum err_code code, const char *offset) {
    struct resp_scan scan = RESP_SCAN_INIT;
    struct err err = ERR_INIT;
    char story[400];

    scan.stream_offset = 100;
    CU_ASSERT_EQUAL(resp_command_scan(&scan, str_from(bytes), &command, &err), RESP_WRONG);
    CU_ASSERT_EQUAL(err.code, code);
    err_format(&err, story, sizeof(story));
    CU_ASSERT_PTR_NOT_NULL(strstr(story, offset));
}

static void what_no_source_sends_is_wrong_and_the_byte_is_named(void) {
    expect_wrong("PING\r\n", ERR_PROTOCOL, "offset 100");
    expect_wrong("*x\r\n", ERR_PROTOCOL, "offset 101");
    expect_wrong("*\r\n", ERR_PROTOCOL, "offset 101");
    expect_wrong("*0\r\n", ERR_PROTOCOL, "the header");
    expect_wrong("*-1\r\n", ERR_PROTOCOL, "offset 101");
    expect_wrong("*1\n", ERR_PROTOCOL, "offset 102");
    expect_wrong("*1\r\n+OK\r\n", ERR_PROTOCOL, "offset 104");
    expect_wrong("*1\r\n$-1\r\n", ERR_PROTOCOL, "offset 105");
    expect_wrong("*1\r\n$2\r\nabc\r\n", ERR_PROTOCOL, "offset 110");
    expect_wrong("*1\r\n$2\r\nab\rX", ERR_PROTOCOL, "offset 111");
    expect_wrong("*99999999999\r\n", ERR_PROTOCOL, "offset 111");
}

static void limits_are_checked_before_anything_arrives(void) {
    expect_wrong("*1048577\r\n", ERR_TOO_BIG, "1048576");
    expect_wrong("*1\r\n$536870913\r\n", ERR_TOO_BIG, "536870912");
}

static void a_written_command_is_scanned_as_it_was_meant(void) {
    struct buf b = BUF_INIT(4096);
    struct resp_scan scan = RESP_SCAN_INIT;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE_FATAL(resp_put_array(&b, 5, &err) && resp_put_literal(&b, "X", &err) &&
                         resp_put_u64(&b, UINT64_MAX, &err) && resp_put_i64(&b, INT64_MIN, &err) &&
                         resp_put_i64(&b, 0, &err) && resp_put_bulk(&b, STR_EMPTY, &err));
    CU_ASSERT_EQUAL_FATAL(resp_command_scan(&scan, buf_str(&b), &command, &err), RESP_GOT);
    CU_ASSERT_EQUAL(command.raw.len, b.len);
    CU_ASSERT(str_equal(command.argv[1], STR_LIT("18446744073709551615")));
    CU_ASSERT(str_equal(command.argv[2], STR_LIT("-9223372036854775808")));
    CU_ASSERT(str_equal(command.argv[3], STR_LIT("0")));
    CU_ASSERT_EQUAL(command.argv[4].len, 0);
    buf_clear(&b);
    CU_ASSERT_TRUE_FATAL(resp_put_words(&b, &err, "REPLCONF", "ACK", "0", NULL));
    CU_ASSERT(str_equal(buf_str(&b), STR_LIT("*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$1\r\n0\r\n")));
    buf_done(&b);
}

static void sizes_are_what_is_written(void) {
    char room[64];

    for (uint64_t v = 0, n = 1; n < 21; n++, v = v * 10 + 9) {
        CU_ASSERT_EQUAL(resp_digits(v), v == 0 ? 1 : n - 1);
        CU_ASSERT_EQUAL(resp_write_array(room, v) - room, resp_size_array(v));
        if (v < UINT64_MAX / 10)
            CU_ASSERT_EQUAL(resp_digits(v + 1), v == 0 ? 1 : n);
    }
    CU_ASSERT_EQUAL(resp_digits(UINT64_MAX), 20);
    for (size_t len = 0; len < 20; len++)
        CU_ASSERT_EQUAL(resp_write_bulk(room, str_of("01234567890123456789", len)) - room,
                        resp_size_bulk(len));
}

static void a_full_buffer_takes_nothing(void) {
    struct buf b = BUF_INIT(20);
    struct err err = ERR_INIT;
    struct str argv[] = {STR_LIT("SET"), STR_LIT("key"), STR_LIT("value")};

    CU_ASSERT_TRUE_FATAL(buf_append(&b, STR_LIT("x"), &err));
    CU_ASSERT_FALSE(resp_put_command(&b, 3, argv, &err));
    CU_ASSERT_EQUAL(err.code, ERR_TOO_BIG);
    CU_ASSERT(str_equal(buf_str(&b), STR_LIT("x")));
    buf_done(&b);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_command_is_its_arguments_and_its_bytes),
    CUNIT_TEST(a_lone_newline_counts_as_a_byte_and_as_nothing_else),
    CUNIT_TEST(pieces_of_any_size_give_the_same_commands),
    CUNIT_TEST(a_command_cut_anywhere_needs_more),
    CUNIT_TEST(what_a_long_argument_needs_is_known_from_its_header),
    CUNIT_TEST(a_command_of_many_arguments_is_walked_whole),
    CUNIT_TEST(what_no_source_sends_is_wrong_and_the_byte_is_named),
    CUNIT_TEST(limits_are_checked_before_anything_arrives),
    CUNIT_TEST(a_written_command_is_scanned_as_it_was_meant),
    CUNIT_TEST(sizes_are_what_is_written),
    CUNIT_TEST(a_full_buffer_takes_nothing),
};

CUNIT_MAIN("resp_command", tests)
