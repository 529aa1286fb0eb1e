#include "proto/rdb/rdb_parser.h"
#include "proto/rdb/rdb_stream_entries.h"
#include "proto/rdb/rdb_templates.h"
#include "proto/rdb/rdb_transcode.h"
#include "proto/rdb/rdb_transcode_hash.h"
#include "tests/support/cunit_run.h"
#include "tests/support/rdb_story.h"
#include "tests/support/rdb_values.h"

#define BYTES(literal)                                                                             \
    { .ptr = (literal), .len = sizeof(literal) - 1 }

/* Fields f, gg; values 5 and "x", as types 29 to 32 hold them. */
#define NAMES "\1f\2gg"
#define VALUES_LP "\14\14\0\0\0\2\0\5\1\201x\2\377"
#define VALUES_LP_ID "\16\16\0\0\0\3\0\7\1\5\1\201x\2\377" /* template 7 first */
#define NAMES_LP "\16\16\0\0\0\2\0\201f\2\202gg\3\377"
#define VALUES "\300\5\1x"

static enum err_code transcode(const struct rdb_templates *templates, enum rdb_vendor to,
                               uint8_t type, struct str value, uint8_t to_type, struct buf *out,
                               struct rdb_transcoded *ret) {
    struct rdb_transcoder t;
    struct err err = ERR_INIT;

    rdb_transcoder_init(&t, RDB_REDIS, to, 1 << 20);
    t.templates = templates;
    buf_clear(out);
    CU_ASSERT_EQUAL(rdb_transcode(&t, type, value, to_type, out, ret, &err), err.code == ERR_NONE);
    rdb_transcoder_done(&t);
    return err.code;
}

static void hashes_with_templates_become_whole(void) {
    static const struct {
        uint8_t type, to_type;
        struct str value, result;
    } hashes[] = {
        {30, 29, BYTES(VALUES_LP_ID), BYTES("\1\2" NAMES VALUES_LP_ID)},
        {32, 31, BYTES("\7" VALUES), BYTES("\1\2" NAMES VALUES)},
        {30, 4, BYTES(VALUES_LP_ID), BYTES("\200\0\0\0\2\1f\300\5\2gg\1x")},
        {32, 4, BYTES("\7" VALUES), BYTES("\200\0\0\0\2\1f\300\5\2gg\1x")},
        {29, 4, BYTES("\1\2" NAMES VALUES_LP), BYTES("\200\0\0\0\2\1f\300\5\2gg\1x")},
        {29, 4, BYTES("\1\2" NAMES VALUES_LP_ID), BYTES("\200\0\0\0\2\1f\300\5\2gg\1x")},
        {29, 4, BYTES("\0" NAMES_LP VALUES_LP), BYTES("\200\0\0\0\2\1f\300\5\2gg\1x")},
        {31, 4, BYTES("\1\2" NAMES VALUES), BYTES("\200\0\0\0\2\1f\300\5\2gg\1x")},
        {31, 4, BYTES("\0" NAMES_LP VALUES), BYTES("\200\0\0\0\2\1f\300\5\2gg\1x")},
    };
    struct buf out = BUF_INIT(1 << 16);
    struct rdb_templates templates;
    struct rdb_transcoded done;
    struct err err = ERR_INIT;

    rdb_templates_init(&templates, 1 << 10);
    CU_ASSERT_TRUE_FATAL(rdb_templates_add(&templates, 7, 2, STR_LIT(NAMES), &err));
    for (size_t i = 0; i < LENGTH_OF(hashes); i++) {
        CU_ASSERT_EQUAL(transcode(&templates, RDB_REDIS, hashes[i].type, hashes[i].value,
                                  hashes[i].to_type, &out, &done),
                        ERR_NONE);
        CU_ASSERT(str_equal(buf_str(&out), hashes[i].result));
        for (size_t len = 0; len < hashes[i].value.len; len++) {
            CU_ASSERT_EQUAL(transcode(&templates, RDB_REDIS, hashes[i].type,
                                      str_first(hashes[i].value, len), hashes[i].to_type, &out,
                                      &done),
                            ERR_RDB_CORRUPT);
        }
    }
    rdb_templates_done(&templates);
    buf_done(&out);
}

