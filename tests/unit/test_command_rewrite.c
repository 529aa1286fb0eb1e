/* What the destination is told instead of what the source said. */
#include <stdio.h>

#include "proto/base/buf.h"
#include "proto/command/command_rewrite.h"
#include "proto/command/held_expiry.h"
#include "proto/resp/resp_write.h"
#include "tests/support/cunit_run.h"

enum {
    V28 = 0x020800,
    V50 = 0x050000,
    V60 = 0x060000,
    V70 = 0x07000f,
    V74 = 0x070400,
    V80 = 0x080000,
    V84 = 0x080400,
    V86 = 0x080600
};

/* 2025-10-09, the receipt; +10 s; the same, held. */
#define NOW UINT64_C(1760000000000)
#define T10 "1760000010000"
#define H10 "6158046521104"

static struct resp_command command;
static struct buf in = {.max = 1 << 20}, out = {.max = 1 << 20};

static void make(const struct str *argv, size_t argc) {
    struct resp_scan scan = RESP_SCAN_INIT;
    struct err err = ERR_INIT;

    buf_clear(&in);
    CU_ASSERT_TRUE_FATAL(resp_put_command(&in, argc, argv, &err));
    CU_ASSERT_EQUAL_FATAL(resp_command_scan(&scan, buf_str(&in), &command, &err), RESP_GOT);
}

static void make_words(const char *words) {
    struct str rest = str_from(words), word, argv[300];
    size_t argc = 0;

    while (argc < LENGTH_OF(argv) && str_cut(&rest, ' ', &word))
        argv[argc++] = word;
    make(argv, argc);
}

/* Commands as words, parted by "; ". */
static size_t read_back(char *dst, size_t size, uint32_t count) {
    struct resp_scan scan = RESP_SCAN_INIT;
    struct err err = ERR_INIT;
    struct str left = buf_str(&out), arg;
    size_t len = 0;

    for (uint32_t i = 0; i < count; i++) {
        static struct resp_command one;
        struct resp_command_args args;

        CU_ASSERT_EQUAL_FATAL(resp_command_scan(&scan, left, &one, &err), RESP_GOT);
        left = str_skip(left, one.raw.len);
        args = resp_command_args(&one);
        for (int n = 0; resp_command_args_next(&args, &arg); n++)
            len += (size_t)snprintf(dst + len, size - len, "%s" STR_FMT,
                                    n   ? " "
                                    : i ? "; "
                                        : "",
                                    STR_ARG(arg));
    }
    CU_ASSERT_EQUAL(left.len, 0);
    return len;
}

static bool rewrite(struct command_target target, uint32_t *ret_count, struct err *err) {
    struct command_decision decision;

    buf_clear(&out);
    return command_decide(&command, &decision, err) &&
           command_rewrite(&command, &decision, &target, NOW, &out, ret_count, err);
}

static void expect(struct command_target target, const char *words, const char *want) {
    struct err err = ERR_INIT;
    char got[8192] = "";
    uint32_t count = 0;

    make_words(words);
    CU_ASSERT_TRUE(rewrite(target, &count, &err));
    read_back(got, sizeof(got), count);
    if (strcmp(got, want) != 0)
        printf("\n%s\n  gave   %s\n  wanted %s\n", words, got, want);
    CU_ASSERT_STRING_EQUAL(got, want);
}

static void expect_error(struct command_target target, const char *words, enum err_code code) {
    struct err err = ERR_INIT;
    char story[400];
    uint32_t count;

    make_words(words);
    CU_ASSERT_FALSE(rewrite(target, &count, &err));
    if (err.code != code)
        printf("\n%s\n  gave %s\n", words, err_slug(err.code));
    CU_ASSERT_EQUAL(err.code, code);
    CU_ASSERT_EQUAL(out.len, 0);
    err_format(&err, story, sizeof(story));
    CU_ASSERT_PTR_NULL(strstr(story, "secret"));
}

static struct command_target held(uint32_t version) {
    return command_target(false, version, 0, true);
}

static struct command_target exact(uint32_t version) {
    return command_target(false, version, 0, false);
}

