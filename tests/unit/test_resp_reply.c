/* Replies: token by token, passed over, as trees, and what their errors mean. */
#include "proto/base/buf.h"
#include "proto/resp/resp_error.h"
#include "proto/resp/resp_reader.h"
#include "proto/resp/resp_reply.h"
#include "tests/support/cunit_run.h"

static const char golden[] = "*4\r\n+OK\r\n-WRONGTYPE Operation\r\n:-7\r\n"
                             "*3\r\n$2\r\na\n\r\n$-1\r\n*0\r\n";

static struct resp_item next(struct str *in) {
    struct resp_item item = {.integer = -99};
    struct err err = ERR_INIT;
    size_t used = 0;

    CU_ASSERT_EQUAL_FATAL(resp_reply_next(*in, &used, &item, &err), RESP_GOT);
    *in = str_skip(*in, used);
    return item;
}

static void an_array_is_its_header_and_then_its_items(void) {
    struct str in = STR_LIT(golden);
    struct resp_item item = next(&in);

    CU_ASSERT(item.type == RESP_ARRAY && item.integer == 4);
    item = next(&in);
    CU_ASSERT(item.type == RESP_SIMPLE && str_equal(item.str, STR_LIT("OK")));
    item = next(&in);
    CU_ASSERT(item.type == RESP_ERROR && str_equal(item.str, STR_LIT("WRONGTYPE Operation")));
    item = next(&in);
    CU_ASSERT(item.type == RESP_INTEGER && item.integer == -7);
    item = next(&in);
    CU_ASSERT(item.type == RESP_ARRAY && item.integer == 3);
    item = next(&in);
    CU_ASSERT(item.type == RESP_BULK && str_equal(item.str, STR_LIT("a\n")));
    CU_ASSERT(next(&in).type == RESP_NIL);
    item = next(&in);
    CU_ASSERT(item.type == RESP_ARRAY && item.integer == 0);
    CU_ASSERT_EQUAL(in.len, 0);
}

static void an_item_cut_anywhere_needs_more(void) {
    static const char *items[] = {"+OK\r\n", "-ERR no\r\n", ":12\r\n", "$3\r\nabc\r\n", "*5\r\n"};

    for (size_t i = 0; i < LENGTH_OF(items); i++) {
        struct str whole = str_from(items[i]);

        for (size_t cut = 0; cut < whole.len; cut++) {
            struct resp_item item;
            struct err err = ERR_INIT;
            size_t used;

            CU_ASSERT_EQUAL(resp_reply_next(str_first(whole, cut), &used, &item, &err),
                            RESP_NEED_MORE);
        }
    }
}

static void a_reply_is_passed_over_in_any_pieces(void) {
    struct str whole = STR_LIT(golden);

    for (size_t step = 1; step <= whole.len; step++) {
        struct resp_skip skip = RESP_SKIP_INIT;
        struct err err = ERR_INIT;
        size_t at = 0, upto = 0, used;
        enum resp_status status = RESP_NEED_MORE;

        while (status == RESP_NEED_MORE && upto < whole.len) {
            upto = upto + step < whole.len ? upto + step : whole.len;
            status = resp_reply_skip(&skip, str_of(whole.ptr + at, upto - at), &used, &err);
            at += used;
        }
        CU_ASSERT_EQUAL(status, RESP_GOT);
        CU_ASSERT_EQUAL(at, whole.len);
        CU_ASSERT_EQUAL(skip.errors, 1);
    }
}

/* Or a reply of half a gigabyte would have to be held in memory to be thrown away. */
static void of_a_long_string_nothing_is_kept(void) {
    struct resp_skip skip = RESP_SKIP_INIT;
    struct err err = ERR_INIT;
    size_t used;

    CU_ASSERT_EQUAL(resp_reply_skip(&skip, STR_LIT("*2\r\n$12\r\nabc"), &used, &err),
                    RESP_NEED_MORE);
    CU_ASSERT_EQUAL(used, 4 + 5 + 3);
    CU_ASSERT_EQUAL(resp_reply_skip(&skip, STR_EMPTY, &used, &err), RESP_NEED_MORE);
    CU_ASSERT_EQUAL(resp_reply_skip(&skip, STR_LIT("-ERR\r\n*9\r"), &used, &err), RESP_NEED_MORE);
    CU_ASSERT_EQUAL(used, 9);
    CU_ASSERT_EQUAL(resp_reply_skip(&skip, STR_LIT("\r\n:1\r\n+OK"), &used, &err), RESP_GOT);
    CU_ASSERT_EQUAL(used, 6);
    CU_ASSERT_EQUAL(skip.errors, 0);
    skip = RESP_SKIP_INIT;
    CU_ASSERT_EQUAL(resp_reply_skip(&skip, STR_LIT("$3\r\na"), &used, &err), RESP_NEED_MORE);
    CU_ASSERT_EQUAL(resp_reply_skip(&skip, STR_LIT("bc\rx"), &used, &err), RESP_WRONG);
    CU_ASSERT_EQUAL(err.code, ERR_PROTOCOL);
}