static void a_template_that_is_not_there_is_an_error(void) {
    struct buf out = BUF_INIT(1 << 16);
    struct rdb_templates templates;
    struct rdb_transcoded done;
    struct err err = ERR_INIT;

    rdb_templates_init(&templates, 1 << 10);
    CU_ASSERT_TRUE_FATAL(rdb_templates_add(&templates, 8, 2, STR_LIT(NAMES), &err));
    CU_ASSERT_EQUAL(
        transcode(&templates, RDB_REDIS, 30, (struct str)BYTES(VALUES_LP_ID), 29, &out, &done),
        ERR_RDB_CORRUPT);
    CU_ASSERT_EQUAL(transcode(NULL, RDB_REDIS, 32, (struct str)BYTES("\7" VALUES), 4, &out, &done),
                    ERR_RDB_CORRUPT);
    /* It has other fields than the hash has values. */
    CU_ASSERT_TRUE_FATAL(rdb_templates_add(&templates, 7, 1, STR_LIT("\1f"), &err));
    CU_ASSERT_EQUAL(
        transcode(&templates, RDB_REDIS, 32, (struct str)BYTES("\7" VALUES), 4, &out, &done),
        ERR_RDB_CORRUPT);
    CU_ASSERT_EQUAL(
        transcode(&templates, RDB_REDIS, 30, (struct str)BYTES(VALUES_LP_ID), 4, &out, &done),
        ERR_RDB_CORRUPT);
    rdb_templates_done(&templates);
    buf_done(&out);
}

static void templates_are_found_by_number_whatever_their_order(void) {
    static const uint64_t ids[] = {5, 9, 1, UINT64_MAX, 0, 7, 6};
    struct rdb_templates templates;
    struct rdb_template found;
    struct err err = ERR_INIT;

    rdb_templates_init(&templates, 256);
    for (size_t i = 0; i < LENGTH_OF(ids); i++) {
        char name[] = {1, (char)('a' + i)};

        CU_ASSERT_TRUE(rdb_templates_add(&templates, ids[i], 1, str_of(name, 2), &err));
    }
    for (size_t i = 0; i < LENGTH_OF(ids); i++) {
        CU_ASSERT_TRUE_FATAL(rdb_templates_find(&templates, ids[i], &found));
        CU_ASSERT_EQUAL(found.fields.ptr[1], (char)('a' + i));
    }
    CU_ASSERT_FALSE(rdb_templates_find(&templates, 2, &found));
    CU_ASSERT_FALSE(rdb_templates_add(&templates, 9, 1, STR_LIT("\1x"), &err));
    CU_ASSERT_EQUAL(err.code, ERR_RDB_CORRUPT);
    /* The limit holds, and what was there stays. */
    CU_ASSERT_FALSE(rdb_templates_add(&templates, 100, 1, STR_LIT(RDB_STREAM_26), &err));
    CU_ASSERT_EQUAL(err.code, ERR_TOO_BIG);
    CU_ASSERT_TRUE(rdb_templates_find(&templates, 9, &found));
    rdb_templates_clear(&templates);
    CU_ASSERT_FALSE(rdb_templates_find(&templates, 9, &found));
    rdb_templates_done(&templates);
}

/* Every key of `file` as type 4, told as "value of it\n". */
static void read_templated(struct str file, size_t step, struct buf *told, struct err *err) {
    struct rdb_templates templates;
    struct rdb_transcoded done;
    struct rdb_transcoder t;
    struct rdb_event ev;
    struct rdb_parser p;
    enum rdb_pull pull = RDB_NEED_MORE;
    size_t there = 0;

    rdb_templates_init(&templates, 1 << 10);
    rdb_transcoder_init(&t, RDB_REDIS, RDB_REDIS, 1 << 10);
    t.templates = &templates;
    rdb_parser_init(&p);
    rdb_parser_use_templates(&p, &templates);
    do {
        pull = rdb_parser_next(&p, str_skip(str_first(file, there), (size_t)p.offset), &ev, err);
        if (pull == RDB_NEED_MORE)
            there += step;
        else if (pull == RDB_EVENT && ev.kind == RDB_EV_HASH_TEMPLATE)
            CU_ASSERT_TRUE(rdb_templates_add(&templates, ev.hash_template.id,
                                             ev.hash_template.count, ev.hash_template.fields, err))
        if (pull == RDB_EVENT && ev.kind == RDB_EV_KEY) {
            CU_ASSERT_TRUE(
                rdb_transcode(&t, ev.key.type, ev.key.value, RDB_TYPE_HASH, told, &done, err));
            CU_ASSERT_TRUE(buf_append(told, STR_LIT("\n"), err));
        }
    } while (pull != RDB_WRONG && there <= file.len + step &&
             !(pull == RDB_EVENT && ev.kind == RDB_EV_EOF));
    rdb_transcoder_done(&t);
    rdb_templates_done(&templates);
}

