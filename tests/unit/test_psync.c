/* The handshake, told by what a source answers. */
#include "proto/repl/psync.h"
#include "proto/repl/snapshot_header.h"
#include "tests/support/cunit_run.h"

#define ID "0123456789abcdef0123456789abcdef01234567"
#define ID2 "ffffffffffffffffffffffffffffffffffffffff"
#define PING "*1\r\n$4\r\nPING\r\n"
#define PORT "*3\r\n$8\r\nREPLCONF\r\n$14\r\nlistening-port\r\n$1\r\n0\r\n"
#define CAPA "*5\r\n$8\r\nREPLCONF\r\n$4\r\ncapa\r\n$3\r\neof\r\n$4\r\ncapa\r\n$6\r\npsync2\r\n"
#define PSYNC_NEW "*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n"

struct talk {
    struct psync ps;
    struct buf out;
    struct err err;
    enum psync_wants wants;
    size_t taken;
    bool ok;
};

static struct psync_options plain(void) {
    return (struct psync_options){.may_read_eof = true};
}

/* The source says `reply`, `step` bytes at a time; both flights of ours are in out. */
static struct talk talk(const struct psync_options *options, struct str reply, size_t step) {
    struct talk t = {.out = BUF_INIT(8192), .err = ERR_INIT, .ok = true};
    size_t used = 0;

    CU_ASSERT_TRUE_FATAL(psync_start(&t.ps, options, &t.out, &t.err));
    while (t.ok && t.taken < reply.len && t.wants == PSYNC_WANTS_REPLY) {
        t.ok = psync_feed(&t.ps, str_first(str_skip(reply, t.taken), step), &used, &t.out, &t.wants,
                          &t.err);
        t.taken += t.ok ? used : 0;
    }
    return t;
}

static void a_new_replica_gets_a_full_sync(void) {
    struct psync_options options = plain();
    struct str reply = STR_LIT("+PONG\r\n+OK\r\n+OK\r\n\n\n\n+FULLRESYNC " ID " 41\r\n$5\r\nREDIS");

    for (size_t step = 1; step <= reply.len; step++) {
        struct talk t = talk(&options, reply, step);

        CU_ASSERT_TRUE(t.ok);
        CU_ASSERT_EQUAL(t.wants, PSYNC_WANTS_SNAPSHOT);
        CU_ASSERT(str_equal(buf_str(&t.out), STR_LIT(PING PORT CAPA PSYNC_NEW)));
        CU_ASSERT_STRING_EQUAL(t.ps.position.replid, ID);
        CU_ASSERT_EQUAL(t.ps.position.next, 42); /* 41 bytes are in the snapshot */
        CU_ASSERT_EQUAL(t.ps.blank_lines, 3);
        CU_ASSERT(str_equal(str_skip(reply, t.taken), STR_LIT("$5\r\nREDIS")));
        buf_done(&t.out);
    }
}

static void psync_waits_until_every_reply_is_in(void) {
    struct psync_options options = plain();
    struct talk t = talk(&options, STR_LIT("+PONG\r\n+OK\r\n+OK\r"), 100);

    CU_ASSERT(str_equal(buf_str(&t.out), STR_LIT(PING PORT CAPA)));
    buf_done(&t.out);
}

static void a_known_position_is_asked_for_with_the_next_byte(void) {
    struct psync_options options = plain();
    struct talk t;

    CU_ASSERT_TRUE_FATAL(repl_position_parse(STR_LIT(ID ":1000"), &options.position));
    t = talk(&options, STR_LIT("+PONG\r\n+OK\r\n+OK\r\n+CONTINUE\r\n*1\r\n"), 100);
    CU_ASSERT_EQUAL(t.wants, PSYNC_WANTS_STREAM);
    CU_ASSERT(str_equal(buf_str(&t.out), STR_LIT(PING PORT CAPA "*3\r\n$5\r\nPSYNC\r\n$40\r\n" ID
                                                                "\r\n$4\r\n1000\r\n")));
    CU_ASSERT_STRING_EQUAL(t.ps.position.replid, ID);
    CU_ASSERT_EQUAL(t.ps.position.next, 1000);
    buf_done(&t.out);
}

static void after_a_failover_the_history_has_a_new_name(void) {
    struct psync_options options = plain();
    struct talk t;

    CU_ASSERT_TRUE_FATAL(repl_position_parse(STR_LIT(ID ":1000"), &options.position));
    t = talk(&options, STR_LIT("+PONG\r\n+OK\r\n+OK\r\n+CONTINUE " ID2 "\r\n"), 100);
    CU_ASSERT_EQUAL(t.wants, PSYNC_WANTS_STREAM);
    CU_ASSERT_STRING_EQUAL(t.ps.position.replid, ID2);
    CU_ASSERT_EQUAL(t.ps.position.next, 1000);
    buf_done(&t.out);
}

