/* From the source's stream to units: whole source units, the right database, the
 * right position, nothing of ours. */
#include "tests/support/stream_story.h"

#define REFUSES(commands, error)                                                                   \
    do {                                                                                           \
        begin();                                                                                   \
        CU_ASSERT_FALSE(take(stream_of(commands)));                                                \
        CU_ASSERT_EQUAL(err.code, error);                                                          \
        end();                                                                                     \
    } while (0)

static void data_passes_as_it_came(void) {
    TAKES("SET a 1|INCR b|rpush c x y", "SET a 1|INCR b|rpush c x y");
}

static void select_is_followed_not_copied(void) {
    TAKES("SELECT 3|SET a 1|SET b 2|SELECT 0|SET c 3", "SELECT 3|SET a 1|SET b 2|SELECT 0|SET c 3");
    TAKES("SELECT 3|SELECT 3|SET a 1", "SELECT 3|SET a 1");
    TAKES("SELECT 5|PING", "");
}

static void a_select_inside_a_transaction_counts_outside_too(void) {
    TAKES("MULTI|SELECT 4|SET a 1|EXEC|SET b 2", "SELECT 4|SET a 1|SET b 2");
}

static void expiries_are_held(void) {
    TAKES("SET a 1 PXAT 1700000000000", "SET a 1 PXAT 6098046511104");
    TAKES("PEXPIREAT a 1700000000000", "PEXPIREAT a 6098046511104");
}

static void pings_move_the_position_only(void) {
    struct str bytes = stream_of("PING|PING");

    begin();
    CU_ASSERT_TRUE(take(bytes));
    CU_ASSERT_EQUAL(out.unit.commands, 0);
    CU_ASSERT_EQUAL(out.next, 1 + bytes.len);
    end();
}

static void keys_of_ours_are_no_data(void) {
    TAKES("SET {kf}:job_Y:0 1|SET a 1|SET BEATother 1|DEL {kf}:x BEATy", "SET a 1");
    /* The key of XGROUP is its third word. */
    TAKES("XGROUP CREATE {kf}:job_Y:0 g 0|XGROUP CREATE s {kf}:g 0", "XGROUP CREATE s {kf}:g 0");
}

static void a_users_key_beside_one_of_ours_is_not_dropped(void) {
    TAKES("DEL a {kf}:x", "DEL a");
    TAKES("MSET BEATx 1 a 2", "MSET a 2");
    REFUSES("SUNIONSTORE a {kf}:x b", ERR_SELECTION_CROSSED);
}

/* A source before 7.0 sends what is left to live: counted from when that very command
 * came in, whatever lies before it in the unit. */
static void relative_expiries_count_from_their_own_receipt(void) {
    struct str bytes = stream_of("SET x 1|PEXPIRE a 1000");
    char expected[64];

    begin();
    a->target.held = false;
    CU_ASSERT_TRUE(take(bytes));
    snprintf(expected, sizeof(expected), "SET x 1|PEXPIREAT a %" PRIu64,
             1700000000000 + 1 + (uint64_t)bytes.len + 1000);
    CU_ASSERT_STRING_EQUAL(shown(), expected);
    end();
}

/* Not from when something behind its transaction came in, however long the command is. */
static void in_a_transaction_they_count_from_their_own_receipt_too(void) {
    struct str before = stream_of("MULTI|SETEX a 1000 abcdefghijklmnopqrstuvwxyz");
    uint64_t offset = 1 + (uint64_t)before.len;
    char expected[128];

    begin();
    a->target.held = false;
    CU_ASSERT_TRUE(
        take(stream_of("MULTI|SETEX a 1000 abcdefghijklmnopqrstuvwxyz|EXEC|PING|PING|PING|PING")));
    snprintf(expected, sizeof(expected), "SET a abcdefghijklmnopqrstuvwxyz PXAT %" PRIu64,
             1700000000000 + offset + 1000000);
    CU_ASSERT_STRING_EQUAL(shown(), expected);
    end();
}

static void our_heartbeat_is_noticed(void) {
    begin();
    CU_ASSERT_TRUE(take(stream_of("SET BEAT:job_X:0 1700000000000.250 PXAT 1700000010000")));
    CU_ASSERT_EQUAL(out.unit.commands, 0);
    CU_ASSERT_DOUBLE_EQUAL(out.heartbeat_ms, 1700000000000.25, 0.001);
    end();
}