static void a_snapshot_with_templates_is_read(void) {
    static const struct str records =
        BYTES("\362\7\2" NAMES "\376\0\40\1a\7" VALUES "\36\1b" VALUES_LP_ID "\40\1c\7" VALUES);
    static const struct str hash = BYTES("\200\0\0\0\2\1f\300\5\2gg\1x\n");
    static const struct str unknown = BYTES("\362\6\2" NAMES "\376\0\40\1a\7" VALUES);

    for (size_t step = 1; step < 100; step += 7) {
        struct buf file = rdb_story_file("REDIS0015", records), told = BUF_INIT(1 << 10);
        struct err err = ERR_INIT;

        read_templated(buf_str(&file), step, &told, &err);
        CU_ASSERT_EQUAL(err.code, ERR_NONE);
        CU_ASSERT_EQUAL(told.len, 3 * hash.len);
        for (size_t at = 0; at + hash.len <= told.len; at += hash.len)
            CU_ASSERT(str_equal(str_of(told.ptr + at, hash.len), hash));
        buf_done(&file);
        file = rdb_story_file("REDIS0015", unknown);
        read_templated(buf_str(&file), step, &told, &err);
        CU_ASSERT_EQUAL(err.code, ERR_RDB_CORRUPT);
        buf_done(&file);
        buf_done(&told);
    }
}

static void entries_given_back_are_not_forgotten_silently(void) {
    static const struct str value =
        BYTES(RDB_STREAM_("\1\1\2\1\4", "\1", "\1", RDB_SEEN, "\1" RDB_ID("\3"), "@d@d\0\0\0"));
    struct buf out = BUF_INIT(1 << 16);
    struct rdb_transcoded done;

    CU_ASSERT_EQUAL(transcode(NULL, RDB_REDIS, 27, value, 26, &out, &done), ERR_DEST_RESTORE);
    CU_ASSERT_EQUAL(transcode(NULL, RDB_REDIS, 27, value, 15, &out, &done), ERR_DEST_RESTORE);
    CU_ASSERT_EQUAL(transcode(NULL, RDB_REDIS, 27, value, 27, &out, &done), ERR_NONE);
    CU_ASSERT(str_equal(buf_str(&out), value));
    buf_done(&out);
}

static void idempotent_producers_go_where_they_are_known(void) {
    static const struct str value = BYTES(
        RDB_STREAM_("\1\1\2\1\4", "\1", "\1", RDB_SEEN, "", "\3\4\1\2id\2\1x\7\0\1y\10\1\5\6"));
    struct buf out = BUF_INIT(1 << 16);
    struct rdb_transcoded done;

    CU_ASSERT_EQUAL(transcode(NULL, RDB_REDIS, 26, value, 26, &out, &done), ERR_NONE);
    CU_ASSERT(str_equal(buf_str(&out), value));
    CU_ASSERT_EQUAL(transcode(NULL, RDB_REDIS, 26, value, 21, &out, &done), ERR_NONE);
    CU_ASSERT_EQUAL(out.len, value.len - 17);
    buf_done(&out);
}

/* As some servers of the 5.0 days left it: five entries are announced, three are there. */
static void a_wrong_length_is_mended_for_valkey(void) {
    static const struct str right = BYTES(RDB_STREAM_15);
    char wrong[sizeof(RDB_STREAM_15)];
    size_t length_at = sizeof(RDB_STREAM_NODES) - 1;
    struct buf out = BUF_INIT(1 << 16);
    struct rdb_transcoded done;
    struct rdb_stream_entries entries;

    memcpy(wrong, right.ptr, right.len);
    CU_ASSERT_EQUAL_FATAL(wrong[length_at], 3);
    wrong[length_at] = 5;
    rdb_stream_entries_init(&entries, 1 << 20);
    CU_ASSERT_TRUE(rdb_stream_entries_match(&entries, 15, right));
    CU_ASSERT_FALSE(rdb_stream_entries_match(&entries, 15, str_of(wrong, right.len)));
    CU_ASSERT_FALSE(rdb_stream_entries_match(&entries, 15, str_of(wrong, 7)));
    CU_ASSERT_EQUAL(transcode(NULL, RDB_VALKEY, 15, str_of(wrong, right.len), 15, &out, &done),
                    ERR_NONE);
    CU_ASSERT(str_equal(buf_str(&out), right));
    CU_ASSERT_EQUAL(transcode(NULL, RDB_REDIS, 15, str_of(wrong, right.len), 15, &out, &done),
                    ERR_NONE);
    CU_ASSERT(str_equal(buf_str(&out), str_of(wrong, right.len)));
    rdb_stream_entries_done(&entries);
    buf_done(&out);
}

