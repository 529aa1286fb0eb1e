/* Records of a snapshot as commands: which destination gets what. */
#include <stdio.h>
#include <stdlib.h>

#include "proto/rdb/rdb_payload.h"
#include "proto/resp/resp_command.h"
#include "services/flow/copy_encode.h"
#include "tests/support/cunit_run.h"
#include "tests/support/rdb_values.h"

enum { REDIS_4_0 = 40014, REDIS_6_0 = 60016, REDIS_7_0 = 70015, REDIS_8_0 = 80002 };
enum { REDIS_8_6 = 80603, VALKEY_8_1 = 80101, VALKEY_9_1 = 90102 };

static struct task_spec *spec;
static struct command_target target;
static struct copy_writing how;
static struct copy_encoder e;
static struct unit unit;
static struct buf text;
static struct err err;

static void begin(enum rdb_vendor vendor, uint32_t version, bool held) {
    spec = calloc(1, sizeof(*spec));
    snprintf(spec->job, sizeof(spec->job), "job_X");
    target = command_target(vendor == RDB_VALKEY,
                            (version / 10000) << 16 | (version / 100 % 100) << 8 | version % 100,
                            11, held);
    how = (struct copy_writing){
        .target = &target,
        .spec = spec,
        .destination = {.vendor = vendor, .version = version, .held = held},
        .bulk_max = 1 << 20,
        .piece_min = 1 << 20,
    };
    unit_init(&unit, 8 << 20);
    unit_clear(&unit, 0);
    text = BUF_INIT(1 << 20);
    err_clear(&err);
}

static void start(void) {
    copy_encoder_init(&e, &how);
    copy_encoder_set_source(&e, RDB_REDIS, NULL);
}

static void end(void) {
    copy_encoder_done(&e);
    unit_done(&unit);
    buf_done(&text);
    free(spec);
}

static struct rdb_event record(uint8_t type, const char *value, size_t len) {
    struct rdb_event ev = {.kind = RDB_EV_KEY};

    ev.key.type = type;
    ev.key.key = STR_LIT("\1k");
    ev.key.value = str_of(value, len);
    ev.key.expire_at_ms = ev.key.idle_seconds = ev.key.freq = -1;
    return ev;
}
#define RECORD(type, value) record((type), (value), sizeof(value) - 1)

static void put(const struct rdb_event *ev) {
    CU_ASSERT_TRUE_FATAL(copy_encoder_put(&e, ev, 0, &unit, &err));
    while (copy_encoder_in_pieces(&e))
        CU_ASSERT_TRUE_FATAL(copy_encoder_fill(&e, 1024, &unit, &err));
    CU_ASSERT_TRUE_FATAL(copy_encoder_flush(&e, &unit, &err));
}

/* A payload by its type, anything else as it is; scripts by their name alone. */
static void tell_word(struct str word, bool is_payload) {
    struct rdb_payload payload;

    if (is_payload && rdb_payload_parse(word, &payload, &err))
        CU_ASSERT_TRUE(buf_printf(&text, &err, " <%u>", payload.type))
    else
        CU_ASSERT_TRUE(buf_printf(&text, &err, " " STR_FMT, STR_ARG(str_first(word, 60))));
}

/* The unit's commands as lines; it must count as many as it holds. */
static const char *told(void) {
    struct buf all = BUF_INIT(8 << 20);
    struct resp_scan scan = RESP_SCAN_INIT;
    struct str rest;

    for (uint32_t i = 0; i < unit.piece_count; i++)
        CU_ASSERT_TRUE(buf_append(&all, unit_piece_str(&unit, i), &err));
    rest = buf_str(&all);
    buf_clear(&text);
    for (uint32_t i = 0; i < unit.commands; i++) {
        struct resp_command command;
        struct resp_command_args args;
        struct str word, verb = STR_EMPTY;

        CU_ASSERT_EQUAL_FATAL(resp_command_scan(&scan, rest, &command, &err), RESP_GOT);
        rest = str_skip(rest, command.raw.len);
        args = resp_command_args(&command);
        for (int n = 0; resp_command_args_next(&args, &word); n++) {
            if (n == 0)
                verb = word;
            if (n == 0)
                CU_ASSERT_TRUE(buf_printf(&text, &err, "%s" STR_FMT, i ? "|" : "", STR_ARG(word)))
            else if (!(str_equal(verb, STR_LIT("EVAL")) && n == 1))
                tell_word(word, str_equal(verb, STR_LIT("RESTORE")) && n == 3);
        }
    }
    CU_ASSERT_EQUAL(rest.len, 0);
    buf_done(&all);
    return text.ptr;
}

