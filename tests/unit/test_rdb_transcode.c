#include <stdlib.h>

#include "proto/command/held_expiry.h"
#include "proto/rdb/rdb_accept.h"
#include "proto/rdb/rdb_transcode.h"
#include "proto/rdb/rdb_walk.h"
#include "tests/support/cunit_run.h"
#include "tests/support/rdb_values.h"

/* STR_LIT for a table, which may hold constants only. */
#define BYTES(literal)                                                                             \
    { .ptr = (literal), .len = sizeof(literal) - 1 }

#define FIELDS_R "\200\0\0\0" /* before the count of what was transcoded */

static const struct golden {
    uint8_t type, to_type;
    enum rdb_vendor from, to;
    enum rdb_field_expiry fields;
    struct str value, result;
} goldens[] = {
    /* Taken from, and read by, real servers. */
    {18, 1, RDB_REDIS, RDB_REDIS, 0, BYTES(RDB_LIST_18),
     BYTES(FIELDS_R "\6\1a\300\377\301,\1\302p\21\1\0\12"
                    "5000000000\5bytes")},
    {20, 2, RDB_REDIS, RDB_REDIS, 0, BYTES(RDB_SET_20),
     BYTES(FIELDS_R "\4\1a\1b\300\7\12"
                    "5000000000")},
    {17, 5, RDB_REDIS, RDB_REDIS, 0, BYTES(RDB_ZSET_17),
     BYTES(FIELDS_R "\4\1a\0\0\0\0\0\0\360\377\1b\0\0\0\0\0\0\360?\300\7\0\0\0\0\0\0\4@"
                    "\1c\0\0\0\0\0\0\360\177")},
    {16, 4, RDB_REDIS, RDB_REDIS, 0, BYTES(RDB_HASH_16),
     BYTES(FIELDS_R "\3\1f\1v\300\1\300\2\1n\13-5000000000")},
    {25, 22, RDB_REDIS, RDB_VALKEY, 0, BYTES(RDB_HASH_25),
     BYTES(FIELDS_R "\3\1c\300\3" RDB_AT "\1a\300\1" RDB_AT_5 "\1b\3two" RDB_NONE_64)},
    {24, 22, RDB_REDIS, RDB_VALKEY, 0, BYTES(RDB_HASH_24),
     BYTES(FIELDS_R "\3\1b\3two" RDB_NONE_64 "\1c\300\3" RDB_AT "\1a\300\1" RDB_AT_5)},
    {22, 24, RDB_VALKEY, RDB_REDIS, 0, BYTES(RDB_HASH_VALKEY_22),
     BYTES(RDB_AT FIELDS_R "\3\6\1a\300\1\0\1b\3two\1\1c\300\3")},
    {25, 25, RDB_REDIS, RDB_REDIS, RDB_FIELDS_HOLD, BYTES(RDB_HASH_25),
     BYTES(RDB_HASH_25_(RDB_HELD, RDB_HELD, RDB_HELD_5))},
    {25, 25, RDB_REDIS, RDB_REDIS, RDB_FIELDS_SETTLE,
     BYTES(RDB_HASH_25_(RDB_HELD, RDB_HELD, RDB_HELD_5)), BYTES(RDB_HASH_25)},
    {24, 24, RDB_REDIS, RDB_REDIS, RDB_FIELDS_HOLD, BYTES(RDB_HASH_24),
     BYTES(RDB_HELD FIELDS_R "\3\0\1b\3two\1\1c\300\3\6\1a\300\1")},
    {22, 22, RDB_VALKEY, RDB_VALKEY, RDB_FIELDS_HOLD, BYTES(RDB_HASH_VALKEY_22),
     BYTES(FIELDS_R "\3\1a\300\1" RDB_HELD_5 "\1b\3two" RDB_NONE_64 "\1c\300\3" RDB_HELD)},
    {22, 24, RDB_VALKEY, RDB_REDIS, RDB_FIELDS_HOLD, BYTES(RDB_HASH_VALKEY_22),
     BYTES(RDB_HELD FIELDS_R "\3\6\1a\300\1\0\1b\3two\1\1c\300\3")},
    {26, 21, RDB_REDIS, RDB_REDIS, 0, BYTES(RDB_STREAM_26), BYTES(RDB_STREAM_21)},
    {26, 21, RDB_REDIS, RDB_VALKEY, 0, BYTES(RDB_STREAM_26), BYTES(RDB_STREAM_21)},
    {26, 19, RDB_REDIS, RDB_REDIS, 0, BYTES(RDB_STREAM_26), BYTES(RDB_STREAM_19)},
    {26, 15, RDB_REDIS, RDB_REDIS, 0, BYTES(RDB_STREAM_26), BYTES(RDB_STREAM_15)},
    {21, 19, RDB_VALKEY, RDB_REDIS, 0, BYTES(RDB_STREAM_21), BYTES(RDB_STREAM_19)},
    {19, 15, RDB_REDIS, RDB_REDIS, 0, BYTES(RDB_STREAM_19), BYTES(RDB_STREAM_15)},
    /* Made by hand: no server that writes or needs them was at hand. */
    {27, 26, RDB_REDIS, RDB_REDIS, 0, BYTES(RDB_STREAM_27), BYTES(RDB_STREAM_26)},
    {27, 27, RDB_REDIS, RDB_REDIS, 0, BYTES(RDB_STREAM_27), BYTES(RDB_STREAM_27)},
    {27, 15, RDB_REDIS, RDB_REDIS, 0, BYTES(RDB_STREAM_27), BYTES(RDB_STREAM_15)},
    {5, 3, RDB_REDIS, RDB_REDIS, 0,
     BYTES("\3\1a\0\0\0\0\0\0\4@\1b\0\0\0\0\0\0\360\377\1c\0\0\0\0\0\0\360\177"),
     BYTES(FIELDS_R "\3\1a\3"
                    "2.5\1b\377\1c\376")},
    {17, 3, RDB_REDIS, RDB_REDIS, 0, BYTES(RDB_ZSET_17),
     BYTES(FIELDS_R "\4\1a\377\1b\1"
                    "1\300\7\3"
                    "2.5\1c\376")},
    {14, 1, RDB_REDIS, RDB_REDIS, 0,
     BYTES("\2\20\20\0\0\0\12\0\0\0\2\0\0\1a\3\361\377\15\15\0\0\0\12\0\0\0\1\0\0\362\377"),
     BYTES(FIELDS_R "\3\1a\300\0\300\1")},
    {9, 4, RDB_REDIS, RDB_REDIS, 0, BYTES("\15\2\1f\1\0v\1g\2\0ww\377"),
     BYTES(FIELDS_R "\2\1f\1v\1g\2ww")},
    {22, 24, RDB_REDIS, RDB_REDIS, 0, BYTES("\2\200\77\0\0\0\1a\1b\0\1c\1d"),
     BYTES("\0\0\0\77\0\0\0\0" FIELDS_R "\2\1\1a\1b\0\1c\1d")},
    {23, 22, RDB_REDIS, RDB_VALKEY, 0, BYTES("\17\17\0\0\0\3\0\201f\2\201v\2\7\1\377"),
     BYTES(FIELDS_R "\1\1f\1v\7\0\0\0\0\0\0\0")},
};

