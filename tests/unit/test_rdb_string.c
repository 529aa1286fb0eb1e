#include <stdint.h>
#include <stdlib.h>

#include "proto/base/bytes.h"
#include "proto/rdb/lzf.h"
#include "proto/rdb/rdb_payload.h"
#include "proto/rdb/rdb_string.h"
#include "tests/support/cunit_run.h"

/* STR_LIT for a table, which may hold constants only. */
#define BYTES(literal)                                                                             \
    { .ptr = (literal), .len = sizeof(literal) - 1 }

/* A copy of exactly its size, so that a sanitizer sees a read past it. */
static char *exact(struct str s) {
    char *copy = malloc(s.len ? s.len : 1);

    if (s.len)
        memcpy(copy, s.ptr, s.len);
    return copy;
}

static const struct {
    struct str raw, plain;
} decoded[] = {
    {BYTES("\0"), BYTES("")},
    {BYTES("\5hello"), BYTES("hello")},
    {BYTES("\x40\3abc"), BYTES("abc")},
    {BYTES("\x80\0\0\0\3abc"), BYTES("abc")},
    {BYTES("\x81\0\0\0\0\0\0\0\3abc"), BYTES("abc")},
    {BYTES("\xc0\xf9"), BYTES("-7")},
    {BYTES("\xc0\x7f"), BYTES("127")},
    {BYTES("\xc1\x00\x80"), BYTES("-32768")},
    {BYTES("\xc2\xff\xff\xff\x7f"), BYTES("2147483647")},
    {BYTES("\xc2\x00\x00\x00\x80"), BYTES("-2147483648")},
    /* literals, then a copy that overlaps itself: 2 + 29 */
    {BYTES("\xc3\6\x1f\1aa\xe0\x14\0"), BYTES("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")},
    /* three bytes from five back, a literal behind */
    {BYTES("\xc3\x0b\x0a\4abcde\x20\4\1yz"), BYTES("abcdeabcyz")},
    {BYTES("\xc3\0\0"), BYTES("")},
};

static void every_encoding_yields_its_bytes(void) {
    struct buf scratch = BUF_INIT(1024);

    for (size_t i = 0; i < LENGTH_OF(decoded); i++) {
        char *copy = exact(decoded[i].raw);
        struct str raw = str_of(copy, decoded[i].raw.len), got = STR_EMPTY;
        struct err err = ERR_INIT;
        uint64_t len = UINT64_MAX;

        CU_ASSERT_TRUE(rdb_string_decode(raw, &scratch, &got, &err));
        CU_ASSERT(str_equal(got, decoded[i].plain));
        CU_ASSERT_TRUE(rdb_string_len(raw, &len, &err));
        CU_ASSERT_EQUAL(len, decoded[i].plain.len);
        free(copy);
    }
    buf_done(&scratch);
}

static void a_plain_string_is_not_copied(void) {
    struct str raw = STR_LIT("\5hello"), got;
    struct buf scratch = BUF_INIT(0);
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(rdb_string_decode(raw, &scratch, &got, &err));
    CU_ASSERT_PTR_EQUAL(got.ptr, raw.ptr + 1);
    buf_done(&scratch);
}

static const struct str damaged[] = {
    BYTES(""),
    BYTES("\5hell"),                         /* cut */
    BYTES("\5hello!"),                       /* overlong */
    BYTES("\x82\0\0\0\0"),                   /* no such length */
    BYTES("\xc4\0"),                         /* no such encoding */
    BYTES("\xc1\0"),                         /* cut integer */
    BYTES("\xc3\1"),                         /* no second length */
    BYTES("\xc3\4\6\1ab\x20"),               /* a copy without its distance */
    BYTES("\xc3\5\6\1ab\x20\2"),             /* a copy from before the beginning */
    BYTES("\xc3\5\4\1ab\x20\1"),             /* unpacks to more than it claims */
    BYTES("\xc3\5\6\1ab\x20\1"),             /* unpacks to less than it claims */
    BYTES("\xc3\3\3\5ab"),                   /* literals that are not there */
    BYTES("\xc3\2\x10\1\xe0"),               /* a long copy without its length */
    BYTES("\xc3\3\x80\xff\xff\xff\xff\1aa"), /* a bomb */
    BYTES("\xc3\3\x41\x09\1aa"),             /* 265 bytes out of 3 */
    BYTES("\x81\xff\xff\xff\xff\xff\xff\xff\xff"),
};

static void what_is_damaged_is_refused(void) {
    struct buf scratch = BUF_INIT(1 << 20);

    for (size_t i = 0; i < LENGTH_OF(damaged); i++) {
        char *copy = exact(damaged[i]);
        struct str raw = str_of(copy, damaged[i].len), got = STR_LIT("untouched");
        struct err err = ERR_INIT;

        CU_ASSERT_FALSE(rdb_string_decode(raw, &scratch, &got, &err));
        CU_ASSERT_EQUAL(err.code, ERR_RDB_CORRUPT);
        CU_ASSERT(str_equal(got, STR_LIT("untouched")));
        free(copy);
    }
    CU_ASSERT(scratch.cap < 1 << 16); /* no claim made it allocate */
    buf_done(&scratch);
}

static void unpacking_stops_at_the_cap(void) {
    struct buf scratch = BUF_INIT(30);
    struct err err = ERR_INIT;
    struct str got;

    CU_ASSERT_FALSE(rdb_string_decode(STR_LIT("\xc3\6\x1f\1aa\xe0\x14\0"), &scratch, &got, &err));
    CU_ASSERT_EQUAL(err.code, ERR_TOO_BIG);
    buf_done(&scratch);
}

