#include <stdlib.h>

#include "proto/command/held_expiry.h"
#include "proto/rdb/rdb_commands.h"
#include "proto/resp/resp_command.h"
#include "tests/support/cunit_run.h"
#include "tests/support/rdb_values.h"

#define BYTES(literal)                                                                             \
    { .ptr = (literal), .len = sizeof(literal) - 1 }

enum { REDIS_6_0 = 60016, REDIS_7_0 = 70015, REDIS_8_0 = 80002 };

struct run {
    enum rdb_vendor from;
    struct rdb_destination dest;
    enum rdb_field_expiry fields;
    bool drop;
    size_t limit;
    uint64_t elements, losses; /* outputs */
};

/* Append each command of `bytes` as a line of words; `count` must be how many there are. */
static void tell(struct str bytes, uint32_t count, struct buf *text) {
    struct resp_scan scan = RESP_SCAN_INIT;
    struct err err = ERR_INIT;

    for (uint32_t i = 0; i < count; i++) {
        struct resp_command command;
        struct resp_command_args args;
        struct str arg;
        const char *gap = "";

        CU_ASSERT_EQUAL_FATAL(resp_command_scan(&scan, bytes, &command, &err), RESP_GOT);
        bytes = str_skip(bytes, command.raw.len);
        args = resp_command_args(&command);
        while (resp_command_args_next(&args, &arg)) {
            CU_ASSERT_TRUE(buf_printf(text, &err, "%s" STR_FMT, gap, STR_ARG(arg)));
            gap = " ";
        }
        CU_ASSERT_TRUE(buf_append(text, STR_LIT("\n"), &err));
    }
    CU_ASSERT_EQUAL(bytes.len, 0);
}

/* All commands of a value, in pieces of `limit`. The value is a copy of exactly its size,
 * so that a sanitizer sees a read past it. */
static enum err_code run(struct run *r, uint8_t type, struct str value, struct buf *text) {
    char *copy = malloc(value.len ? value.len : 1);
    struct buf out = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    struct rdb_commands c;
    uint32_t count;
    bool ok;

    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    memcpy(copy, value.ptr, value.len);
    rdb_commands_init(&c, 1 << 20);
    c.vendor = r->from;
    c.dest = r->dest;
    c.fields = r->fields;
    c.drop_field_expiry = r->drop;
    buf_clear(text);
    ok = rdb_commands_open(&c, type, STR_LIT("k"), str_of(copy, value.len), &err);
    while (ok && !c.done) {
        buf_clear(&out);
        ok = rdb_commands_fill(&c, r->limit ? r->limit : 4096, &out, &count, &err);
        CU_ASSERT(c.done || !ok || count > 0);
        if (ok)
            tell(buf_str(&out), count, text);
    }
    r->elements = c.elements;
    r->losses = c.losses;
    rdb_commands_done(&c);
    buf_done(&out);
    free(copy);
    return err.code;
}