static struct rdb_transcoder transcoder_for(const struct golden *g) {
    struct rdb_transcoder t;

    rdb_transcoder_init(&t, g->from, g->to, 1 << 20);
    t.fields = g->fields;
    return t;
}

/* From a copy of exactly the value's size, so that a sanitizer sees a read past it. */
static bool transcode(struct rdb_transcoder *t, uint8_t type, struct str value, uint8_t to_type,
                      struct buf *out, struct rdb_transcoded *ret, struct err *err) {
    char *copy = malloc(value.len ? value.len : 1);
    bool ok;

    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    memcpy(copy, value.ptr, value.len);
    ok = rdb_transcode(t, type, str_of(copy, value.len), to_type, out, ret, err);
    free(copy);
    return ok;
}

static void every_pair_of_types_has_its_bytes(void) {
    for (size_t i = 0; i < LENGTH_OF(goldens); i++) {
        const struct golden *g = &goldens[i];
        struct rdb_transcoder t = transcoder_for(g);
        struct buf out = BUF_INIT(1 << 16);
        struct err err = ERR_INIT;
        struct rdb_transcoded done;

        CU_ASSERT_TRUE(transcode(&t, g->type, g->value, g->to_type, &out, &done, &err));
        CU_ASSERT(str_equal(buf_str(&out), g->result));
        CU_ASSERT_EQUAL(done.type, g->to_type);
        CU_ASSERT_EQUAL(done.losses, 0);
        CU_ASSERT_FALSE(done.empty);
        buf_done(&out);
        rdb_transcoder_done(&t);
    }
}

