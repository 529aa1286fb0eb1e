#include "proto/rdb/rdb_compose.h"
#include "proto/rdb/rdb_payload.h"
#include "proto/rdb/rdb_string.h"
#include "tests/support/cunit_run.h"
#include "tests/support/rdb_fixture.h"
#include "tests/support/rdb_story.h"

enum { OUT_MAX = 1 << 20 };

#define BYTES(literal) str_of(literal, sizeof(literal) - 1)

/* What DUMP answers for a value: type, bytes, footer. */
static struct buf dump_of(uint8_t type, struct str value, uint16_t version) {
    struct buf payload = BUF_INIT(OUT_MAX);
    char footer[RDB_PAYLOAD_FOOTER];
    struct err err = ERR_INIT;

    rdb_payload_footer(type, value, version, footer);
    CU_ASSERT_FATAL(buf_append(&payload, str_of(&type, 1), &err) &&
                    buf_append(&payload, value, &err) &&
                    buf_append(&payload, str_of(footer, sizeof(footer)), &err));
    return payload;
}

static bool put(struct rdb_composer *c, struct buf *out, uint32_t db, struct str key,
                struct str payload, int64_t expire_at_ms, struct err *err) {
    struct rdb_compose_key k = {
        .db = db, .key = key, .payload = payload, .expire_at_ms = expire_at_ms};
    struct str value;

    return rdb_compose_key(c, out, &k, &value, err) && buf_append(out, value, err);
}

static void a_snapshot_of_two_databases_is_these_bytes(void) {
    struct rdb_composer c = RDB_COMPOSER_INIT;
    struct buf out = BUF_INIT(OUT_MAX), one = dump_of(RDB_TYPE_STRING, BYTES("\1v"), 10);
    struct err err = ERR_INIT;

    CU_ASSERT_FATAL(put(&c, &out, 0, BYTES("a"), buf_str(&one), -1, &err));
    CU_ASSERT_FATAL(put(&c, &out, 0, BYTES("b"), buf_str(&one), 4102444800123, &err));
    CU_ASSERT_FATAL(put(&c, &out, 9, BYTES(""), buf_str(&one), 0, &err));
    CU_ASSERT_FATAL(rdb_compose_end(&c, &out, &err));
    CU_ASSERT(str_equal(buf_str(&out), BYTES("REDIS0010"
                                             "\xfe\x00"
                                             "\x00\x01"
                                             "a\x01v"
                                             "\xfc\x7b\xd8\xc3\x2c\xbb\x03\x00\x00"
                                             "\x00\x01"
                                             "b\x01v"
                                             "\xfe\x09"
                                             "\xfc\0\0\0\0\0\0\0\0"
                                             "\x00\x00"
                                             "\x01v"
                                             "\xff\0\0\0\0\0\0\0\0")));
    buf_done(&out);
    buf_done(&one);
}

static void valkey_is_told_by_the_version_and_the_empty_snapshot_is_an_old_one(void) {
    static const struct {
        uint16_t version;
        const char *magic;
    } rows[] = {{6, "REDIS0006"}, {79, "REDIS0079"}, {80, "VALKEY080"}, {999, "VALKEY999"}};
    struct err err = ERR_INIT;

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct rdb_composer c = RDB_COMPOSER_INIT;
        struct buf out = BUF_INIT(OUT_MAX);
        struct buf one = dump_of(RDB_TYPE_STRING, BYTES("\1v"), rows[i].version);

        CU_ASSERT(put(&c, &out, 0, BYTES("a"), buf_str(&one), -1, &err));
        CU_ASSERT(str_starts_with(buf_str(&out), str_from(rows[i].magic)));
        buf_done(&out);
        buf_done(&one);
    }
    {
        struct rdb_composer c = RDB_COMPOSER_INIT;
        struct buf out = BUF_INIT(OUT_MAX);
        struct rdb_story story;

        CU_ASSERT(rdb_compose_end(&c, &out, &err));
        CU_ASSERT(str_equal(buf_str(&out), BYTES("REDIS0009\xff\0\0\0\0\0\0\0\0")));
        story = rdb_story_of(buf_str(&out));
        CU_ASSERT_EQUAL(story.checksum, RDB_CHECKSUM_ABSENT);
        buf_done(&story.text);
        buf_done(&out);
    }
}