static void expect_wrong(const char *bytes, enum err_code code) {
    struct resp_skip skip = RESP_SKIP_INIT;
    struct err err = ERR_INIT;
    size_t used;

    CU_ASSERT_EQUAL(resp_reply_skip(&skip, str_from(bytes), &used, &err), RESP_WRONG);
    CU_ASSERT_EQUAL(err.code, code);
}

static void what_no_server_answers_is_wrong(void) {
    expect_wrong("OK\r\n", ERR_PROTOCOL);
    expect_wrong("%1\r\n+a\r\n:1\r\n", ERR_PROTOCOL); /* RESP3 was never asked for */
    expect_wrong(":1x\r\n", ERR_PROTOCOL);
    expect_wrong("$-2\r\n", ERR_PROTOCOL);
    expect_wrong("$1\r\nabc", ERR_PROTOCOL);
    expect_wrong("$99999999999\r\n", ERR_TOO_BIG);
    expect_wrong("*99999999999\r\n", ERR_TOO_BIG);
    expect_wrong("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", ERR_TOO_BIG);
}

static void a_line_without_end_is_refused_in_time(void) {
    static char line[RESP_REPLY_LINE_MAX + 10];
    struct resp_item item;
    struct err err = ERR_INIT;
    size_t used;

    memset(line, 'x', sizeof(line));
    line[0] = '-';
    CU_ASSERT_EQUAL(resp_reply_next(str_of(line, RESP_REPLY_LINE_MAX - 1), &used, &item, &err),
                    RESP_NEED_MORE);
    CU_ASSERT_EQUAL(resp_reply_next(str_of(line, sizeof(line)), &used, &item, &err), RESP_WRONG);
    CU_ASSERT_EQUAL(err.code, ERR_TOO_BIG);
}

static const struct resp_value *read_tree(struct resp_reader *reader, struct arena *arena,
                                          struct str in, size_t step, struct err *err) {
    const struct resp_value *value = NULL;

    for (size_t at = 0; at < in.len && !value; at += step) {
        if (!resp_reader_feed(reader, str_first(str_skip(in, at), step), err))
            return NULL;
        if (resp_reader_next(reader, arena, &value, err) == RESP_WRONG)
            return NULL;
    }
    return value;
}

static void a_tree_grows_from_any_pieces(void) {
    for (size_t step = 1; step < sizeof(golden); step++) {
        struct resp_reader *reader = resp_reader_new(RESP_READER_LIMITS);
        struct arena arena = ARENA_INIT;
        struct err err = ERR_INIT;
        const struct resp_value *value = read_tree(reader, &arena, STR_LIT(golden), step, &err);

        CU_ASSERT_PTR_NOT_NULL_FATAL(value);
        CU_ASSERT(value->type == RESP_ARRAY && value->count == 4);
        CU_ASSERT(resp_value_is(&value->items[0], "OK"));
        CU_ASSERT_EQUAL(value->items[1].type, RESP_ERROR);
        CU_ASSERT_EQUAL(value->items[2].integer, -7);
        CU_ASSERT_EQUAL(value->items[3].count, 3);
        CU_ASSERT(str_equal(value->items[3].items[0].str, STR_LIT("a\n")));
        CU_ASSERT_EQUAL(value->items[3].items[1].type, RESP_NIL);
        CU_ASSERT_EQUAL(value->items[3].items[2].count, 0);
        resp_reader_free(reader);
        arena_done(&arena);
    }
}