static void a_cut_value_is_refused_and_nothing_is_written(void) {
    for (size_t i = 0; i < LENGTH_OF(goldens); i++) {
        const struct golden *g = &goldens[i];
        struct rdb_transcoder t = transcoder_for(g);
        struct buf out = BUF_INIT(1 << 16);
        struct rdb_transcoded done;
        struct err err = ERR_INIT;

        CU_ASSERT_TRUE_FATAL(buf_append(&out, STR_LIT("before"), &err));
        for (size_t len = 0; len < g->value.len; len++) {
            CU_ASSERT_FALSE(
                transcode(&t, g->type, str_first(g->value, len), g->to_type, &out, &done, &err));
            CU_ASSERT_EQUAL(err.code, ERR_RDB_CORRUPT);
            CU_ASSERT(str_equal(buf_str(&out), STR_LIT("before")));
        }
        buf_done(&out);
        rdb_transcoder_done(&t);
    }
}

static bool walks(enum rdb_vendor vendor, uint8_t type, struct str value) {
    struct rdb_walk walk;
    uint64_t need;
    size_t at = 0;

    rdb_walk_init(&walk, rdb_walk_script(vendor, type));
    return rdb_walk_on(&walk, value, &at, &need) == RDB_WALK_DONE && at == value.len;
}

/* Whatever a changed byte makes of a value: it is refused, or becomes a value that is
 * whole. */
static void no_changed_byte_makes_half_a_value(void) {
    static const uint8_t bytes[] = {0, 1, 0x20, 0x7f, 0x80, 0x81, 0xc3, 0xf0, 0xf4, 0xfe, 0xff};
    size_t taken = 0;

    for (size_t i = 0; i < LENGTH_OF(goldens); i++) {
        const struct golden *g = &goldens[i];
        struct rdb_transcoder t = transcoder_for(g);
        struct buf copy = BUF_INIT(1 << 16), out = BUF_INIT(1 << 16);
        struct err err = ERR_INIT;

        CU_ASSERT_TRUE_FATAL(buf_append(&copy, g->value, &err));
        for (size_t at = 0; at < g->value.len * LENGTH_OF(bytes); at++) {
            size_t place = at / LENGTH_OF(bytes);
            struct rdb_transcoded done;

            copy.ptr[place] = (char)bytes[at % LENGTH_OF(bytes)];
            buf_clear(&out);
            if (transcode(&t, g->type, buf_str(&copy), g->to_type, &out, &done, &err)) {
                CU_ASSERT_TRUE(walks(g->to, done.type, buf_str(&out)));
                taken++;
            }
            copy.ptr[place] = g->value.ptr[place];
        }
        buf_done(&copy);
        buf_done(&out);
        rdb_transcoder_done(&t);
    }
    CU_ASSERT(taken > 1000);
}

static void what_does_not_fit_leaves_nothing(void) {
    for (size_t i = 0; i < LENGTH_OF(goldens); i++) {
        const struct golden *g = &goldens[i];
        struct rdb_transcoder t = transcoder_for(g);
        struct rdb_transcoded done;

        for (size_t max = 0; max < g->result.len; max++) {
            struct buf out = BUF_INIT(max);
            struct err err = ERR_INIT;

            CU_ASSERT_FALSE(transcode(&t, g->type, g->value, g->to_type, &out, &done, &err));
            CU_ASSERT_EQUAL(err.code, ERR_TOO_BIG);
            CU_ASSERT_EQUAL(out.len, 0);
            buf_done(&out);
        }
        rdb_transcoder_done(&t);
    }
}