static void every_form_of_expiry_becomes_absolute_and_held(void) {
    static const struct {
        const char *words, *want;
    } rows[] = {
        {"SET k v EX 10", "SET k v PXAT " H10},
        {"set k v px 10000 NX", "set k v PXAT " H10 " NX"},
        {"SET k v EXAT 1760000010", "SET k v PXAT " H10},
        {"SET k v XX PXAT " T10, "SET k v XX PXAT " H10},
        {"SET k v GET PXAT " T10, "SET k v PXAT " H10},
        {"SET k v PXAT " T10 " GET XX", "SET k v PXAT " H10 " XX"},
        {"SET k v IFEQ EX PX 10000", "SET k v IFEQ EX PXAT " H10},
        {"SET k v KEEPTTL", "SET k v KEEPTTL"},
        {"SET k EX NX", "SET k EX NX"},
        {"SET k v GET", "SET k v"},
        {"SETEX k 10 v", "SET k v PXAT " H10},
        {"PSETEX k 10000 v", "SET k v PXAT " H10},
        {"EXPIRE k 10", "PEXPIREAT k " H10},
        {"PEXPIRE k 10000", "PEXPIREAT k " H10},
        {"EXPIREAT k 1760000010", "PEXPIREAT k " H10},
        {"PEXPIREAT k " T10 " GT", "PEXPIREAT k " H10},
        {"GETEX k EX 10", "PEXPIREAT k " H10},
        {"GETEX k PERSIST", "PERSIST k"},
        {"PERSIST k", "PERSIST k"},
        {"INCREX k BYINT 3 EX 10", "INCREX k BYINT 3 PXAT " H10},
        {"MSETEX 2 a 1 b EX NX EX 10", "MSETEX 2 a 1 b EX NX PXAT " H10},
        {"HSETEX h FNX EX 10 FIELDS 2 EX 1 b 2", "HSETEX h FNX PXAT " H10 " FIELDS 2 EX 1 b 2"},
        {"HSETEX h KEEPTTL FIELDS 1 f v", "HSETEX h KEEPTTL FIELDS 1 f v"},
        {"HGETEX h PX 10000 FIELDS 1 f", "HPEXPIREAT h " H10 " FIELDS 1 f"},
        {"HGETEX h PERSIST FIELDS 1 f", "HPERSIST h FIELDS 1 f"},
        {"HEXPIRE h 10 FIELDS 2 f g", "HPEXPIREAT h " H10 " FIELDS 2 f g"},
        {"HPEXPIRE h 10000 NX FIELDS 1 f", "HPEXPIREAT h " H10 " NX FIELDS 1 f"},
        {"HEXPIREAT h 1760000010 FIELDS 1 f", "HPEXPIREAT h " H10 " FIELDS 1 f"},
        {"HPEXPIREAT h " T10 " FIELDS 1 f", "HPEXPIREAT h " H10 " FIELDS 1 f"},
        {"RESTORE k 10000 payload-of-some-bytes", "RESTORE k " H10 " payload-of-some-bytes ABSTTL"},
        {"RESTORE k " T10 " payload-of-some-bytes ABSTTL REPLACE FREQ 5",
         "RESTORE k " H10 " payload-of-some-bytes REPLACE ABSTTL FREQ 5"},
        {"RESTORE k 0 payload-of-some-bytes", "RESTORE k 0 payload-of-some-bytes"},
        {"RESTORE-ASKING k 0 payload-of-some-bytes", "RESTORE k 0 payload-of-some-bytes REPLACE"},
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        expect(held(V86), rows[i].words, rows[i].want);
}

static void exact_times_stay_what_they_are(void) {
    expect(exact(V70), "SET k v EX 10", "SET k v PXAT " T10);
    expect(exact(V70), "PEXPIREAT k " T10 " LT", "PEXPIREAT k " T10);
    expect(exact(V70), "RESTORE k 10000 payload-of-some-bytes",
           "RESTORE k " T10 " payload-of-some-bytes ABSTTL");
    expect(exact(V70), "PEXPIREAT k 9223372036854775807", "PEXPIREAT k 9223372036854775807");
}

static void times_that_are_none_are_errors_and_never_wrap(void) {
    static const char *const times[] = {"0",
                                        "-1",
                                        "x",
                                        "1.5",
                                        "9223372036854775808",
                                        "-9223372036854775808",
                                        "99999999999999999999"};
    static const char *const forms[][2] = {
        {"SET secret v PX ", ""},
        {"SET secret v EXAT ", ""},
        {"SETEX secret ", " v"},
        {"EXPIRE secret ", ""},
        {"PEXPIREAT secret ", ""},
        {"GETEX secret PXAT ", ""},
        {"HEXPIRE secret ", " FIELDS 1 f"},
    };

    for (size_t f = 0; f < LENGTH_OF(forms); f++) {
        for (size_t t = 0; t < LENGTH_OF(times); t++) {
            char words[200];

            snprintf(words, sizeof(words), "%s%s%s", forms[f][0], times[t], forms[f][1]);
            expect_error(held(V86), words, ERR_PROTOCOL);
        }
    }
    expect_error(held(V86), "RESTORE secret -1 payload-of-some-bytes", ERR_PROTOCOL);
    expect_error(held(V86), "EXPIRE secret 9223372036854775807", ERR_PROTOCOL);
    expect_error(held(V86), "PEXPIRE secret 9223372036854775807", ERR_PROTOCOL);
    expect_error(exact(V86), "EXPIREAT secret 9223372036854776", ERR_PROTOCOL);
}

static void malformed_commands_are_errors(void) {
    expect_error(held(V86), "SET secret", ERR_PROTOCOL);
    expect_error(held(V86), "SET secret v EX", ERR_PROTOCOL);
    expect_error(held(V86), "SET secret v EX 1 PX 2", ERR_PROTOCOL);
    expect_error(held(V86), "SET secret v NEWWORD 1", ERR_UNKNOWN_COMMAND);
    expect_error(held(V86), "EXPIRE secret", ERR_PROTOCOL);
    expect_error(held(V86), "SETEX secret 1", ERR_PROTOCOL);
    expect_error(held(V86), "MSETEX 2 secret 1", ERR_PROTOCOL);
    expect_error(held(V86), "MSETEX 9 secret 1 b 2", ERR_PROTOCOL);
    expect_error(held(V86), "MSETEX 18446744073709551615 secret 1 b 2", ERR_PROTOCOL);
    expect_error(held(V86), "HSETEX secret EX 1 FIELDS 2 f v", ERR_PROTOCOL);
    expect_error(held(V86), "HSETEX secret EX 1 f v f v", ERR_UNKNOWN_COMMAND);
    expect_error(held(V86), "HSETEX secret EX 1 NX XX FXX", ERR_PROTOCOL);
    expect_error(held(V86), "RESTORE secret 0", ERR_PROTOCOL);
    expect_error(held(V86), "RESTORE secret 0 short", ERR_RDB_CORRUPT);
    expect_error(held(V86), "RESTORE secret 0 payload-of-some-bytes NEWWORD", ERR_UNKNOWN_COMMAND);
}

static void held_and_true_times_never_overlap(void) {
    static const uint64_t usual[] = {HELD_EXPIRY_EARLIEST_MS, NOW, NOW + 1, HELD_EXPIRY_PAD_MS - 1};
    static const uint64_t far[] = {HELD_EXPIRY_PAD_MS, HELD_EXPIRY_FIRST_MS - 1, HELD_EXPIRY_END_MS,
                                   INT64_MAX};
    uint64_t at;

    for (size_t i = 0; i < LENGTH_OF(usual); i++) {
        CU_ASSERT_TRUE(held_expiry_hold(usual[i], &at));
        CU_ASSERT_TRUE(held_expiry_is_held(at));
        CU_ASSERT_EQUAL(held_expiry_settle(at), usual[i]);
        CU_ASSERT_EQUAL(held_expiry_settle(held_expiry_settle(at)), usual[i]);
    }
    for (size_t i = 0; i < LENGTH_OF(far); i++) {
        CU_ASSERT_TRUE(held_expiry_hold(far[i], &at));
        CU_ASSERT_EQUAL(at, far[i]);
        CU_ASSERT_EQUAL(held_expiry_settle(at), far[i]);
    }
    CU_ASSERT_TRUE(held_expiry_hold(1, &at));
    CU_ASSERT(held_expiry_settle(at) < NOW);
    CU_ASSERT_FALSE(held_expiry_hold(0, &at));
    CU_ASSERT_FALSE(held_expiry_hold(HELD_EXPIRY_FIRST_MS, &at));
    CU_ASSERT_FALSE(held_expiry_hold(HELD_EXPIRY_END_MS - 1, &at));
    expect_error(held(V86), "PEXPIREAT secret 8000000000000", ERR_COMMAND_REFUSED);
    expect(exact(V86), "PEXPIREAT k 8000000000000", "PEXPIREAT k 8000000000000");
}

static void an_older_server_is_told_in_its_own_words(void) {
    expect(held(V60), "SET k v PXAT " T10 " NX", "SET k v NX; PEXPIREAT k " H10);
    expect(held(V60), "SETEX k 10 v", "SET k v; PEXPIREAT k " H10);
    expect(held(V28), "UNLINK a b", "DEL a b");
    expect(held(V28), "FLUSHDB ASYNC", "FLUSHDB");
    expect(held(V60), "FLUSHALL SYNC", "FLUSHALL");
    expect(held(V60), "FLUSHALL ASYNC", "FLUSHALL ASYNC");
    expect(held(V60), "FLUSHDB", "FLUSHDB");
    expect(held(V60), "UNLINK a b", "UNLINK a b");
    expect(held(V60), "LPOP l 3", "LTRIM l 3 -1");
    expect(held(V60), "RPOP l 3", "LTRIM l 0 -4");
    expect(held(V60), "RPOP l", "RPOP l");
    expect(held(V70), "LPOP l 3", "LPOP l 3");
    expect(held(V60), "XGROUP SETID s g 1-1 ENTRIESREAD 4", "XGROUP SETID s g 1-1");
    expect(held(V60), "XGROUP CREATE s g 1-1 MKSTREAM", "XGROUP CREATE s g 1-1 MKSTREAM");
    expect(held(V70), "XGROUP SETID s g 1-1 ENTRIESREAD 4", "XGROUP SETID s g 1-1 ENTRIESREAD 4");
    expect(held(V84), "XADD s IDMP p i MAXLEN = 5 1-1 f v", "XADD s MAXLEN = 5 1-1 f v");
    expect(held(V86), "XADD s IDMPAUTO p 1-1 f v", "XADD s IDMPAUTO p 1-1 f v");
    expect(held(V70), "MSETEX 2 a 1 b 2 NX EX 10",
           "MSET a 1 b 2; PEXPIREAT a " H10 "; PEXPIREAT b " H10);
    expect(held(V70), "MSETEX 1 a 1", "MSET a 1");
    expect(held(V70), "HSETEX h KEEPTTL FIELDS 1 f v", "HSET h f v");
    expect(held(V74), "HSETEX h FNX EX 10 FIELDS 2 f v g w",
           "HSET h f v g w; HPEXPIREAT h " H10 " FIELDS 2 f g");
    expect(held(V50), "RESTORE k 10000 payload-of-some-bytes FREQ 3",
           "RESTORE k " H10 " payload-of-some-bytes ABSTTL FREQ 3");
    expect(held(V28), "RESTORE k 0 payload-of-some-bytes FREQ 3",
           "RESTORE k 0 payload-of-some-bytes");
}

static void what_goes_verbatim_is_what_rewriting_leaves_alone(void) {
    static const char *const words[] = {"SET k v",
                                        "UNLINK k",
                                        "HPERSIST h FIELDS 1 f",
                                        "LPOP l 3",
                                        "XADD s 1-1 f v",
                                        "XADD s IDMP p i 1-1 f v",
                                        "XGROUP SETID s g 1 ENTRIESREAD 4"};
    static const uint32_t versions[] = {V28, V50, V60, V70, V74, V80, V84, V86};

    for (size_t v = 0; v < LENGTH_OF(versions); v++) {
        for (size_t w = 0; w < LENGTH_OF(words); w++) {
            struct command_target target = held(versions[v]);
            struct command_decision decision;
            struct err err = ERR_INIT;
            uint32_t count;

            make_words(words[w]);
            CU_ASSERT_TRUE_FATAL(command_decide(&command, &decision, &err));
            CU_ASSERT_TRUE(rewrite(target, &count, &err));
            CU_ASSERT(!command_goes_verbatim(&decision, &target) ||
                      str_equal(buf_str(&out), command.raw));
        }
    }
}

static void what_an_older_server_cannot_hold_is_an_error(void) {
    expect_error(held(V50), "SET secret v KEEPTTL", ERR_DEST_UNKNOWN_COMMAND);
    expect_error(held(V28), "RESTORE secret 5 payload-of-some-bytes", ERR_DEST_UNKNOWN_COMMAND);
    expect_error(held(V70), "HSETEX secret EX 5 FIELDS 1 f v", ERR_DEST_UNKNOWN_COMMAND);
    expect_error(held(V74), "HSETEX secret KEEPTTL FIELDS 1 f v", ERR_DEST_UNKNOWN_COMMAND);
    expect_error(held(V70), "HPEXPIREAT secret " T10 " FIELDS 1 f", ERR_DEST_UNKNOWN_COMMAND);
    expect_error(held(V70), "MSETEX 1 secret v KEEPTTL", ERR_DEST_UNKNOWN_COMMAND);
}

static void expiries_of_fields_are_dropped_by_decision_only(void) {
    struct command_target target = held(V70);

    target.drops_hash_expiry = true;
    expect(target, "HPEXPIREAT h " T10 " FIELDS 1 f", "");
    expect(target, "HPERSIST h FIELDS 1 f", "");
    expect(target, "HGETEX h PX 10000 FIELDS 1 f", "");
    expect(target, "HSETEX h PXAT " T10 " FIELDS 1 f v", "HSET h f v");
    expect(target, "HDEL h f", "HDEL h f");
}

static void a_command_of_many_fields_keeps_them_all(void) {
    static char words[8000], want[8000], fields[4000];
    size_t len = 0;

    for (int i = 0; i < 200; i++)
        len += (size_t)snprintf(fields + len, sizeof(fields) - len, " f%d", i);
    snprintf(words, sizeof(words), "HPEXPIRE h 10000 FIELDS 200%s", fields);
    snprintf(want, sizeof(want), "HPEXPIREAT h " H10 " FIELDS 200%s", fields);
    expect(held(V86), words, want);
    snprintf(words, sizeof(words), "MSETEX 100%s EX 10", fields);
    snprintf(want, sizeof(want), "MSETEX 100%s PXAT " H10, fields);
    expect(held(V86), words, want);
    snprintf(words, sizeof(words), "HSETEX h EX 10 FIELDS 100%s", fields);
    snprintf(want, sizeof(want), "HSETEX h PXAT " H10 " FIELDS 100%s", fields);
    expect(held(V86), words, want);
}

static void another_database_gets_its_number_here(void) {
    static const char *const rows[][2] = {{"MOVE k 3", "MOVE k 12"},
                                          {"COPY a b DB 3", "COPY a b DB 12"},
                                          {"COPY a b REPLACE db 3", "COPY a b REPLACE db 12"}};

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct command_decision decision;
        struct err err = ERR_INIT;
        char got[200] = "";

        make_words(rows[i][0]);
        buf_clear(&out);
        CU_ASSERT_TRUE_FATAL(command_decide(&command, &decision, &err));
        CU_ASSERT_TRUE(command_rewrite_cross_db(&command, &decision, 12, &out, &err));
        read_back(got, sizeof(got), 1);
        CU_ASSERT_STRING_EQUAL(got, rows[i][1]);
    }
}