static void one_value_each_way(void) {
    const struct {
        const char *what;
        enum rdb_vendor vendor;
        uint32_t version;
        uint8_t type;
        struct str value;
        const char *expected;
    } rows[] = {
        {"a list as it is", RDB_REDIS, REDIS_7_0, 18, STR_LIT(RDB_LIST_18),
         "RESTORE k 0 <18> REPLACE"},
        {"a packed list for 6.0", RDB_REDIS, REDIS_6_0, 18, STR_LIT(RDB_LIST_18),
         "RESTORE k 0 <1> REPLACE"},
        {"a packed set for 7.0", RDB_REDIS, REDIS_7_0, 20, STR_LIT(RDB_SET_20),
         "RESTORE k 0 <2> REPLACE"},
        {"a sorted set for 6.0", RDB_REDIS, REDIS_6_0, 17, STR_LIT(RDB_ZSET_17),
         "RESTORE k 0 <5> REPLACE"},
        {"a hash for 6.0", RDB_REDIS, REDIS_6_0, 16, STR_LIT(RDB_HASH_16),
         "RESTORE k 0 <4> REPLACE"},
        {"expiring fields at home", RDB_REDIS, REDIS_8_0, 25, STR_LIT(RDB_HASH_25),
         "RESTORE k 0 <25> REPLACE"},
        {"expiring fields for Valkey 9", RDB_VALKEY, VALKEY_9_1, 25, STR_LIT(RDB_HASH_25),
         "RESTORE k 0 <22> REPLACE"},
        {"a stream at home", RDB_REDIS, REDIS_8_6, 26, STR_LIT(RDB_STREAM_26),
         "RESTORE k 0 <26> REPLACE"},
        {"a stream for 8.0", RDB_REDIS, REDIS_8_0, 26, STR_LIT(RDB_STREAM_26),
         "RESTORE k 0 <21> REPLACE"},
        {"a stream for 7.0", RDB_REDIS, REDIS_7_0, 26, STR_LIT(RDB_STREAM_26),
         "RESTORE k 0 <19> REPLACE"},
        {"a stream for 6.0", RDB_REDIS, REDIS_6_0, 26, STR_LIT(RDB_STREAM_26),
         "RESTORE k 0 <15> REPLACE"},
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct rdb_event ev = record(rows[i].type, rows[i].value.ptr, rows[i].value.len);
        const char *got;

        begin(rows[i].vendor, rows[i].version, false);
        start();
        put(&ev);
        got = told();
        if (strcmp(got, rows[i].expected) != 0)
            printf("%s: %s\n", rows[i].what, got);
        CU_ASSERT_STRING_EQUAL(got, rows[i].expected);
        end();
    }
}

static void expiries_are_held_while_a_job_tails(void) {
    struct rdb_event ev = RECORD(0, "\1v"), list = RECORD(18, RDB_LIST_18);
    struct rdb_event fields = RECORD(25, RDB_HASH_25);

    begin(RDB_REDIS, REDIS_8_0, true);
    start();
    ev.key.expire_at_ms = list.key.expire_at_ms = 2000000000000;
    put(&ev);
    put(&list);
    put(&fields);
    /* 2000000000000 + 2^42 */
    CU_ASSERT_STRING_EQUAL(told(), "SET k v PXAT 6398046511104|"
                                   "RESTORE k 6398046511104 <18> REPLACE ABSTTL|"
                                   "RESTORE k 0 <25> REPLACE");
    end();
}

