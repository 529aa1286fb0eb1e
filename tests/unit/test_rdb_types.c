#include <stdio.h>

#include "tests/support/cunit_run.h"
#include "tests/support/rdb_story.h"

/* STR_LIT for a table, which may hold constants only. */
#define BYTES(literal)                                                                             \
    { .ptr = (literal), .len = sizeof(literal) - 1 }

#define ID16 "\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\1"
#define MS8 "\1\2\3\4\5\6\7\10"
#define LEN64 "\x81\xff\xff\xff\xff\xff\xff\xff\xff"
#define NODES "\1\20" ID16 "\5stuff"
#define PENDING "\1" ID16 MS8 "\2"
#define IDMP "\3\4\1\2id\1\1x\7\0\5\6"

/* One value of every layout. */
static const struct sample {
    const char *magic;
    uint8_t type;
    struct str value;
} samples[] = {
    {"REDIS0001", 0, BYTES("\5hello")},
    {"REDIS0003", 0, BYTES("\xc0\x85")},
    {"REDIS0006", 0, BYTES("\xc1\x39\x30")},
    {"REDIS0006", 0, BYTES("\xc2\x15\xcd\x5b\x07")},
    {"REDIS0006", 0, BYTES("\xc3\6\x1f\1aa\xe0\x14\0")},
    {"REDIS0006", 0, BYTES("\x40\3abc")},
    {"REDIS0006", 0, BYTES("\x80\0\0\0\3abc")},
    {"REDIS0008", 0, BYTES("\x81\0\0\0\0\0\0\0\3abc")},
    {"REDIS0001", 1, BYTES("\2\1a\xc0\7")},
    {"REDIS0001", 1, BYTES("\0")},
    {"REDIS0001", 2, BYTES("\2\1a\1b")},
    {"REDIS0001", 3,
     BYTES("\4\1a\3"
           "2.5\1b\xfd\1c\xfe\1d\xff")},
    {"REDIS0001", 4, BYTES("\1\1f\1v")},
    {"REDIS0008", 5, BYTES("\1\1m" MS8)},
    {"REDIS0009", 7,
     BYTES("\x81ReJSON-R\1\x05\2\x81" MS8 "\3"
           "abcd\4" MS8 "\5\2hi\0")},
    {"REDIS0002", 9, BYTES("\2zz")},
    {"REDIS0002", 10, BYTES("\2zz")},
    {"REDIS0002", 11, BYTES("\2zz")},
    {"REDIS0004", 12, BYTES("\2zz")},
    {"REDIS0004", 13, BYTES("\2zz")},
    {"REDIS0007", 14, BYTES("\2\2zz\1z")},
    {"REDIS0009", 15, BYTES(NODES "\1\5\1\1\3grp\5\1" PENDING "\1\5alice" MS8 "\1" ID16)},
    {"REDIS0009", 15, BYTES("\0\0\0\0\0")},
    {"REDIS0010", 16, BYTES("\2zz")},
    {"REDIS0010", 17, BYTES("\2zz")},
    {"REDIS0010", 18, BYTES("\2\1\2zz\2\3lpp")},
    {"REDIS0010", 19,
     BYTES(NODES "\1\5\1\5\1\0\0\1\1\3grp\5\1" LEN64 PENDING "\1\5alice" MS8 "\1" ID16)},
    {"REDIS0011", 20, BYTES("\2zz")},
    {"REDIS0011", 21,
     BYTES(NODES "\1\5\1\5\1\0\0\1\2\3grp\5\1" LEN64 PENDING "\1\5alice" MS8 MS8 "\1" ID16
                 "\1g\0\0\0\0\0")},
    {"REDIS0012", 22, BYTES("\1\7\1f\1v")},
    {"VALKEY080", 22, BYTES("\1\1f\1v\xff\xff\xff\xff\xff\xff\xff\xff")},
    {"REDIS0012", 23, BYTES("\2zz")},
    {"REDIS0012", 24, BYTES(MS8 "\2\0\1f\1v\5\1g\1w")},
    {"REDIS0012", 25, BYTES(MS8 "\2zz")},
    {"REDIS0013", 26,
     BYTES(NODES "\1\5\1\5\1\0\0\1\1\3grp\5\1" LEN64 PENDING "\1\5alice" MS8 MS8 "\1" ID16 IDMP)},
    {"REDIS0014", 27,
     BYTES(NODES "\1\5\1\5\1\0\0\1\1\3grp\5\1" LEN64 PENDING "\1\5alice" MS8 MS8 "\1" ID16
                 "\1" ID16 IDMP)},
    {"REDIS0014", 28, BYTES("\4\1\7\0\0\2hi\1\1" MS8 "\2\2" MS8 "\7\3\1x")},
    {"REDIS0014", 28, BYTES("\0\0")},
    {"REDIS0015", 30, BYTES("\2zz")},
};