/* Give every record of a server's own snapshot to the composer as DUMP and PTTL would
 * have: a parser tells the same keys of what comes out. */
static void recompose(struct str file, struct buf *out) {
    struct rdb_composer c = RDB_COMPOSER_INIT;
    struct buf scratch = BUF_INIT(OUT_MAX);
    struct err err = ERR_INIT;
    struct rdb_parser p;
    struct rdb_event ev;

    rdb_parser_init(&p);
    do {
        CU_ASSERT_FATAL(rdb_parser_next(&p, str_skip(file, p.offset), &ev, &err) == RDB_EVENT);
        if (ev.kind == RDB_EV_KEY) {
            struct buf payload = dump_of(ev.key.type, ev.key.value, (uint16_t)p.version);
            struct str key;

            CU_ASSERT_FATAL(rdb_string_decode(ev.key.key, &scratch, &key, &err));
            CU_ASSERT_FATAL(
                put(&c, out, ev.key.db, key, buf_str(&payload), ev.key.expire_at_ms, &err));
            buf_done(&payload);
        }
    } while (ev.kind != RDB_EV_EOF);
    CU_ASSERT_FATAL(rdb_compose_end(&c, out, &err));
    buf_done(&scratch);
}

/* The keys of a snapshot as one text, without hints, which DUMP does not carry. */
static void keys_of(struct str file, struct buf *out) {
    struct buf scratch = BUF_INIT(OUT_MAX);
    struct err err = ERR_INIT;
    struct rdb_parser p;
    struct rdb_event ev;

    rdb_parser_init(&p);
    do {
        struct str key;

        CU_ASSERT_FATAL(rdb_parser_next(&p, str_skip(file, p.offset), &ev, &err) == RDB_EVENT);
        if (ev.kind != RDB_EV_KEY)
            continue;
        CU_ASSERT_FATAL(rdb_string_decode(ev.key.key, &scratch, &key, &err));
        CU_ASSERT_FATAL(buf_printf(out, &err, "%u %u %lld %zu:", ev.key.db, ev.key.type,
                                   (long long)ev.key.expire_at_ms, key.len) &&
                        buf_append(out, key, &err) && buf_append(out, ev.key.value, &err));
    } while (ev.kind != RDB_EV_EOF);
    buf_done(&scratch);
}

static void what_a_server_saved_comes_out_again_key_by_key(void) {
    const struct str files[] = {str_of(rdb_fixture_packed, sizeof(rdb_fixture_packed)),
                                str_of(rdb_fixture_unpacked, sizeof(rdb_fixture_unpacked))};

    for (size_t i = 0; i < LENGTH_OF(files); i++) {
        struct buf made = BUF_INIT(OUT_MAX), before = BUF_INIT(OUT_MAX), after = BUF_INIT(OUT_MAX);

        recompose(files[i], &made);
        keys_of(files[i], &before);
        keys_of(buf_str(&made), &after);
        CU_ASSERT(before.len > 100);
        CU_ASSERT(str_equal(buf_str(&before), buf_str(&after)));
        buf_done(&made);
        buf_done(&before);
        buf_done(&after);
    }
}

/* What FUNCTION DUMP answers: records as they are, and the same footer behind them. */
static struct buf functions_of(struct str records, uint16_t version) {
    return dump_of((uint8_t)records.ptr[0], str_skip(records, 1), version);
}