static void an_expiry_of_a_field_is_lost_only_by_decision(void) {
    static const struct golden hashes[] = {
        {25, 4, RDB_REDIS, RDB_REDIS, 0, BYTES(RDB_HASH_25),
         BYTES(FIELDS_R "\3\1c\300\3\1a\300\1\1b\3two")},
        {24, 4, RDB_REDIS, RDB_VALKEY, 0, BYTES(RDB_HASH_24),
         BYTES(FIELDS_R "\3\1b\3two\1c\300\3\1a\300\1")},
        {22, 4, RDB_VALKEY, RDB_REDIS, 0, BYTES(RDB_HASH_VALKEY_22),
         BYTES(FIELDS_R "\3\1a\300\1\1b\3two\1c\300\3")},
    };

    for (size_t i = 0; i < LENGTH_OF(hashes); i++) {
        const struct golden *g = &hashes[i];
        struct rdb_transcoder t = transcoder_for(g);
        struct buf out = BUF_INIT(1 << 16);
        struct err err = ERR_INIT;
        struct rdb_transcoded done;

        CU_ASSERT_FALSE(transcode(&t, g->type, g->value, 4, &out, &done, &err));
        CU_ASSERT_EQUAL(err.code, ERR_DEST_RESTORE);
        t.drop_field_expiry = true;
        CU_ASSERT_TRUE(transcode(&t, g->type, g->value, 4, &out, &done, &err));
        CU_ASSERT(str_equal(buf_str(&out), g->result));
        CU_ASSERT_EQUAL(done.losses, 2);
        buf_done(&out);
        rdb_transcoder_done(&t);
    }
}

/* HPERSIST leaves type 25 behind. */
static void a_hash_without_expiries_needs_no_decision(void) {
    static const struct str value = BYTES("\0\0\0\0\0\0\0\0\17\17\0\0\0\3\0\201f\2\201v\2\0\1\377");
    static const struct {
        enum rdb_vendor to;
        uint8_t to_type, type;
    } ways[] = {{RDB_REDIS, 4, 4}, {RDB_REDIS, 24, 4}, {RDB_VALKEY, 22, 4}, {RDB_REDIS, 25, 25}};

    for (size_t i = 0; i < LENGTH_OF(ways); i++) {
        struct buf out = BUF_INIT(1 << 16);
        struct rdb_transcoder t;
        struct rdb_transcoded done;
        struct err err = ERR_INIT;

        rdb_transcoder_init(&t, RDB_REDIS, ways[i].to, 1 << 20);
        t.fields = RDB_FIELDS_HOLD;
        CU_ASSERT_TRUE(transcode(&t, 25, value, ways[i].to_type, &out, &done, &err));
        CU_ASSERT_EQUAL(done.type, ways[i].type);
        CU_ASSERT_TRUE(walks(ways[i].to, done.type, buf_str(&out)));
        buf_done(&out);
        rdb_transcoder_done(&t);
    }
}

/* A Valkey hash of one field that expires at `at_ms`, as it is written for Redis, and back:
 * the time that is in the payload then, or the error. */
static enum err_code written(enum rdb_field_expiry fields, uint64_t at_ms, uint64_t *ret_ms) {
    char value[] = "\1\1f\1v........";
    struct buf out = BUF_INIT(1 << 16);
    struct rdb_transcoder t;
    struct rdb_transcoded done;
    struct err err = ERR_INIT;

    for (unsigned i = 0; i < 8; i++)
        value[5 + i] = (char)(at_ms >> (8 * i));
    rdb_transcoder_init(&t, RDB_VALKEY, RDB_REDIS, 1 << 20);
    t.fields = fields;
    if (transcode(&t, 22, str_of(value, sizeof(value) - 1), 24, &out, &done, &err)) {
        CU_ASSERT_EQUAL(done.type, 24);
        *ret_ms = 0;
        for (unsigned i = 8; i-- > 0;)
            *ret_ms = *ret_ms << 8 | (uint8_t)out.ptr[i];
    }
    buf_done(&out);
    rdb_transcoder_done(&t);
    return err.code;
}