static void every_type_ends_where_its_value_ends(void) {
    for (size_t i = 0; i < LENGTH_OF(samples); i++) {
        struct buf file = rdb_story_key(samples[i].magic, samples[i].type, samples[i].value);
        struct rdb_story s = rdb_story_of(buf_str(&file));
        struct buf want = BUF_INIT(4096);
        struct err err = ERR_INIT;

        CU_ASSERT_TRUE_FATAL(buf_printf(
            &want, &err,
            "db=5 type=%u expire=-1 idle=-1 freq=-1 key=036b6579 value=", samples[i].type));
        for (size_t k = 0; k < samples[i].value.len; k++)
            CU_ASSERT_TRUE_FATAL(buf_printf(&want, &err, "%02x", (uint8_t)samples[i].value.ptr[k]));
        CU_ASSERT_TRUE_FATAL(buf_append(&want, STR_LIT(" meta=\n"), &err));
        CU_ASSERT_EQUAL(s.last, RDB_EVENT);
        CU_ASSERT_PTR_NOT_NULL(strstr(s.text.ptr, want.ptr));
        CU_ASSERT_EQUAL(s.keys, 1);
        if (s.last != RDB_EVENT || !strstr(s.text.ptr, want.ptr))
            printf("\n  sample %zu (type %u): %s\n", i, samples[i].type, s.err.frame[0]);
        buf_done(&want);
        buf_done(&s.text);
        buf_done(&file);
    }
}

static void any_cut_of_any_type_only_asks_for_more(void) {
    for (size_t i = 0; i < LENGTH_OF(samples); i++) {
        struct buf file = rdb_story_key(samples[i].magic, samples[i].type, samples[i].value);

        rdb_story_in_pieces(buf_str(&file));
        buf_done(&file);
    }
}

/* Records that no server of ours writes, told by their bytes. */
static const struct record_sample {
    const char *magic;
    struct str bytes;
    enum rdb_event_kind kind;
} record_samples[] = {
    {"REDIS0010", BYTES("\xf5\3lib"), RDB_EV_FUNCTION},
    {"REDIS0010", BYTES("\xf6\1n\3LUA\1\4desc\4code"), RDB_EV_FUNCTION},
    {"REDIS0010", BYTES("\xf6\1n\3LUA\0\4code"), RDB_EV_FUNCTION},
    {"REDIS0009", BYTES("\xf7\x81" MS8 "\2\1\5\2hi\0"), RDB_EV_MODULE_AUX},
    {"REDIS0012", BYTES("\xf4\7\2\1"), RDB_EV_SLOT_INFO},
    {"VALKEY080", BYTES("\xf3\3job\2\0\5\x40\x64\x80\0\0\x3f\xff"), RDB_EV_SLOT_IMPORT},
    {"REDIS0015", BYTES("\xf2\1\2\1f\1g"), RDB_EV_HASH_TEMPLATE},
    {"REDIS0013",
     BYTES("\xf3\1"
           "abcd\2\5\0\0\1k\1v"),
     RDB_EV_KEY},
    {"REDIS0009", BYTES("\xfa\xc0\7\1v"), RDB_EV_AUX},
    {"REDIS0009", BYTES("\xfb\x40\xff\3"), RDB_EV_RESIZEDB},
};

static void every_record_is_told_whole(void) {
    for (size_t i = 0; i < LENGTH_OF(record_samples); i++) {
        struct buf file = rdb_story_file(record_samples[i].magic, record_samples[i].bytes);
        struct err err = ERR_INIT;
        struct rdb_parser p;
        struct rdb_event ev;

        rdb_story_in_pieces(buf_str(&file));
        rdb_parser_init(&p);
        CU_ASSERT_EQUAL(rdb_parser_next(&p, buf_str(&file), &ev, &err), RDB_EVENT);
        CU_ASSERT_EQUAL_FATAL(rdb_parser_next(&p, str_skip(buf_str(&file), 9), &ev, &err),
                              RDB_EVENT);
        CU_ASSERT_EQUAL(ev.kind, record_samples[i].kind);
        CU_ASSERT_EQUAL(ev.size, record_samples[i].bytes.len);
        switch (i) {
        case 1:
            CU_ASSERT_TRUE(ev.function.pre_ga);
            CU_ASSERT(str_equal(ev.function.description, STR_LIT("\4desc")));
            CU_ASSERT(str_equal(ev.function.source, STR_LIT("\4code")));
            break;
        case 3:
            CU_ASSERT(str_equal(ev.module_aux.items, STR_LIT("\5\2hi\0")));
            break;
        case 5:
            CU_ASSERT_EQUAL(ev.slot_import.range_count, 2);
            CU_ASSERT_EQUAL(ev.slot_import.ranges.len, 9);
            break;
        case 7:
            CU_ASSERT(str_equal(ev.key.meta, STR_LIT("\xf3\1"
                                                     "abcd\2\5\0")));
            CU_ASSERT(str_equal(ev.key.value, STR_LIT("\1v")));
            break;
        default:
            break;
        }
        buf_done(&file);
    }
}