static void a_lost_position_is_told_by_another_one(void) {
    struct psync_options options = plain();
    struct talk t;

    CU_ASSERT_TRUE_FATAL(repl_position_parse(STR_LIT(ID ":1000"), &options.position));
    t = talk(&options, STR_LIT("+PONG\r\n+OK\r\n+OK\r\n+FULLRESYNC " ID2 " 7\r\n"), 100);
    CU_ASSERT_EQUAL(t.wants, PSYNC_WANTS_SNAPSHOT);
    CU_ASSERT_STRING_EQUAL(t.ps.position.replid, ID2);
    buf_done(&t.out);
}

static void options_that_a_server_does_not_know_do_not_matter(void) {
    struct psync_options options = plain();
    struct talk t;

    options.valkey_version = options.rdb_only = true;
    t = talk(&options,
             STR_LIT("+PONG\r\n-ERR x\r\n-ERR Unrecognized REPLCONF option: capa\r\n"
                     "-ERR Unrecognized REPLCONF option: version\r\n+OK\r\n+FULLRESYNC " ID
                     " 0\r\n"),
             3);
    CU_ASSERT_EQUAL(t.wants, PSYNC_WANTS_SNAPSHOT);
    CU_ASSERT_FALSE(t.ps.version_taken);
    CU_ASSERT_TRUE(t.ps.rdb_only);
    CU_ASSERT_EQUAL(t.ps.position.next, 1);
    buf_done(&t.out);
}

static void the_login_stands_behind_the_ping_and_is_not_kept(void) {
    struct psync_options options = plain();
    struct talk t;

    options.auth = true;
    options.username = STR_LIT("user");
    options.password = STR_LIT("s3cr\r\n");
    t = talk(&options,
             STR_LIT("-NOAUTH Authentication required.\r\n+OK\r\n+OK\r\n+OK\r\n+FULLRESYNC " ID
                     " 1\r\n"),
             100);
    CU_ASSERT_EQUAL(t.wants, PSYNC_WANTS_SNAPSHOT);
    CU_ASSERT(
        str_starts_with(buf_str(&t.out),
                        STR_LIT(PING "*3\r\n$4\r\nAUTH\r\n$4\r\nuser\r\n$6\r\ns3cr\r\n\r\n" PORT)));
    CU_ASSERT_PTR_NULL(memmem(&t.ps, sizeof(t.ps), "s3cr", 4));
    buf_done(&t.out);
    /* A server that knows no users takes both as one word. */
    options.auth_joined = true;
    t = talk(&options, STR_EMPTY, 1);
    CU_ASSERT(str_starts_with(buf_str(&t.out),
                              STR_LIT(PING "*2\r\n$4\r\nAUTH\r\n$11\r\nuser:s3cr\r\n\r\n" PORT)));
    buf_done(&t.out);
}

static void expect_refusal(bool auth, const char *reply, enum err_code code) {
    struct psync_options options = plain();
    struct talk t;

    options.auth = auth;
    options.password = STR_LIT("pw");
    t = talk(&options, str_from(reply), 1);
    CU_ASSERT_FALSE(t.ok);
    CU_ASSERT_EQUAL(t.err.code, code);
    buf_done(&t.out);
}

static void refusals_have_their_codes(void) {
    expect_refusal(false, "-NOAUTH Authentication required.\r\n", ERR_SOURCE_AUTH);
    expect_refusal(false, "-DENIED Redis is running in protected mode\r\n", ERR_SOURCE_AUTH);
    expect_refusal(true, "+PONG\r\n-WRONGPASS invalid\r\n", ERR_SOURCE_AUTH);
    expect_refusal(true, "+PONG\r\n-ERR wrong number of arguments for 'auth'\r\n", ERR_SOURCE_AUTH);
    expect_refusal(false, "-LOADING Redis is loading\r\n", ERR_SOURCE_BUSY);
    expect_refusal(false, "-ERR max number of clients reached\r\n", ERR_SOURCE_BUSY);
    expect_refusal(false, "+PONG\r\n-NOPERM no replconf\r\n", ERR_SOURCE_NOPERM);
    expect_refusal(false, "+PONG\r\n+OK\r\n+OK\r\n-NOPERM no psync\r\n", ERR_SOURCE_NOPERM);
    expect_refusal(false, "+PONG\r\n+OK\r\n+OK\r\n-ERR unknown command 'PSYNC'\r\n",
                   ERR_SOURCE_NOPERM);
    expect_refusal(false, "+PONG\r\n+OK\r\n+OK\r\n-NOMASTERLINK Can't SYNC\r\n", ERR_SOURCE_BUSY);
    expect_refusal(false, "+PONG\r\n+OK\r\n+OK\r\n-MASTERDOWN Link\r\n", ERR_SOURCE_BUSY);
    expect_refusal(false, "+PONG\r\n+OK\r\n+OK\r\n-BUSY script\r\n", ERR_SOURCE_BUSY);
}