static void older_servers_get_their_expiry_apart(void) {
    struct rdb_event short_one = RECORD(0, "\1v"),
                     list = RECORD(14, "\1\13\13\0\0\0\n\0\0\0\0\0\377");

    begin(RDB_REDIS, REDIS_4_0, false);
    start();
    short_one.key.expire_at_ms = list.key.expire_at_ms = 2000000000000;
    put(&short_one);
    put(&list);
    CU_ASSERT_STRING_EQUAL(told(), "RESTORE k 0 <0> REPLACE|PEXPIREAT k 2000000000000|"
                                   "RESTORE k 0 <14> REPLACE|PEXPIREAT k 2000000000000");
    end();
}

static void hints_go_where_they_are_of_use(void) {
    struct rdb_event idle = RECORD(18, RDB_LIST_18), freq = RECORD(0, "\1v");

    idle.key.idle_seconds = 77;
    freq.key.freq = 200;
    begin(RDB_REDIS, REDIS_7_0, false);
    how.keeps_idle = how.keeps_freq = true;
    start();
    put(&idle);
    put(&freq);
    CU_ASSERT_STRING_EQUAL(told(), "RESTORE k 0 <18> REPLACE IDLETIME 77|"
                                   "RESTORE k 0 <0> REPLACE FREQ 200");
    end();
    begin(RDB_REDIS, REDIS_7_0, false);
    start();
    put(&idle);
    put(&freq);
    CU_ASSERT_STRING_EQUAL(told(), "RESTORE k 0 <18> REPLACE|MSET k v");
    end();
}

static void a_large_value_is_renamed_when_it_is_whole(void) {
    struct rdb_event ev = RECORD(20, RDB_SET_20);

    begin(RDB_REDIS, REDIS_8_0, false);
    how.piece_min = 8;
    start();
    ev.key.expire_at_ms = 2000000000000;
    CU_ASSERT_TRUE(copy_encoder_put(&e, &ev, 3, &unit, &err));
    CU_ASSERT_TRUE(copy_encoder_in_pieces(&e));
    CU_ASSERT_EQUAL(e.pieces.temporary.database, 3);
    while (copy_encoder_in_pieces(&e))
        CU_ASSERT_TRUE_FATAL(copy_encoder_fill(&e, 1024, &unit, &err));
    CU_ASSERT_STRING_EQUAL(told(), "SELECT 3|UNLINK {25578}kf:tmp:job_X:0|"
                                   "SADD {25578}kf:tmp:job_X:0 a b 7 5000000000|"
                                   "EVAL 2 {25578}kf:tmp:job_X:0 k SCARD 4 2000000000000");
    end();
}

static void pieces_end_where_units_do(void) {
    char *value = malloc(400 * 8 + 8), *at = value;
    struct rdb_event ev;
    unsigned units = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(value);
    *at++ = '\x41';
    *at++ = '\x90'; /* 400 members */
    for (int i = 0; i < 400; i++)
        at += sprintf(at, "%c%06d", 6, i);
    ev = record(2, value, (size_t)(at - value));
    begin(RDB_REDIS, REDIS_8_0, false);
    how.piece_min = 8;
    start();
    CU_ASSERT_TRUE(copy_encoder_put(&e, &ev, 1, &unit, &err));
    while (copy_encoder_in_pieces(&e)) {
        CU_ASSERT_TRUE_FATAL(copy_encoder_fill(&e, 1000, &unit, &err));
        CU_ASSERT(unit.bytes < 2000);
        CU_ASSERT_TRUE(strncmp(told(), "SELECT 1|", 9) == 0);
        unit_clear(&unit, 0);
        units++;
    }
    CU_ASSERT(units > 4);
    end();
    free(value);
}