static void a_long_array_keeps_every_item(void) {
    struct resp_reader *reader = resp_reader_new(RESP_READER_LIMITS);
    struct buf text = BUF_INIT(1 << 20);
    struct arena arena = ARENA_INIT;
    struct err err = ERR_INIT;
    const struct resp_value *value;

    CU_ASSERT_TRUE_FATAL(buf_printf(&text, &err, "*1000\r\n"));
    for (int i = 0; i < 1000; i++)
        CU_ASSERT_TRUE_FATAL(buf_printf(&text, &err, "*1\r\n:%d\r\n", i));
    value = read_tree(reader, &arena, buf_str(&text), 100, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(value);
    CU_ASSERT_EQUAL_FATAL(value->count, 1000);
    for (int i = 0; i < 1000; i++)
        CU_ASSERT_EQUAL(value->items[i].items[0].integer, i);
    resp_reader_free(reader);
    arena_done(&arena);
    buf_done(&text);
}

static void expect_refused(struct resp_reader_limits limits, const char *bytes,
                           enum err_code code) {
    struct resp_reader *reader = resp_reader_new(limits);
    struct arena arena = ARENA_INIT;
    struct err err = ERR_INIT;

    CU_ASSERT_PTR_NULL(read_tree(reader, &arena, str_from(bytes), 1000, &err));
    CU_ASSERT_EQUAL(err.code, code);
    CU_ASSERT(arena.used_bytes <= limits.bytes_max);
    resp_reader_free(reader);
    arena_done(&arena);
}

static void a_tree_has_limits(void) {
    struct resp_reader_limits small = {.array_max = 10, .bytes_max = 400};

    expect_refused(small, "*11\r\n", ERR_TOO_BIG);
    expect_refused(small, "*5\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n", ERR_TOO_BIG);
    expect_refused(small, "abc\r\n", ERR_PROTOCOL);
}

static void an_announcement_costs_nothing(void) {
    struct resp_reader *reader = resp_reader_new(RESP_READER_LIMITS);
    struct arena arena = ARENA_INIT;
    struct err err = ERR_INIT;

    CU_ASSERT_PTR_NULL(read_tree(reader, &arena, STR_LIT("*1000000\r\n:1\r\n"), 100, &err));
    CU_ASSERT_EQUAL(err.code, ERR_NONE);
    CU_ASSERT(arena.used_bytes < 1024);
    resp_reader_free(reader);
    arena_done(&arena);
}

static void errors_have_a_meaning(void) {
    static const struct {
        const char *text;
        enum resp_error error;
        enum err_code destination;
    } rows[] = {
        {"OOM command not allowed when used memory > 'maxmemory'.", RESP_ERROR_OOM, ERR_DEST_OOM},
        {"READONLY You can't write against a read only replica.", RESP_ERROR_READONLY,
         ERR_DEST_READONLY},
        {"NOPERM this user has no permissions", RESP_ERROR_NOPERM, ERR_DEST_NOPERM},
        {"ERR The user executing the script can't run this command or subcommand",
         RESP_ERROR_NOPERM, ERR_DEST_NOPERM},
        {"NOAUTH Authentication required.", RESP_ERROR_NOAUTH, ERR_DEST_AUTH},
        {"WRONGPASS invalid username-password pair", RESP_ERROR_WRONGPASS, ERR_DEST_AUTH},
        {"LOADING Redis is loading the dataset in memory", RESP_ERROR_LOADING, ERR_DEST_BUSY},
        {"BUSY Redis is busy running a script.", RESP_ERROR_BUSY, ERR_DEST_BUSY},
        {"BUSYKEY Target key name already exists.", RESP_ERROR_BUSYKEY, ERR_DIVERGED},
        {"BUSYGROUP Consumer Group name already exists", RESP_ERROR_BUSYGROUP, ERR_DIVERGED},
        {"MISCONF Redis is configured to save RDB snapshots", RESP_ERROR_MISCONF, ERR_DEST_MISCONF},
        {"EXECABORT Transaction discarded because of previous errors.", RESP_ERROR_EXECABORT,
         ERR_DEST_REFUSED},
        /* What EXEC is the first to meet. */
        {"EXECABORT Transaction discarded because of: OOM command not allowed when used memory > "
         "'maxmemory'.",
         RESP_ERROR_OOM, ERR_DEST_OOM},
        {"EXECABORT Transaction discarded because of: READONLY You can't write against a read only "
         "replica.",
         RESP_ERROR_READONLY, ERR_DEST_READONLY},
        {"EXECABORT Transaction discarded because of: NOPERM User x has no permissions",
         RESP_ERROR_NOPERM, ERR_DEST_NOPERM},
        {"EXECABORT Transaction discarded because of: ERR something", RESP_ERROR_EXECABORT,
         ERR_DEST_REFUSED},
        {"ERR Transaction contains write commands but instance is now a read-only replica. EXEC "
         "aborted.",
         RESP_ERROR_READONLY, ERR_DEST_READONLY},
        {"WRONGTYPE Operation against a key", RESP_ERROR_WRONGTYPE, ERR_DIVERGED},
        {"ERR unknown command 'FOO', with args beginning with:", RESP_ERROR_UNKNOWN_COMMAND,
         ERR_DEST_UNKNOWN_COMMAND},
        {"ERR DB index is out of range", RESP_ERROR_DB_RANGE, ERR_DEST_DB_RANGE},
        {"ERR Bad data format", RESP_ERROR_RESTORE, ERR_DEST_RESTORE},
        {"ERR DUMP payload version or checksum are wrong", RESP_ERROR_RESTORE, ERR_DEST_RESTORE},
        {"DENIED Redis is running in protected mode", RESP_ERROR_DENIED, ERR_DEST_AUTH},
        {"ERR Protocol error: invalid bulk length", RESP_ERROR_PROTO, ERR_PROTOCOL},
        {"ERR syntax error", RESP_ERROR_OTHER, ERR_DEST_REFUSED},
        {"", RESP_ERROR_OTHER, ERR_DEST_REFUSED},
        {"OOMPH", RESP_ERROR_OTHER, ERR_DEST_REFUSED},
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        enum resp_error error = resp_error_class(str_from(rows[i].text));

        CU_ASSERT_EQUAL(error, rows[i].error);
        CU_ASSERT_EQUAL(resp_error_destination(error), rows[i].destination);
    }
    CU_ASSERT_EQUAL(err_retry_class(resp_error_destination(RESP_ERROR_OOM)), RETRY_LATER);
    CU_ASSERT_EQUAL(err_retry_class(resp_error_destination(RESP_ERROR_NOPERM)), RETRY_NEVER);
}

/* As Redis 6.2 and 7.0 answer where AUTH was renamed, and where a command is too new. */
static void what_a_server_quotes_of_a_command_is_not_shown(void) {
    static const char *const rows[][2] = {
        {"ERR unknown command `AUTH`, with args beginning with: `user`, `secret`, ",
         "ERR unknown command `AUTH`"},
        {"ERR unknown command 'HGETDEL', with args beginning with: 'customer:1' 'FIELDS' ",
         "ERR unknown command 'HGETDEL'"},
        {"ERR unknown command 'FOO'", "ERR unknown command 'FOO'"},
        {"READONLY You can't write", "READONLY You can't write"},
        {"", ""},
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        CU_ASSERT_TRUE(str_equal(resp_error_shown(str_from(rows[i][0])), str_from(rows[i][1])));
}

static void keys_that_an_error_names_are_not_shown(void) {
    static const char *const rows[][2] = {
        {"NOGROUP No such key 'customer:1' or consumer group 'g'", "NOGROUP No such key "},
        {"NOGROUP No such consumer group 'g' for key name 'customer:1'",
         "NOGROUP No such consumer group "},
        {"ERR Error running script (call to f_1): @user_script:1: bad customer:1", "ERR"},
        {"ERR user_script:1: bad customer:1 script: 12c5, on @user_script:1.", "ERR"},
        {"MINE customer:1 script: 12c5, on @user_script:1.", "MINE"},
        {"WRONGTYPE Operation against a key script: 12c5, on @user_script:1.",
         "WRONGTYPE Operation against a key"},
        {"ERR value is not an integer or out of range",
         "ERR value is not an integer or out of range"},
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        CU_ASSERT_TRUE(str_equal(resp_error_shown(str_from(rows[i][0])), str_from(rows[i][1])));
}

static void every_class_has_its_codes(void) {
    for (int i = 0; i < RESP_ERROR_COUNT; i++) {
        CU_ASSERT_PTR_NOT_NULL(resp_error_name((enum resp_error)i));
        CU_ASSERT(resp_error_destination((enum resp_error)i) != ERR_NONE);
        CU_ASSERT(resp_error_source((enum resp_error)i) != ERR_NONE);
    }
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(an_array_is_its_header_and_then_its_items),
    CUNIT_TEST(an_item_cut_anywhere_needs_more),
    CUNIT_TEST(a_reply_is_passed_over_in_any_pieces),
    CUNIT_TEST(of_a_long_string_nothing_is_kept),
    CUNIT_TEST(what_no_server_answers_is_wrong),
    CUNIT_TEST(a_line_without_end_is_refused_in_time),
    CUNIT_TEST(a_tree_grows_from_any_pieces),
    CUNIT_TEST(a_long_array_keeps_every_item),
    CUNIT_TEST(a_tree_has_limits),
    CUNIT_TEST(an_announcement_costs_nothing),
    CUNIT_TEST(errors_have_a_meaning),
    CUNIT_TEST(what_a_server_quotes_of_a_command_is_not_shown),
    CUNIT_TEST(keys_that_an_error_names_are_not_shown),
    CUNIT_TEST(every_class_has_its_codes),
};

CUNIT_MAIN("resp_reply", tests)