static void what_no_source_answers_is_wrong(void) {
    static char endless[PSYNC_LINE_MAX + 2];

    expect_refusal(false, "PONG\r\n", ERR_PROTOCOL);
    expect_refusal(false, "$4\r\nPONG\r\n", ERR_PROTOCOL);
    expect_refusal(false, "+PONG\r\n+OK\r\n+OK\r\n+CONTINUE\r\n", ERR_PROTOCOL);
    expect_refusal(false, "+PONG\r\n+OK\r\n+OK\r\n+FULLRESYNC abc 1\r\n", ERR_PROTOCOL);
    expect_refusal(false, "+PONG\r\n+OK\r\n+OK\r\n+FULLRESYNC " ID "\r\n", ERR_PROTOCOL);
    expect_refusal(false, "+PONG\r\n+OK\r\n+OK\r\n+FULLRESYNC " ID " -1\r\n", ERR_PROTOCOL);
    expect_refusal(false, "+PONG\r\n+OK\r\n+OK\r\n+RDBCHANNELSYNC 7\r\n", ERR_PROTOCOL);
    expect_refusal(false, "+PONG\r\n+OK\r\n+OK\r\n+CONTINUED\r\n", ERR_PROTOCOL);
    memset(endless, 'x', sizeof(endless) - 1);
    expect_refusal(false, endless, ERR_TOO_BIG);
}

static bool header(struct str in, size_t step, struct snapshot_header *h, size_t *ret_taken,
                   struct err *err) {
    bool done = false;
    size_t used = 0;

    *h = SNAPSHOT_HEADER_INIT;
    *ret_taken = 0;
    while (!done && *ret_taken < in.len) {
        if (!snapshot_header_feed(h, str_first(str_skip(in, *ret_taken), step), &used, &done, err))
            return false;
        *ret_taken += used;
    }
    return done;
}

static void a_snapshot_says_how_it_ends(void) {
    struct str with_length = STR_LIT("\n\n$1048576\r\nREDIS");
    struct str with_mark = STR_LIT("\n$EOF:" ID "\r\nREDIS");

    for (size_t step = 1; step < 60; step++) {
        struct snapshot_header h;
        struct err err = ERR_INIT;
        size_t taken;

        CU_ASSERT_TRUE(header(with_length, step, &h, &taken, &err));
        CU_ASSERT(h.has_length && h.length == 1048576 && h.blank_lines == 2);
        CU_ASSERT(str_equal(str_skip(with_length, taken), STR_LIT("REDIS")));
        CU_ASSERT_TRUE(header(with_mark, step, &h, &taken, &err));
        CU_ASSERT(!h.has_length && memcmp(h.mark, ID, 40) == 0);
        CU_ASSERT(str_equal(str_skip(with_mark, taken), STR_LIT("REDIS")));
    }
}

static void expect_no_header(const char *bytes, enum err_code code) {
    struct snapshot_header h;
    struct err err = ERR_INIT;
    size_t taken;

    CU_ASSERT_FALSE(header(str_from(bytes), 5, &h, &taken, &err));
    CU_ASSERT_EQUAL(err.code, code);
}

static void a_snapshot_that_fails_is_worth_another_try(void) {
    expect_no_header("-BGSAVE failed, replication can't continue\r\n", ERR_SOURCE_BUSY);
    expect_no_header("-ERR something\r\n", ERR_SOURCE_BUSY);
    expect_no_header("$EOF:tooshort\r\n", ERR_PROTOCOL);
    expect_no_header("$-1\r\n", ERR_PROTOCOL);
    expect_no_header("*1\r\n", ERR_PROTOCOL);
}

static void an_acknowledgement_is_a_command(void) {
    struct buf out = BUF_INIT(100);
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(psync_put_ack(&out, 12345, &err));
    CU_ASSERT(
        str_equal(buf_str(&out), STR_LIT("*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$5\r\n12345\r\n")));
    buf_done(&out);
}