static const struct story {
    uint8_t type;
    enum rdb_vendor from, to;
    uint32_t version;
    struct str value;
    const char *commands;
} stories[] = {
    {0, RDB_REDIS, RDB_REDIS, REDIS_7_0, BYTES("\5hello"), "SET k hello\n"},
    {0, RDB_REDIS, RDB_REDIS, REDIS_7_0, BYTES("\301\71\60"), "SET k 12345\n"},
    {0, RDB_REDIS, RDB_REDIS, REDIS_7_0, BYTES("\0"), "SET k \n"},
    {18, RDB_REDIS, RDB_REDIS, REDIS_7_0, BYTES(RDB_LIST_18),
     "RPUSH k a -1 300 70000 5000000000 bytes\n"},
    {20, RDB_REDIS, RDB_REDIS, REDIS_7_0, BYTES(RDB_SET_20), "SADD k a b 7 5000000000\n"},
    {17, RDB_REDIS, RDB_REDIS, REDIS_7_0, BYTES(RDB_ZSET_17), "ZADD k -inf a 1 b 2.5 7 +inf c\n"},
    {16, RDB_REDIS, RDB_REDIS, REDIS_7_0, BYTES(RDB_HASH_16), "HSET k f v 1 2 n -5000000000\n"},
    {16, RDB_REDIS, RDB_REDIS, 30200, BYTES(RDB_HASH_16), "HMSET k f v 1 2 n -5000000000\n"},
    {25, RDB_REDIS, RDB_REDIS, REDIS_8_0, BYTES(RDB_HASH_25),
     "HSET k c 3\nHPEXPIREAT k 2199023255552 FIELDS 1 c\n"
     "HSET k a 1\nHPEXPIREAT k 2199023255557 FIELDS 1 a\n"
     "HSET k b two\n"},
    {22, RDB_VALKEY, RDB_VALKEY, 90102, BYTES(RDB_HASH_VALKEY_22),
     "HSET k a 1\nHPEXPIREAT k 2199023255557 FIELDS 1 a\n"
     "HSET k b two\n"
     "HSET k c 3\nHPEXPIREAT k 2199023255552 FIELDS 1 c\n"},
    {26, RDB_REDIS, RDB_REDIS, REDIS_7_0, BYTES(RDB_STREAM_26),
     "XADD k 1-1 f v g w\nXADD k 2-1 kf gone\nXADD k 3-1 h z\nXADD k 4-0 h z\n"
     "XSETID k 4-0 ENTRIESADDED 4 MAXDELETEDID 2-1\n"
     "XGROUP CREATE k e 3-1 ENTRIESREAD -1\n"
     "XGROUP CREATE k g 1-1 ENTRIESREAD 1\n"
     "XCLAIM k g c 0 2-1 TIME 1600000000000 RETRYCOUNT 3 FORCE JUSTID\n"
     "XCLAIM k g d 0 3-1 TIME 1600000000001 RETRYCOUNT 1 FORCE JUSTID\n"
     "XTRIM k MAXLEN 4\nXDEL k 2-1\n"
     "XSETID k 4-0 ENTRIESADDED 4 MAXDELETEDID 2-1\n"},
    {15, RDB_REDIS, RDB_REDIS, REDIS_6_0, BYTES(RDB_STREAM_15),
     "XADD k 1-1 f v g w\nXADD k 2-1 kf gone\nXADD k 3-1 h z\nXADD k 4-0 h z\n"
     "XSETID k 4-0\n"
     "XGROUP CREATE k e 3-1\nXGROUP CREATE k g 1-1\n"
     "XCLAIM k g c 0 2-1 TIME 1600000000000 RETRYCOUNT 3 FORCE JUSTID\n"
     "XCLAIM k g d 0 3-1 TIME 1600000000001 RETRYCOUNT 1 FORCE JUSTID\n"
     "XTRIM k MAXLEN 4\nXDEL k 2-1\nXSETID k 4-0\n"},
    /* Empty; a group with a consumer that has nothing pending. */
    {15, RDB_REDIS, RDB_REDIS, REDIS_7_0, BYTES("\0\0\5\5\1\1g\5\5\0\1\1c" RDB_SEEN "\0"),
     "XGROUP CREATE k kf 0 MKSTREAM\nXGROUP DESTROY k kf\n"
     "XSETID k 5-5 ENTRIESADDED 0 MAXDELETEDID 0-0\n"
     "XGROUP CREATE k g 5-5\nXGROUP CREATECONSUMER k g c\n"},
    {15, RDB_REDIS, RDB_REDIS, REDIS_6_0, BYTES("\0\0\0\0\1\1g\0\0\0\1\1c" RDB_SEEN "\0"),
     "XGROUP CREATE k kf 0 MKSTREAM\nXGROUP DESTROY k kf\n"
     "XGROUP CREATE k g 0-0\nXREADGROUP GROUP g c STREAMS k 0\n"},
    /* Everything was trimmed away while it was pending. */
    {15, RDB_REDIS, RDB_REDIS, REDIS_7_0,
     BYTES("\0\0\5\1\1\1g\5\1\1" RDB_ID("\2") RDB_AT "\1\1\1c" RDB_SEEN "\1" RDB_ID("\2")),
     "XADD k 2-1 kf gone\n"
     "XSETID k 5-1 ENTRIESADDED 1 MAXDELETEDID 0-0\n"
     "XGROUP CREATE k g 5-1\n"
     "XCLAIM k g c 0 2-1 TIME 2199023255552 RETRYCOUNT 1 FORCE JUSTID\n"
     "XTRIM k MAXLEN 0\n"
     "XSETID k 5-1 ENTRIESADDED 0 MAXDELETEDID 0-0\n"},
};

static struct run run_of(const struct story *s) {
    return (struct run){.from = s->from, .dest = {.vendor = s->to, .version = s->version}};
}

static void every_kind_has_its_commands(void) {
    for (size_t i = 0; i < LENGTH_OF(stories); i++) {
        struct run r = run_of(&stories[i]);
        struct buf text = BUF_INIT(1 << 16);

        CU_ASSERT_EQUAL(run(&r, stories[i].type, stories[i].value, &text), ERR_NONE);
        CU_ASSERT(str_equal(buf_str(&text), str_from(stories[i].commands)));
        buf_done(&text);
    }
}