/* Whatever has arrived, a unit ends where the source's unit ends. */
static void cut_anywhere_the_same_units_come_out(void) {
    struct str bytes = stream_of(
        "SELECT 2|SET a 1|MULTI|INCR b|SELECT 1|INCR c|EXEC|PING|SET d 4 PXAT 1700000000000");
    char whole[1024];

    begin();
    CU_ASSERT_TRUE(take(bytes));
    snprintf(whole, sizeof(whole), "%s", shown());
    end();
    for (size_t cut = 0; cut <= bytes.len; cut++) {
        uint64_t boundary;

        begin();
        CU_ASSERT_TRUE(take(str_first(bytes, cut)));
        boundary = s.start;
        CU_ASSERT(out.next == 0 || out.next == boundary);
        CU_ASSERT_TRUE(take(str_skip(bytes, (size_t)(boundary - 1))));
        CU_ASSERT_STRING_EQUAL(shown(), whole);
        CU_ASSERT_EQUAL(out.source_db, 1);
        end();
    }
}

static void half_a_transaction_is_nothing(void) {
    struct str bytes = stream_of("SET a 1|MULTI|INCR b|INCR c");

    begin();
    CU_ASSERT_TRUE(take(bytes));
    CU_ASSERT_STRING_EQUAL(shown(), "SET a 1");
    CU_ASSERT_EQUAL(out.next, 1 + stream_of("SET a 1").len);
    end();
}

static void a_transaction_beyond_its_bound_is_named(void) {
    struct str bytes = stream_of("MULTI|INCR b|INCR c|EXEC");

    for (size_t most = bytes.len - 20; most <= bytes.len; most += 20) {
        begin();
        a->spec.transaction_bytes = most;
        CU_ASSERT_EQUAL(take(bytes), most == bytes.len);
        CU_ASSERT_EQUAL(err.code, most == bytes.len ? ERR_NONE : ERR_UNIT_TOO_LARGE);
        end();
    }
}

static void a_flush_is_a_unit_of_its_own(void) {
    struct str bytes = stream_of("SET a 1|FLUSHALL|SET b 2");

    begin();
    CU_ASSERT_TRUE(take(bytes));
    CU_ASSERT_STRING_EQUAL(shown(), "SET a 1");
    CU_ASSERT_FALSE(out.alone);
    bytes = str_skip(bytes, (size_t)(s.start - 1));
    stream_unit_clear(&out, a);
    CU_ASSERT_TRUE(take(bytes));
    CU_ASSERT_STRING_EQUAL(shown_short(), "KEEP 1 FLUSHALL 0 {kf}:job_X:0");
    CU_ASSERT_TRUE(out.alone);
    end();
}

/* It is never missing, so the unit has the error seal of any other. */
static void our_position_outlives_a_flush(void) {
    TAKES("FLUSHALL ASYNC", "KEEP 2 FLUSHALL ASYNC 0 {kf}:job_X:0");
    TAKES("FLUSHDB", "KEEP 1 FLUSHDB 0 {kf}:job_X:0");
    TAKES("SELECT 3|FLUSHDB ASYNC", "SELECT 3|FLUSHDB ASYNC");
    begin();
    a->target = command_target(false, 3 << 16 | 2 << 8, 7, true);
    CU_ASSERT_TRUE(take(stream_of("SELECT 3|FLUSHDB ASYNC")));
    CU_ASSERT_STRING_EQUAL(shown(), "SELECT 3|FLUSHDB");
    end();
}

static void a_transaction_that_flushes_is_alone_too(void) {
    begin();
    CU_ASSERT_TRUE(take(stream_of("MULTI|SET a 1|FLUSHDB|SET b 2|EXEC|SET c 3")));
    CU_ASSERT_STRING_EQUAL(shown_short(), "SET a 1|KEEP 1 FLUSHDB 0 {kf}:job_X:0|SET b 2");
    CU_ASSERT_TRUE(out.alone);
    end();
}

static void a_swap_puts_our_key_back(void) {
    TAKES("SWAPDB 0 3", "KEEP 3 SWAPDB 0 3 0 {kf}:job_X:0");
    TAKES("SWAPDB 3 0", "KEEP 3 SWAPDB 3 0 0 {kf}:job_X:0");
    TAKES("SWAPDB 0 0", "SWAPDB 0 0");
    TAKES("SWAPDB 2 3", "SWAPDB 2 3");
}

static void only_mapped_databases_are_written(void) {
    begin();
    map_databases("1:5");
    CU_ASSERT_TRUE(take(stream_of("SET a 1|SELECT 1|SET b 2|SELECT 2|FLUSHDB|SET c 3|EVAL s 0")));
    CU_ASSERT_STRING_EQUAL(shown(), "SET b 2");
    stream_unit_clear(&out, a);
    end();
}