/* What is refused, with which code, and what the sentence must name. */
static const struct refusal {
    struct str file;
    enum err_code code;
    const char *names;
} refusals[] = {
    {BYTES("+FULLRESYNC"), ERR_RDB_CORRUPT, "offset 0"},
    {BYTES("REDIS00x9"), ERR_RDB_CORRUPT, "offset 0"},
    {BYTES("REDIS0000"), ERR_RDB_CORRUPT, "offset 0"},
    {BYTES("REDIS0009\xfe\3\x06\1k\1v"), ERR_RDB_UNSUPPORTED, "value type 6 (module) at offset 11"},
    {BYTES("REDIS0009\xfe\3\x63\1k\1v"), ERR_RDB_UNSUPPORTED, "database 3"},
    {BYTES("REDIS0009\x08\1k\1v"), ERR_RDB_UNSUPPORTED, "read_mode: scan"},
    {BYTES("REDIS0013\x17\1k\1v\xf1"), ERR_RDB_UNSUPPORTED, "opcode 241"},
    {BYTES("VALKEY081\x17\1k\1v"), ERR_RDB_UNSUPPORTED, "value type 23"},
    {BYTES("VALKEY080\xf4\1\1\1"), ERR_RDB_UNSUPPORTED, "opcode 244"},
    {BYTES("REDIS0015\x20\1k\1"), ERR_RDB_UNSUPPORTED, "value type 32"},
    {BYTES("REDIS0009\xfe\x81\1\0\0\0\0\0\0\0"), ERR_RDB_CORRUPT, "offset 10"},
    {BYTES("REDIS0009\0\1k\x82xxxx"), ERR_RDB_CORRUPT, "offset 12"},
    {BYTES("REDIS0009\0\xc4k"), ERR_RDB_CORRUPT, "key name"},
    {BYTES("REDIS0009\0\1k\x81\xff\xff\xff\xff\xff\xff\xff\xff"), ERR_RDB_CORRUPT, "offset 12"},
    {BYTES("REDIS0009\x01\1k\xc0\1"), ERR_RDB_CORRUPT, "value"},
    {BYTES("REDIS0009\7\1k\1\6"), ERR_RDB_CORRUPT, "module2"},
    {BYTES("REDIS0009\xf6\1n\1e\2"), ERR_RDB_CORRUPT, "opcode 246"},
    {BYTES("REDIS0014\x1c\1k\1\0\0\5"), ERR_RDB_CORRUPT, "array"},
    {BYTES("REDIS0009\xfd\1\0\0\0\xfe\1"), ERR_RDB_CORRUPT, "without its key"},
    {BYTES("REDIS0009\xfc" MS8 "\xff" MS8), ERR_RDB_CORRUPT, "without its key"},
    {BYTES("REDIS0013\xf3\1"
           "abcd\0\xf3\1"
           "abcd\0"),
     ERR_RDB_CORRUPT, "second metadata"},
    {BYTES("REDIS0009\xf8" LEN64 "\0\1k\1v"), ERR_RDB_CORRUPT, "idle"},
};

static void what_is_wrong_is_named_with_its_place(void) {
    for (size_t i = 0; i < LENGTH_OF(refusals); i++) {
        for (size_t step = 1; step < 60; step += 58) {
            struct rdb_story s = rdb_story_from(refusals[i].file, step, NULL);

            CU_ASSERT_EQUAL(s.last, RDB_WRONG);
            CU_ASSERT_EQUAL(s.err.code, refusals[i].code);
            CU_ASSERT_PTR_NOT_NULL(strstr(s.err.frame[0], refusals[i].names));
            if (s.last != RDB_WRONG || !strstr(s.err.frame[0], refusals[i].names))
                printf("\n  refusal %zu: %d '%s'\n", i, (int)s.last, s.err.frame[0]);
            buf_done(&s.text);
        }
    }
}

static void type_numbers_mean_what_their_vendor_says(void) {
    CU_ASSERT_STRING_EQUAL(rdb_type_name(RDB_REDIS, 22), "hash-meta-rc");
    CU_ASSERT_STRING_EQUAL(rdb_type_name(RDB_VALKEY, 22), "hash2");
    CU_ASSERT_STRING_EQUAL(rdb_type_name(RDB_VALKEY, 23), "unknown");
    CU_ASSERT_EQUAL(rdb_type_kind(RDB_REDIS, 26), RDB_KIND_STREAM);
    CU_ASSERT_STRING_EQUAL(rdb_kind_name(RDB_KIND_UNKNOWN), "unknown");
    CU_ASSERT_TRUE(rdb_type_is_dumpable(RDB_REDIS, 21));
    CU_ASSERT_FALSE(rdb_type_is_dumpable(RDB_REDIS, 30));
    CU_ASSERT_FALSE(rdb_type_is_dumpable(RDB_REDIS, 6));
    CU_ASSERT_FALSE(rdb_type_is_dumpable(RDB_REDIS, 99));
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(every_type_ends_where_its_value_ends),
    CUNIT_TEST(any_cut_of_any_type_only_asks_for_more),
    CUNIT_TEST(every_record_is_told_whole),
    CUNIT_TEST(what_is_wrong_is_named_with_its_place),
    CUNIT_TEST(type_numbers_mean_what_their_vendor_says),
};
CUNIT_MAIN("rdb_types", tests)