static void taking_reads_whole_things_or_leaves_the_rest_alone(void) {
    struct str rest = STR_LIT("\x40\xff\2hi\xc0\5\3ab"), raw;
    uint64_t value = 0;

    CU_ASSERT_FALSE(rdb_take_str(&rest, &raw)); /* 255 bytes are not there */
    CU_ASSERT_TRUE(rdb_take_len(&rest, &value));
    CU_ASSERT_EQUAL(value, 255);
    CU_ASSERT_TRUE(rdb_take_str(&rest, &raw));
    CU_ASSERT(str_equal(raw, STR_LIT("\2hi")));
    CU_ASSERT_FALSE(rdb_take_len(&rest, &value)); /* an integer string is no length */
    CU_ASSERT_TRUE(rdb_take_str(&rest, &raw));
    CU_ASSERT_FALSE(rdb_take_str(&rest, &raw));
    CU_ASSERT(str_equal(rest, STR_LIT("\3ab")));
}

/* DUMP of two keys by redis-server 7.0.15: 'abcdef' forty times, and -70000. */
static const struct str dumps[] = {
    BYTES("\x00\xc3\x0e\x40\xf0\x06\x61\x62\x63\x64\x65\x66\x61\xe0\xde\x05\x01\x65\x66\x0a\x00\x48"
          "\x68\x33\x4c\x46\x1a\xdc\x08"),
    BYTES("\x00\xc2\x90\xee\xfe\xff\x0a\x00\x28\x75\xde\x7b\x13\xeb\x28\x00"),
};

static void a_dump_of_a_server_comes_out_as_it_went_in(void) {
    for (size_t i = 0; i < LENGTH_OF(dumps); i++) {
        struct rdb_payload payload;
        struct err err = ERR_INIT;
        char footer[RDB_PAYLOAD_FOOTER];

        CU_ASSERT_TRUE_FATAL(rdb_payload_parse(dumps[i], &payload, &err));
        CU_ASSERT_EQUAL(payload.type, RDB_TYPE_STRING);
        CU_ASSERT_EQUAL(payload.version, 10);
        CU_ASSERT_EQUAL(payload.meta.len, 0);
        CU_ASSERT_TRUE(payload.summed);
        CU_ASSERT_EQUAL(rdb_payload_size(payload.value.len), dumps[i].len);
        rdb_payload_footer(payload.type, payload.value, payload.version, footer);
        CU_ASSERT(str_equal(str_of(footer, sizeof(footer)),
                            str_skip(dumps[i], dumps[i].len - RDB_PAYLOAD_FOOTER)));
    }
}

static void a_new_footer_makes_a_payload_that_parses_again(void) {
    struct rdb_payload payload;
    struct err err = ERR_INIT;
    char bytes[64];

    CU_ASSERT_TRUE_FATAL(rdb_payload_parse(dumps[0], &payload, &err));
    memcpy(bytes, dumps[0].ptr, dumps[0].len);
    rdb_payload_footer(payload.type, payload.value, 80, bytes + 1 + payload.value.len);
    CU_ASSERT_TRUE(rdb_payload_parse(str_of(bytes, dumps[0].len), &payload, &err));
    CU_ASSERT_EQUAL(payload.version, 80);
    rdb_payload_footer_unsummed(13, bytes + 1 + payload.value.len);
    CU_ASSERT_TRUE(rdb_payload_parse(str_of(bytes, dumps[0].len), &payload, &err));
    CU_ASSERT_EQUAL(payload.version, 13);
    CU_ASSERT_FALSE(payload.summed);
}

static void a_damaged_payload_is_refused(void) {
    char bytes[64];
    struct rdb_payload payload;

    for (size_t at = 0; at < dumps[0].len; at++) {
        struct err err = ERR_INIT;

        memcpy(bytes, dumps[0].ptr, dumps[0].len);
        bytes[at] = (char)(bytes[at] ^ 1);
        CU_ASSERT_FALSE(rdb_payload_parse(str_of(bytes, dumps[0].len), &payload, &err));
        CU_ASSERT_EQUAL(err.code, ERR_RDB_CORRUPT);
        err_clear(&err);
        CU_ASSERT_FALSE(rdb_payload_parse(str_first(dumps[0], at), &payload, &err));
    }
}

static void key_metadata_stands_before_the_type(void) {
    struct str payload = STR_LIT("\xf3\1"
                                 "abcd\2\5\0"
                                 "\0\1v"
                                 "\x0d\0"
                                 "\0\0\0\0\0\0\0\0");
    struct rdb_payload got;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE_FATAL(rdb_payload_parse(payload, &got, &err));
    CU_ASSERT(str_equal(got.meta, STR_LIT("\xf3\1"
                                          "abcd\2\5\0")));
    CU_ASSERT_EQUAL(got.type, 0);
    CU_ASSERT(str_equal(got.value, STR_LIT("\1v")));
    CU_ASSERT_FALSE(rdb_payload_parse(STR_LIT("\xf3\1"
                                              "abcd\2\5"
                                              "\x0d\0"
                                              "\0\0\0\0\0\0\0\0"),
                                      &got, &err));
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(every_encoding_yields_its_bytes),
    CUNIT_TEST(a_plain_string_is_not_copied),
    CUNIT_TEST(what_is_damaged_is_refused),
    CUNIT_TEST(unpacking_stops_at_the_cap),
    CUNIT_TEST(taking_reads_whole_things_or_leaves_the_rest_alone),
    CUNIT_TEST(a_dump_of_a_server_comes_out_as_it_went_in),
    CUNIT_TEST(a_new_footer_makes_a_payload_that_parses_again),
    CUNIT_TEST(a_damaged_payload_is_refused),
    CUNIT_TEST(key_metadata_stands_before_the_type),
};
CUNIT_MAIN("rdb_string", tests)