/* It would be sent only when an empty unit is due, and hold up all that stands behind it. */
static void a_flush_of_a_database_that_is_not_mapped_ends_no_unit(void) {
    static const char *const foreign[] = {"SELECT 2|FLUSHDB|SELECT 1|SET b 2",
                                          "MULTI|SELECT 2|FLUSHDB|EXEC|SELECT 1|SET b 2",
                                          "SWAPDB 2 3|SELECT 1|SET b 2"};

    for (size_t i = 0; i < LENGTH_OF(foreign); i++) {
        struct str bytes = stream_of(foreign[i]);

        begin();
        map_databases("1:5");
        CU_ASSERT_TRUE(take(bytes));
        CU_ASSERT_STRING_EQUAL(shown(), "SET b 2");
        CU_ASSERT_FALSE(out.alone);
        CU_ASSERT_EQUAL(out.next, 1 + bytes.len);
        end();
    }
}

static void a_flush_of_everything_spares_what_is_not_mapped(void) {
    begin();
    map_databases("1:5 2:6");
    CU_ASSERT_TRUE(take(stream_of("FLUSHALL")));
    CU_ASSERT_STRING_EQUAL(shown_short(), "KEEP 1 FLUSHDB 5 {kf}:job_X:0|SELECT 6|FLUSHDB");
    CU_ASSERT_TRUE(out.alone);
    end();
}

static void what_cannot_be_exact_stops(void) {
    REFUSES("SELECT 16|SET a 1", ERR_DEST_DB_RANGE);
    REFUSES("NOSUCHCOMMAND a", ERR_UNKNOWN_COMMAND);
    REFUSES("CONFIG SET dir x", ERR_COMMAND_REFUSED);
    REFUSES("EXEC", ERR_PROTOCOL);
    REFUSES("MULTI|MULTI", ERR_PROTOCOL);
}

static void a_full_unit_waits_with_the_rest(void) {
    char *bytes = malloc(40 * (STREAM_UNIT_COMMANDS + 10));
    size_t len = 0;

    for (int i = 0; i < STREAM_UNIT_COMMANDS + 10; i++)
        len += (size_t)sprintf(bytes + len, "*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n");
    begin();
    CU_ASSERT_TRUE(take(str_of(bytes, len)));
    CU_ASSERT_EQUAL(out.unit.commands, STREAM_UNIT_COMMANDS);
    CU_ASSERT_TRUE(stream_units_full(&s, &out));
    CU_ASSERT_EQUAL(out.unit.piece_count, 1); /* one borrowed run, nothing copied */
    CU_ASSERT_EQUAL(out.unit.own.len, 0);
    end();
    free(bytes);
}

static void a_unit_under_a_limit_of_bytes_ends_there(void) {
    size_t one = stream_of("SET a 0123456789").len;
    struct str bytes = stream_of("SET a 0123456789|SET b 0123456789|SET c 0123456789");

    begin();
    s.bytes_max = one + 1;
    CU_ASSERT_TRUE(take(bytes));
    CU_ASSERT_EQUAL(out.next, 1 + 2 * one); /* the one that passes the limit is not split */
    CU_ASSERT_TRUE(stream_units_full(&s, &out));
    end();
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(data_passes_as_it_came),
    CUNIT_TEST(select_is_followed_not_copied),
    CUNIT_TEST(a_select_inside_a_transaction_counts_outside_too),
    CUNIT_TEST(expiries_are_held),
    CUNIT_TEST(pings_move_the_position_only),
    CUNIT_TEST(keys_of_ours_are_no_data),
    CUNIT_TEST(a_users_key_beside_one_of_ours_is_not_dropped),
    CUNIT_TEST(relative_expiries_count_from_their_own_receipt),
    CUNIT_TEST(in_a_transaction_they_count_from_their_own_receipt_too),
    CUNIT_TEST(our_heartbeat_is_noticed),
    CUNIT_TEST(cut_anywhere_the_same_units_come_out),
    CUNIT_TEST(half_a_transaction_is_nothing),
    CUNIT_TEST(a_transaction_beyond_its_bound_is_named),
    CUNIT_TEST(a_flush_is_a_unit_of_its_own),
    CUNIT_TEST(a_transaction_that_flushes_is_alone_too),
    CUNIT_TEST(our_position_outlives_a_flush),
    CUNIT_TEST(a_swap_puts_our_key_back),
    CUNIT_TEST(only_mapped_databases_are_written),
    CUNIT_TEST(a_flush_of_a_database_that_is_not_mapped_ends_no_unit),
    CUNIT_TEST(a_flush_of_everything_spares_what_is_not_mapped),
    CUNIT_TEST(what_cannot_be_exact_stops),
    CUNIT_TEST(a_full_unit_waits_with_the_rest),
    CUNIT_TEST(a_unit_under_a_limit_of_bytes_ends_there),
};
CUNIT_MAIN("stream_units", tests)