static void a_position_is_a_text_and_back(void) {
    struct repl_position p = {.next = 7}, q;
    char text[REPL_POSITION_TEXT_MAX];

    CU_ASSERT_FALSE(repl_position_known(&p));
    CU_ASSERT_FALSE(repl_position_parse(STR_LIT(ID), &p));
    CU_ASSERT_FALSE(repl_position_parse(STR_LIT(ID ":"), &p));
    CU_ASSERT_FALSE(repl_position_parse(STR_LIT(ID ":-1"), &p));
    CU_ASSERT_FALSE(repl_position_parse(STR_LIT(ID ":9223372036854775808"), &p));
    CU_ASSERT_FALSE(repl_position_parse(STR_LIT("zz23456789abcdef0123456789abcdef01234567:1"), &p));
    CU_ASSERT_EQUAL(p.next, 7);
    CU_ASSERT_TRUE(repl_position_parse(STR_LIT(ID ":9223372036854775807"), &p));
    CU_ASSERT_EQUAL(repl_position_format(&p, text), 60);
    CU_ASSERT_STRING_EQUAL(text, ID ":9223372036854775807");
    CU_ASSERT_TRUE(repl_position_parse(STR_LIT("0123456789ABCDEF0123456789abcdef01234567:1"), &q));
    CU_ASSERT_TRUE(repl_position_same_history(&p, &q));
    CU_ASSERT_FALSE(repl_position_equal(&p, &q));
}

static struct psync_options by_sync(void) {
    struct psync_options options = {.sync = true, .rdb_only = true, .valkey_version = true};

    CU_ASSERT_TRUE(repl_position_set_id(&options.position, STR_LIT(ID)));
    options.position.next = 77;
    return options;
}

static void without_psync_a_snapshot_is_the_answer_to_sync(void) {
    struct psync_options options = by_sync();
    struct str reply = STR_LIT("+PONG\r\n\n\n$4\r\nREDI");

    for (size_t step = 1; step <= reply.len; step++) {
        struct talk t = talk(&options, reply, step);

        CU_ASSERT_EQUAL(t.wants, PSYNC_WANTS_SNAPSHOT);
        CU_ASSERT(str_equal(str_skip(reply, t.taken), STR_LIT("$4\r\nREDI")));
        /* The history has the name that its owner chose. */
        CU_ASSERT_STRING_EQUAL(t.ps.position.replid, ID);
        CU_ASSERT_EQUAL(t.ps.position.next, 77);
        CU_ASSERT(str_equal(buf_str(&t.out), STR_LIT(PING "*1\r\n$4\r\nSYNC\r\n")));
        buf_done(&t.out);
    }
}

static void a_refused_sync_has_its_code(void) {
    static const struct {
        const char *reply;
        enum err_code code;
    } rows[] = {
        {"+PONG\r\n-ERR unknown command 'SYNC'\r\n", ERR_SOURCE_NOPERM},
        {"+PONG\r\n-LOADING Redis is loading\r\n", ERR_SOURCE_BUSY},
        {"+PONG\r\n-ERR Unable to perform background save\r\n", ERR_SOURCE_BUSY},
        {"+PONG\r\n+FULLRESYNC " ID " 1\r\n", ERR_PROTOCOL},
        {"-ERR operation not permitted\r\n", ERR_SOURCE_AUTH},
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct psync_options options = by_sync();
        struct talk t = talk(&options, str_from(rows[i].reply), 3);

        CU_ASSERT_FALSE(t.ok);
        CU_ASSERT_EQUAL(t.err.code, rows[i].code);
        buf_done(&t.out);
    }
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(without_psync_a_snapshot_is_the_answer_to_sync),
    CUNIT_TEST(a_refused_sync_has_its_code),
    CUNIT_TEST(a_new_replica_gets_a_full_sync),
    CUNIT_TEST(psync_waits_until_every_reply_is_in),
    CUNIT_TEST(a_known_position_is_asked_for_with_the_next_byte),
    CUNIT_TEST(after_a_failover_the_history_has_a_new_name),
    CUNIT_TEST(a_lost_position_is_told_by_another_one),
    CUNIT_TEST(options_that_a_server_does_not_know_do_not_matter),
    CUNIT_TEST(the_login_stands_behind_the_ping_and_is_not_kept),
    CUNIT_TEST(refusals_have_their_codes),
    CUNIT_TEST(what_no_source_answers_is_wrong),
    CUNIT_TEST(a_snapshot_says_how_it_ends),
    CUNIT_TEST(a_snapshot_that_fails_is_worth_another_try),
    CUNIT_TEST(an_acknowledgement_is_a_command),
    CUNIT_TEST(a_position_is_a_text_and_back),
};

CUNIT_MAIN("psync", tests)