static void a_cut_value_is_refused(void) {
    for (size_t i = 0; i < LENGTH_OF(stories); i++) {
        struct run r = run_of(&stories[i]);
        struct buf text = BUF_INIT(1 << 16);

        for (size_t len = 0; len < stories[i].value.len; len++)
            CU_ASSERT_EQUAL(run(&r, stories[i].type, str_first(stories[i].value, len), &text),
                            ERR_RDB_CORRUPT);
        buf_done(&text);
    }
}

/* A sanitizer watches; every run must end. */
static void no_changed_byte_leads_outside(void) {
    static const uint8_t bytes[] = {0, 1, 0x20, 0x7f, 0x80, 0x81, 0xc3, 0xf0, 0xf4, 0xfe, 0xff};
    size_t taken = 0;

    for (size_t i = 0; i < LENGTH_OF(stories); i++) {
        struct str value = stories[i].value;
        struct buf copy = BUF_INIT(1 << 16), text = BUF_INIT(1 << 20);
        struct err err = ERR_INIT;

        CU_ASSERT_TRUE_FATAL(buf_append(&copy, value, &err));
        for (size_t at = 0; at < value.len * LENGTH_OF(bytes); at++) {
            struct run r = run_of(&stories[i]);
            size_t place = at / LENGTH_OF(bytes);

            copy.ptr[place] = (char)bytes[at % LENGTH_OF(bytes)];
            taken += run(&r, stories[i].type, buf_str(&copy), &text) == ERR_NONE;
            copy.ptr[place] = value.ptr[place];
        }
        buf_done(&copy);
        buf_done(&text);
    }
    CU_ASSERT(taken > 1000);
}

/* A list of `count` items "item" as type 1. */
static void make_list(struct buf *value, uint32_t count) {
    char head[] = {(char)0x80, 0, 0, (char)(count >> 8), (char)count};
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(buf_append(value, str_of(head, sizeof(head)), &err));
    for (uint32_t i = 0; i < count; i++)
        CU_ASSERT_TRUE(buf_append(value, STR_LIT("\4item"), &err));
}

static void pieces_stay_small_and_come_to_the_whole(void) {
    enum { COUNT = 3000 };
    static const size_t limits[] = {1, 20, 100, 1000, 5000, 100000};

    for (size_t i = 0; i < LENGTH_OF(limits); i++) {
        struct buf value = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20), text = BUF_INIT(1 << 20);
        struct err err = ERR_INIT;
        struct rdb_commands c;
        uint64_t items = 0;

        make_list(&value, COUNT);
        rdb_commands_init(&c, 1 << 10);
        CU_ASSERT_TRUE(rdb_commands_open(&c, 1, STR_LIT("k"), buf_str(&value), &err));
        while (!c.done) {
            uint32_t count;

            buf_clear(&out);
            CU_ASSERT_TRUE_FATAL(rdb_commands_fill(&c, limits[i], &out, &count, &err));
            CU_ASSERT(out.len <= limits[i] || c.elements == items + 1);
            CU_ASSERT_EQUAL(count > 0, c.elements > items);
            items = c.elements;
            tell(buf_str(&out), count, &text);
        }
        CU_ASSERT_EQUAL(items, COUNT);
        for (size_t at = 0, items_told = 0; at < text.len; at++) {
            items_told += text.ptr[at] == 'i';
            CU_ASSERT(at + 1 < text.len || items_told == COUNT);
        }
        rdb_commands_done(&c);
        buf_done(&value);
        buf_done(&out);
        buf_done(&text);
    }
}

static void a_long_string_is_written_from_front_to_end(void) {
    struct buf value = BUF_INIT(1 << 20), text = BUF_INIT(1 << 20);
    struct run r = {.limit = 129 + 3};
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(buf_append(&value,
                              STR_LIT("\12"
                                      "0123456789"),
                              &err));
    CU_ASSERT_EQUAL(run(&r, 0, buf_str(&value), &text), ERR_NONE);
    CU_ASSERT(str_equal(buf_str(&text), STR_LIT("SET k 012\nSETRANGE k 3 345\nSETRANGE k 6 678\n"
                                                "SETRANGE k 9 9\n")));
    buf_done(&value);
    buf_done(&text);
}

/* The commands of a stream do not depend on where the pieces end. */
static void streams_stop_anywhere_and_go_on(void) {
    for (size_t i = 0; i < LENGTH_OF(stories); i++) {
        struct run r = run_of(&stories[i]);
        struct buf text = BUF_INIT(1 << 16);

        if (rdb_stream_version(stories[i].type) == 0)
            continue;
        r.limit = 1;
        CU_ASSERT_EQUAL(run(&r, stories[i].type, stories[i].value, &text), ERR_NONE);
        CU_ASSERT(str_equal(buf_str(&text), str_from(stories[i].commands)));
        buf_done(&text);
    }
}