static void what_was_refused_once_goes_as_commands(void) {
    struct rdb_event ev = RECORD(16, RDB_HASH_16), string = RECORD(0, "\1v");

    begin(RDB_REDIS, REDIS_7_0, false);
    start();
    e.by_commands = true;
    put(&ev);
    put(&string);
    CU_ASSERT_PTR_NOT_NULL(strstr(told(), "|HSET {25578}kf:tmp:job_X:0 f v 1 2 n -5000000000"));
    CU_ASSERT_PTR_NOT_NULL(strstr(told(), " HLEN 3 0|MSET k v"));
    end();
}

static void what_no_one_can_hold_is_refused(void) {
    struct rdb_event module = RECORD(7, "\x81\0\0\0\0\0\0\4\0\0"),
                     stream = RECORD(15, RDB_STREAM_15);
    struct rdb_event fields = RECORD(25, RDB_HASH_25), unknown = RECORD(200, "\1v");
    struct rdb_event string = RECORD(0, "\4four");

    begin(RDB_REDIS, REDIS_6_0, false);
    start();
    CU_ASSERT_FALSE(copy_encoder_put(&e, &module, 0, &unit, &err));
    CU_ASSERT_EQUAL(err.code, ERR_DEST_RESTORE);
    err_clear(&err);
    CU_ASSERT_FALSE(copy_encoder_put(&e, &fields, 0, &unit, &err));
    CU_ASSERT_EQUAL(err.code, ERR_DEST_RESTORE);
    err_clear(&err);
    CU_ASSERT_FALSE(copy_encoder_put(&e, &unknown, 0, &unit, &err));
    CU_ASSERT_EQUAL(err.code, ERR_DEST_RESTORE);
    end();
    begin(RDB_REDIS, REDIS_4_0, false);
    start();
    CU_ASSERT_FALSE(copy_encoder_put(&e, &stream, 0, &unit, &err));
    CU_ASSERT_EQUAL(err.code, ERR_DEST_RESTORE);
    end();
    begin(RDB_REDIS, REDIS_7_0, false);
    how.bulk_max = 3;
    start();
    string.key.expire_at_ms = 2000000000000;
    CU_ASSERT_FALSE(copy_encoder_put(&e, &string, 0, &unit, &err));
    CU_ASSERT_EQUAL(err.code, ERR_TOO_BIG);
    end();
}

static void expiries_of_fields_are_lost_by_decision_only(void) {
    struct rdb_event ev = RECORD(25, RDB_HASH_25);

    begin(RDB_REDIS, REDIS_7_0, true);
    how.drops_field_expiry = true;
    start();
    put(&ev);
    CU_ASSERT_STRING_EQUAL(told(), "RESTORE k 0 <4> REPLACE");
    CU_ASSERT_EQUAL(e.field_expiries_dropped, 2);
    e.how.piece_min = 1;
    put(&ev);
    CU_ASSERT_EQUAL(e.field_expiries_dropped, 4);
    end();
}

static void no_key_is_made_of_nothing(void) {
    struct rdb_event ev = RECORD(20, "\7\7\0\0\0\0\0\377");

    begin(RDB_REDIS, REDIS_7_0, false);
    start();
    put(&ev);
    CU_ASSERT_STRING_EQUAL(told(), "DEL k");
    end();
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(one_value_each_way),
    CUNIT_TEST(expiries_are_held_while_a_job_tails),
    CUNIT_TEST(older_servers_get_their_expiry_apart),
    CUNIT_TEST(hints_go_where_they_are_of_use),
    CUNIT_TEST(a_large_value_is_renamed_when_it_is_whole),
    CUNIT_TEST(pieces_end_where_units_do),
    CUNIT_TEST(what_was_refused_once_goes_as_commands),
    CUNIT_TEST(what_no_one_can_hold_is_refused),
    CUNIT_TEST(expiries_of_fields_are_lost_by_decision_only),
    CUNIT_TEST(no_key_is_made_of_nothing),
};
CUNIT_MAIN("copy_encode", tests)