static void a_full_buffer_keeps_what_it_had(void) {
    struct buf small = BUF_INIT(40);
    struct command_target target = held(V60);
    struct command_decision decision;
    struct err err = ERR_INIT;
    uint32_t count;

    CU_ASSERT_TRUE_FATAL(buf_append(&small, STR_LIT("before"), &err));
    make_words("SETEX k 10 v"); /* the first of two commands would fit */
    CU_ASSERT_TRUE_FATAL(command_decide(&command, &decision, &err));
    CU_ASSERT_FALSE(command_rewrite(&command, &decision, &target, NOW, &small, &count, &err));
    CU_ASSERT_EQUAL(err.code, ERR_TOO_BIG);
    CU_ASSERT(str_equal(buf_str(&small), STR_LIT("before")));
    buf_done(&small);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(every_form_of_expiry_becomes_absolute_and_held),
    CUNIT_TEST(exact_times_stay_what_they_are),
    CUNIT_TEST(times_that_are_none_are_errors_and_never_wrap),
    CUNIT_TEST(malformed_commands_are_errors),
    CUNIT_TEST(held_and_true_times_never_overlap),
    CUNIT_TEST(an_older_server_is_told_in_its_own_words),
    CUNIT_TEST(what_goes_verbatim_is_what_rewriting_leaves_alone),
    CUNIT_TEST(what_an_older_server_cannot_hold_is_an_error),
    CUNIT_TEST(expiries_of_fields_are_dropped_by_decision_only),
    CUNIT_TEST(a_command_of_many_fields_keeps_them_all),
    CUNIT_TEST(another_database_gets_its_number_here),
    CUNIT_TEST(a_full_buffer_keeps_what_it_had),
};

CUNIT_MAIN("command_rewrite", tests)