/* A buf that is nearly full ends a piece; one that cannot hold one command is an error. */
static void room_is_used_to_the_end(void) {
    for (size_t i = 0; i < LENGTH_OF(stories); i++) {
        struct buf out = BUF_INIT(0), text = BUF_INIT(1 << 16);
        struct run r = run_of(&stories[i]);
        struct rdb_commands c;
        size_t refused = 0;

        for (out.max = 1; out.max < 8192; out.max += out.max < 400 ? 1 : 97) {
            struct err err = ERR_INIT;
            uint32_t count;
            bool ok = true;

            rdb_commands_init(&c, 1 << 20);
            c.vendor = r.from;
            c.dest = r.dest;
            buf_clear(&text);
            CU_ASSERT_TRUE(
                rdb_commands_open(&c, stories[i].type, STR_LIT("k"), stories[i].value, &err));
            while (ok && !c.done) {
                buf_clear(&out);
                ok = rdb_commands_fill(&c, 1 << 20, &out, &count, &err);
                if (ok)
                    tell(buf_str(&out), count, &text);
            }
            CU_ASSERT_EQUAL(err.code, ok ? ERR_NONE : ERR_TOO_BIG);
            refused += !ok;
            rdb_commands_done(&c);
        }
        CU_ASSERT(refused > 0 && refused < 400);
        CU_ASSERT(str_equal(buf_str(&text), str_from(stories[i].commands)));
        buf_done(&out);
        buf_done(&text);
    }
}

static void expiries_of_fields_are_held_or_dropped_by_decision(void) {
    struct buf text = BUF_INIT(1 << 16);
    struct run r = {.dest = {.version = REDIS_7_0}};
    static const struct str value = BYTES(RDB_HASH_25);

    CU_ASSERT_EQUAL(run(&r, 25, value, &text), ERR_DEST_RESTORE);
    r.drop = true;
    CU_ASSERT_EQUAL(run(&r, 25, value, &text), ERR_NONE);
    CU_ASSERT(str_equal(buf_str(&text), STR_LIT("HSET k c 3 a 1 b two\n")));
    CU_ASSERT_EQUAL(r.losses, 2);
    r = (struct run){.dest = {.version = REDIS_8_0}, .fields = RDB_FIELDS_HOLD};
    CU_ASSERT_EQUAL(run(&r, 25, value, &text), ERR_NONE);
    CU_ASSERT(
        str_equal(buf_str(&text), STR_LIT("HSET k c 3\nHPEXPIREAT k 6597069766656 FIELDS 1 c\n"
                                          "HSET k a 1\nHPEXPIREAT k 6597069766661 FIELDS 1 a\n"
                                          "HSET k b two\n")));
    CU_ASSERT_EQUAL(r.losses, 0);
    buf_done(&text);
}

static void what_commands_cannot_make_is_refused(void) {
    static const struct str module = BYTES("\1\0"), stream = BYTES(RDB_STREAM_15);
    struct buf text = BUF_INIT(1 << 16);
    struct run r = {.dest = {.version = 40014}};

    CU_ASSERT_EQUAL(run(&r, 7, module, &text), ERR_RDB_UNSUPPORTED);
    CU_ASSERT_EQUAL(run(&r, 28, module, &text), ERR_RDB_UNSUPPORTED);
    CU_ASSERT_EQUAL(run(&r, 99, module, &text), ERR_RDB_UNSUPPORTED);
    CU_ASSERT_EQUAL(run(&r, 15, stream, &text), ERR_DEST_RESTORE);
    buf_done(&text);
}

static void an_empty_value_makes_no_key(void) {
    static const struct str value = BYTES("\7\7\0\0\0\0\0\377");
    struct buf text = BUF_INIT(1 << 16);
    struct run r = {.dest = {.version = REDIS_7_0}};

    CU_ASSERT_EQUAL(run(&r, 20, value, &text), ERR_NONE);
    CU_ASSERT_EQUAL(text.len, 0);
    CU_ASSERT_EQUAL(r.elements, 0);
    buf_done(&text);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(every_kind_has_its_commands),
    CUNIT_TEST(a_cut_value_is_refused),
    CUNIT_TEST(no_changed_byte_leads_outside),
    CUNIT_TEST(pieces_stay_small_and_come_to_the_whole),
    CUNIT_TEST(a_long_string_is_written_from_front_to_end),
    CUNIT_TEST(streams_stop_anywhere_and_go_on),
    CUNIT_TEST(room_is_used_to_the_end),
    CUNIT_TEST(expiries_of_fields_are_held_or_dropped_by_decision),
    CUNIT_TEST(what_commands_cannot_make_is_refused),
    CUNIT_TEST(an_empty_value_makes_no_key),
};
CUNIT_MAIN("rdb_commands", tests)