static void functions_stand_before_keys(void) {
    struct rdb_composer c = RDB_COMPOSER_INIT;
    struct buf out = BUF_INIT(OUT_MAX);
    struct buf functions = functions_of(BYTES("\xf5\x0c#!lua name=l"), 10);
    struct buf one = dump_of(RDB_TYPE_STRING, BYTES("\1v"), 10);
    struct rdb_story story;
    struct err err = ERR_INIT;

    CU_ASSERT(rdb_compose_functions(&c, &out, buf_str(&functions), &err));
    CU_ASSERT(put(&c, &out, 0, BYTES("k"), buf_str(&one), -1, &err));
    CU_ASSERT(rdb_compose_end(&c, &out, &err));
    story = rdb_story_of(buf_str(&out));
    CU_ASSERT_EQUAL(story.last, RDB_EVENT);
    CU_ASSERT_EQUAL(story.keys, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(story.text.ptr, "0c23216c7561206e616d653d6c"));
    buf_done(&story.text);
    buf_done(&out);
    buf_done(&functions);
    buf_done(&one);
}

static void what_is_wrong_leaves_everything_as_it_was(void) {
    struct rdb_composer c = RDB_COMPOSER_INIT;
    struct buf out = BUF_INIT(OUT_MAX), one = dump_of(RDB_TYPE_STRING, BYTES("\1v"), 10);
    struct buf other = dump_of(RDB_TYPE_STRING, BYTES("\1v"), 11);
    struct buf none = dump_of(RDB_TYPE_STRING, BYTES("\1v"), 0);
    struct buf late = dump_of(RDB_TYPE_STRING, BYTES("\1v"), 1000);
    struct err err = ERR_INIT;
    size_t before;

    CU_ASSERT_FATAL(put(&c, &out, 1, BYTES("a"), buf_str(&one), -1, &err));
    before = out.len;
    CU_ASSERT_FALSE(put(&c, &out, 2, BYTES("b"), buf_str(&other), -1, &err));
    CU_ASSERT_EQUAL(err.code, ERR_PROTOCOL);
    one.ptr[1] ^= 1;
    CU_ASSERT_FALSE(put(&c, &out, 2, BYTES("b"), buf_str(&one), -1, &err));
    CU_ASSERT_EQUAL(err.code, ERR_RDB_CORRUPT);
    one.ptr[1] ^= 1;
    CU_ASSERT_FALSE(put(&c, &out, 2, BYTES("b"), str_first(buf_str(&one), 11), -1, &err));
    CU_ASSERT_EQUAL(err.code, ERR_RDB_CORRUPT);
    CU_ASSERT_FALSE(rdb_compose_functions(&c, &out, BYTES("\xf5"), &err));
    CU_ASSERT_EQUAL(err.code, ERR_RDB_CORRUPT);
    CU_ASSERT_FALSE(rdb_compose_functions(&c, &out, buf_str(&one), &err));
    CU_ASSERT_EQUAL(err.code, ERR_RDB_CORRUPT);
    out.max = out.len + 3; /* no room for the whole */
    CU_ASSERT_FALSE(put(&c, &out, 2, BYTES("bbbb"), buf_str(&one), -1, &err));
    CU_ASSERT_EQUAL(err.code, ERR_TOO_BIG);
    CU_ASSERT_EQUAL(out.len, before);
    CU_ASSERT(c.db == 1 && c.version == 10);
    c = RDB_COMPOSER_INIT;
    out.max = OUT_MAX;
    CU_ASSERT_FALSE(put(&c, &out, 0, BYTES("a"), buf_str(&none), -1, &err));
    CU_ASSERT_FALSE(put(&c, &out, 0, BYTES("a"), buf_str(&late), -1, &err));
    CU_ASSERT_EQUAL(err.code, ERR_PROTOCOL);
    CU_ASSERT_EQUAL(c.version, 0);
    buf_done(&out);
    buf_done(&one);
    buf_done(&other);
    buf_done(&none);
    buf_done(&late);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_snapshot_of_two_databases_is_these_bytes),
    CUNIT_TEST(valkey_is_told_by_the_version_and_the_empty_snapshot_is_an_old_one),
    CUNIT_TEST(what_a_server_saved_comes_out_again_key_by_key),
    CUNIT_TEST(functions_stand_before_keys),
    CUNIT_TEST(what_is_wrong_leaves_everything_as_it_was),
};
CUNIT_MAIN("rdb_compose", tests)