static void ways_that_do_not_exist_are_refused(void) {
    static const struct {
        uint8_t type, to_type;
        struct str value;
    } pairs[] = {
        {15, 19, BYTES(RDB_STREAM_15)}, {21, 27, BYTES(RDB_STREAM_21)},
        {21, 4, BYTES(RDB_STREAM_21)},  {20, 4, BYTES(RDB_SET_20)},
        {20, 11, BYTES(RDB_SET_20)},    {16, 5, BYTES(RDB_HASH_16)},
        {17, 25, BYTES(RDB_ZSET_17)},   {0, 1, BYTES("\1a")},
        {7, 4, BYTES("\1\0")},          {29, 31, BYTES("\1\1\1f\1v")},
        {99, 2, BYTES("\0")},
    };
    struct buf out = BUF_INIT(1 << 16);
    struct rdb_transcoded done;

    for (size_t i = 0; i < LENGTH_OF(pairs); i++) {
        CU_ASSERT_EQUAL(transcode(NULL, RDB_REDIS, pairs[i].type, pairs[i].value, pairs[i].to_type,
                                  &out, &done),
                        ERR_RDB_UNSUPPORTED);
        CU_ASSERT_EQUAL(out.len, 0);
    }
    buf_done(&out);
}

static void an_empty_value_is_told(void) {
    static const struct {
        uint8_t type, to_type;
        struct str value;
    } empty[] = {
        {18, 1, BYTES("\0")},
        {20, 2, BYTES("\7\7\0\0\0\0\0\377")},
        {13, 4, BYTES("\13\13\0\0\0\12\0\0\0\0\0\377")},
        {24, 24, BYTES("\0\0\0\0\0\0\0\0\0")},
    };
    struct buf out = BUF_INIT(1 << 16);
    struct rdb_transcoded done;

    for (size_t i = 0; i < LENGTH_OF(empty); i++) {
        CU_ASSERT_EQUAL(transcode(NULL, RDB_REDIS, empty[i].type, empty[i].value, empty[i].to_type,
                                  &out, &done),
                        ERR_NONE);
        CU_ASSERT_TRUE(done.empty);
    }
    buf_done(&out);
}

static void scores_that_are_no_numbers_are_refused(void) {
    static const struct {
        uint8_t type;
        struct str value;
    } zsets[] = {
        {3, BYTES("\1\1a\375")},  /* the mark of a NaN */
        {3, BYTES("\1\1a\3nan")}, /* its digits */
        {3, BYTES("\1\1a\2"
                  "1x")},                        /* more than digits */
        {3, BYTES("\1\1a\0")},                   /* none */
        {5, BYTES("\1\1a\0\0\0\0\0\0\370\177")}, /* a binary NaN */
        {17, BYTES("\16\16\0\0\0\2\0\201a\2\202zz\3\377")},
    };
    struct buf out = BUF_INIT(1 << 16);
    struct rdb_transcoded done;

    for (size_t i = 0; i < LENGTH_OF(zsets); i++)
        CU_ASSERT_EQUAL(transcode(NULL, RDB_REDIS, zsets[i].type, zsets[i].value, 5, &out, &done),
                        ERR_RDB_CORRUPT);
    buf_done(&out);
}

static void a_field_may_live_longer(void) {
    struct err err = ERR_INIT;
    uint64_t at;

    CU_ASSERT_TRUE(
        rdb_field_expiry_write(RDB_FIELDS_EXTEND, 5000, RDB_VALKEY, 1700000000000, &at, &err));
    CU_ASSERT_EQUAL(at, 1700000005000);
    CU_ASSERT_TRUE(rdb_field_expiry_write(RDB_FIELDS_EXTEND, 5000, RDB_VALKEY, 0, &at, &err));
    CU_ASSERT_EQUAL(at, 0); /* it has none */
    CU_ASSERT_FALSE(rdb_field_expiry_write(RDB_FIELDS_EXTEND, UINT64_C(1) << 46, RDB_REDIS,
                                           1700000000000, &at, &err));
    CU_ASSERT_EQUAL(err.code, ERR_DEST_RESTORE);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_field_may_live_longer),
    CUNIT_TEST(hashes_with_templates_become_whole),
    CUNIT_TEST(a_template_that_is_not_there_is_an_error),
    CUNIT_TEST(templates_are_found_by_number_whatever_their_order),
    CUNIT_TEST(a_snapshot_with_templates_is_read),
    CUNIT_TEST(entries_given_back_are_not_forgotten_silently),
    CUNIT_TEST(idempotent_producers_go_where_they_are_known),
    CUNIT_TEST(a_wrong_length_is_mended_for_valkey),
    CUNIT_TEST(ways_that_do_not_exist_are_refused),
    CUNIT_TEST(an_empty_value_is_told),
    CUNIT_TEST(scores_that_are_no_numbers_are_refused),
};
CUNIT_MAIN("rdb_transcode_more", tests)