static void times_of_fields_are_held_like_those_of_keys(void) {
    static const uint64_t limit = ((UINT64_C(1) << 48) - 1) >> 2;
    uint64_t at_ms, settled_ms;

    CU_ASSERT_EQUAL(written(RDB_FIELDS_HOLD, UINT64_C(1800000000000), &at_ms), ERR_NONE);
    CU_ASSERT_EQUAL(at_ms, UINT64_C(1800000000000) + HELD_EXPIRY_PAD_MS);
    CU_ASSERT_EQUAL(written(RDB_FIELDS_SETTLE, at_ms, &settled_ms), ERR_NONE);
    CU_ASSERT_EQUAL(settled_ms, UINT64_C(1800000000000));
    CU_ASSERT_EQUAL(written(RDB_FIELDS_HOLD, 1, &at_ms), ERR_NONE);
    CU_ASSERT_EQUAL(at_ms, HELD_EXPIRY_FIRST_MS);
    CU_ASSERT_EQUAL(written(RDB_FIELDS_HOLD, at_ms, &at_ms), ERR_RDB_UNSUPPORTED);
    CU_ASSERT_EQUAL(written(RDB_FIELDS_HOLD, limit, &at_ms), ERR_NONE);
    CU_ASSERT_EQUAL(at_ms, limit);
    CU_ASSERT_EQUAL(written(RDB_FIELDS_KEEP, limit + 1, &at_ms), ERR_DEST_RESTORE);
    CU_ASSERT_EQUAL(written(RDB_FIELDS_KEEP, UINT64_MAX - 1, &at_ms), ERR_RDB_CORRUPT);
    /* The latest time that is held stays far below what Redis takes. */
    CU_ASSERT(HELD_EXPIRY_END_MS < limit);
}

/* A packed hash keeps its fields in the order of their expiry. */
static void times_that_change_their_order_leave_the_packed_form(void) {
    static const struct str values[] = {
        /* 2^40 (2004) and 2^42: held, the first is the later one */
        BYTES("\0\0\0\0\0\1\0\0''\0\0\0\6\0\201a\2\201x\2\364\0\0\0\0\0\1\0\0\11\201b\2\201y\2"
              "\364\0\0\0\0\0\4\0\0\11\377"),
        /* 7 ms: no room for a held time where it stands */
        BYTES("\7\0\0\0\0\0\0\0\17\17\0\0\0\3\0\201f\2\201v\2\7\1\377"),
    };

    for (size_t i = 0; i < LENGTH_OF(values); i++) {
        struct buf out = BUF_INIT(1 << 16);
        struct rdb_transcoder t;
        struct rdb_transcoded done;
        struct err err = ERR_INIT;

        rdb_transcoder_init(&t, RDB_REDIS, RDB_REDIS, 1 << 20);
        t.fields = RDB_FIELDS_HOLD;
        CU_ASSERT_TRUE(transcode(&t, 25, values[i], 25, &out, &done, &err));
        CU_ASSERT_EQUAL(done.type, 24);
        CU_ASSERT_TRUE(walks(RDB_REDIS, 24, buf_str(&out)));
        buf_done(&out);
        rdb_transcoder_done(&t);
    }
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(every_pair_of_types_has_its_bytes),
    CUNIT_TEST(a_cut_value_is_refused_and_nothing_is_written),
    CUNIT_TEST(no_changed_byte_makes_half_a_value),
    CUNIT_TEST(what_does_not_fit_leaves_nothing),
    CUNIT_TEST(an_expiry_of_a_field_is_lost_only_by_decision),
    CUNIT_TEST(a_hash_without_expiries_needs_no_decision),
    CUNIT_TEST(times_of_fields_are_held_like_those_of_keys),
    CUNIT_TEST(times_that_change_their_order_leave_the_packed_form),
};
CUNIT_MAIN("rdb_transcode", tests)
