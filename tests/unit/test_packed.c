#include <stdlib.h>

#include "proto/base/buf.h"
#include "proto/base/bytes.h"
#include "proto/rdb/intset.h"
#include "proto/rdb/listpack.h"
#include "proto/rdb/ziplist.h"
#include "proto/rdb/zipmap.h"
#include "tests/support/cunit_run.h"

enum packing { LISTPACK, ZIPLIST, INTSET, ZIPMAP };

/* One reader for all, so that every test below holds for every encoding. */
struct reader {
    enum packing packing;
    union {
        struct listpack lp;
        struct ziplist zl;
        struct intset set;
        struct zipmap zm;
    };
};

static bool reader_open(struct reader *r, enum packing packing, struct str blob) {
    struct err err = ERR_INIT;

    r->packing = packing;
    switch (packing) {
    case LISTPACK:
        return listpack_open(&r->lp, blob, &err);
    case ZIPLIST:
        return ziplist_open(&r->zl, blob, &err);
    case INTSET:
        return intset_open(&r->set, blob, &err);
    default:
        return zipmap_open(&r->zm, blob, &err);
    }
}

static enum packed_next reader_next(struct reader *r, struct packed_value *value) {
    switch (r->packing) {
    case LISTPACK:
        return listpack_next(&r->lp, value);
    case ZIPLIST:
        return ziplist_next(&r->zl, value);
    case INTSET:
        return intset_next(&r->set, value);
    default:
        return zipmap_next(&r->zm, value);
    }
}

/* Read a copy of exactly the blob's size to its end: the elements with a blank
 * behind each. False: not readable (what came before is in `text`). */
static bool read_blob(enum packing packing, struct str blob, struct buf *text) {
    char *copy = malloc(blob.len ? blob.len : 1), room[PACKED_DIGITS];
    enum packed_next next = PACKED_WRONG;
    struct packed_value value;
    struct err err = ERR_INIT;
    struct reader r;

    if (blob.len)
        memcpy(copy, blob.ptr, blob.len);
    if (reader_open(&r, packing, str_of(copy, blob.len))) {
        while ((next = reader_next(&r, &value)) == PACKED_VALUE) {
            CU_ASSERT_TRUE_FATAL(buf_append(text, packed_value_text(&value, room), &err));
            CU_ASSERT_TRUE_FATAL(buf_append(text, STR_LIT(" "), &err));
        }
        CU_ASSERT_EQUAL(reader_next(&r, &value), next);
    }
    free(copy);
    return next == PACKED_END;
}

#define BYTES(literal)                                                                             \
    { .ptr = (literal), .len = sizeof(literal) - 1 }

static const struct golden {
    enum packing packing;
    struct str blob;
    const char *text;
} goldens[] = {
    /* A list with every integer form, as redis-server 7.0.15 packed it. */
    {LISTPACK,
     BYTES("\x70\x00\x00\x00\x16\x00\x81\x61\x02\x80\x01\x00\x01\x7f\x01\xc0\x80\x02\xdf\xff\x02"
           "\xcf\xff\x02\xd0\x00\x02\xf1\x00\x10\x03\xf1\xff\xef\x03\xf1\xff\x7f\x03\xf1\x00\x80"
           "\x03\xf2\x00\x80\x00\x04\xf2\xff\xff\x7f\x04\xf2\x00\x00\x80\x04\xf3\x00\x00\x80\x00"
           "\x05\xf3\xff\xff\xff\x7f\x05\xf3\x00\x00\x00\x80\x05\xf4\x00\x00\x00\x80\x00\x00\x00"
           "\x00\x09\xf4\x00\x00\x00\x00\x00\x00\x00\x80\x09\xf4\xff\xff\xff\xff\xff\xff\xff\x7f"
           "\x09\x83\x30\x30\x37\x04\xff"),
     "a  0 127 128 -1 4095 -4096 4096 -4097 32767 -32768 32768 8388607 -8388608 8388608 2147483647"
     " -2147483648 2147483648 -9223372036854775808 9223372036854775807 007 "},
    {LISTPACK, BYTES("\x07\0\0\0\0\0\xff"), ""},
    /* An unknown count is not held against the elements. */
    {LISTPACK, BYTES("\x09\0\0\0\xff\xff\x05\x01\xff"), "5 "},
    {ZIPLIST,
     BYTES("\x40\0\0\0\x35\0\0\0\x0a\0"
           "\0\2ab"                                     /* 6-bit string */
           "\4\x40\3xyz"                                /* 14-bit string */
           "\6\x80\0\0\0\1q"                            /* 32-bit string */
           "\xfe\7\0\0\0\xf1"                           /* 0, behind a long previous-length */
           "\6\xfd"                                     /* 12 */
           "\2\xfe\x80"                                 /* int8 */
           "\3\xc0\x00\x80"                             /* int16 */
           "\4\xf0\xff\xff\x7f"                         /* int24 */
           "\5\xd0\0\0\0\x80"                           /* int32 */
           "\6\xe0\xff\xff\xff\xff\xff\xff\xff\x7f\xff" /* int64, end */
           ),
     "ab xyz q 0 12 -128 -32768 8388607 -2147483648 9223372036854775807 "},
    {ZIPLIST, BYTES("\x0b\0\0\0\x0a\0\0\0\0\0\xff"), ""},
    {INTSET, BYTES("\2\0\0\0\3\0\0\0\xfd\xff\1\0\2\0"), "-3 1 2 "},
    {INTSET, BYTES("\4\0\0\0\2\0\0\0\1\0\0\0\x70\x11\1\0"), "1 70000 "},
    {INTSET, BYTES("\x08\0\0\0\2\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0"), "1 1099511627776 "},
    {INTSET, BYTES("\2\0\0\0\0\0\0\0"), ""},
    {ZIPMAP, BYTES("\2\1f\3\0bar\2gg\2\1zz!\xff"), "f bar gg zz "},
    {ZIPMAP, BYTES("\xfe\1f\xfe\1\0\0\0\0b\xff"), "f b "},
    {ZIPMAP, BYTES("\0\xff"), ""},
};

static void every_form_of_element_is_read(void) {
    for (size_t i = 0; i < LENGTH_OF(goldens); i++) {
        struct buf text = BUF_INIT(4096);

        CU_ASSERT_TRUE(read_blob(goldens[i].packing, goldens[i].blob, &text));
        CU_ASSERT(str_equal(buf_str(&text), str_from(goldens[i].text)));
        buf_done(&text);
    }
}

static void a_cut_blob_is_refused(void) {
    for (size_t i = 0; i < LENGTH_OF(goldens); i++) {
        for (size_t len = 0; len < goldens[i].blob.len; len++) {
            struct buf text = BUF_INIT(4096);

            CU_ASSERT_FALSE(read_blob(goldens[i].packing, str_first(goldens[i].blob, len), &text));
            buf_done(&text);
        }
    }
}

/* Cut, and the header says so: only the elements can tell. */
static void a_cut_blob_with_an_honest_length_is_refused(void) {
    for (size_t i = 0; i < LENGTH_OF(goldens); i++) {
        if (goldens[i].packing != LISTPACK && goldens[i].packing != ZIPLIST)
            continue;
        for (size_t len = 4; len < goldens[i].blob.len; len++) {
            struct buf text = BUF_INIT(4096), copy = BUF_INIT(4096);
            struct err err = ERR_INIT;

            CU_ASSERT_TRUE_FATAL(buf_append(&copy, str_first(goldens[i].blob, len), &err));
            copy.ptr[0] = (char)len;
            CU_ASSERT_FALSE(read_blob(goldens[i].packing, buf_str(&copy), &text));
            buf_done(&copy);
            buf_done(&text);
        }
    }
}

/* Any byte may be any other: no read leaves the blob (a sanitizer watches) and
 * every reading ends. Most blobs stay readable, so the outcome is not asserted. */
static void no_changed_byte_leads_outside(void) {
    size_t read = 0;

    for (size_t i = 0; i < LENGTH_OF(goldens); i++) {
        for (size_t at = 0; at < goldens[i].blob.len; at++) {
            for (unsigned to = 0; to < 256; to++) {
                struct buf text = BUF_INIT(1 << 16), copy = BUF_INIT(4096);
                struct err err = ERR_INIT;

                CU_ASSERT_TRUE_FATAL(buf_append(&copy, goldens[i].blob, &err));
                copy.ptr[at] = (char)to;
                read += read_blob(goldens[i].packing, buf_str(&copy), &text);
                buf_done(&copy);
                buf_done(&text);
            }
        }
    }
    CU_ASSERT(read > 1000);
}

/* Strings around the borders of the length forms, and of the backward length. */
static void a_listpack_holds_long_strings(void) {
    static const size_t lens[] = {63, 64, 125, 126, 4095, 4096, 16380, 16382, 20000};

    for (size_t i = 0; i < LENGTH_OF(lens); i++) {
        size_t len = lens[i], head = len < 64 ? 1 : len < 4096 ? 2 : 5, size = head + len;
        size_t back = size <= 127 ? 1 : size < 16383 ? 2 : 3, total = 6 + size + back + 2 + 1;
        struct buf blob = BUF_INIT(1 << 16), text = BUF_INIT(1 << 16);
        struct err err = ERR_INIT;

        CU_ASSERT_TRUE_FATAL(buf_reserve(&blob, total, &err));
        memset(blob.ptr, 'x', total);
        store_le32(blob.ptr, (uint32_t)total);
        store_le16(blob.ptr + 4, 2);
        if (head == 1) {
            blob.ptr[6] = (char)(0x80 | len);
        } else if (head == 2) {
            blob.ptr[6] = (char)(0xe0 | len >> 8);
            blob.ptr[7] = (char)len;
        } else {
            blob.ptr[6] = (char)0xf0;
            store_le32(blob.ptr + 7, (uint32_t)len);
        }
        memcpy(blob.ptr + total - 3, "\x07\x01\xff", 3);
        blob.len = total;
        CU_ASSERT_TRUE(read_blob(LISTPACK, buf_str(&blob), &text));
        CU_ASSERT_EQUAL(text.len, len + 1 + 2);
        buf_done(&text);
        buf_done(&blob);
    }
}

static const struct {
    enum packing packing;
    struct str blob;
} wrong[] = {
    {LISTPACK, BYTES("\x09\0\0\0\2\0\x05\x01\xff")},               /* one element fewer than said */
    {LISTPACK, BYTES("\x09\0\0\0\0\0\x05\x01\xff")},               /* one more */
    {LISTPACK, BYTES("\x0a\0\0\0\1\0\x05\x01\xff\xff")},           /* more behind the end */
    {LISTPACK, BYTES("\x09\0\0\0\1\0\xf5\x01\xff")},               /* no such form */
    {LISTPACK, BYTES("\x0d\0\0\0\1\0\xf0\xff\xff\xff\xff\1\xff")}, /* 4 GB that are not there */
    {ZIPLIST, BYTES("\x0d\0\0\0\x0a\0\0\0\2\0\0\xf1\xff")},        /* one element fewer than said */
    {ZIPLIST, BYTES("\x0c\0\0\0\x0a\0\0\0\0\0\xff\xff")},          /* more behind the end */
    {ZIPLIST, BYTES("\x0d\0\0\0\x0a\0\0\0\1\0\0\xc1\xff")},        /* no such form */
    {ZIPLIST, BYTES("\x0d\0\0\0\x0a\0\0\0\1\0\xfe\1\xff")},        /* a cut previous-length */
    {INTSET, BYTES("\3\0\0\0\1\0\0\0\1\0\0")},                     /* no such width */
    {INTSET, BYTES("\2\0\0\0\0\0\0\x80\1\0")},                     /* a count that overflows */
    {ZIPMAP, BYTES("\3\1f\1\0b\xff")},                             /* fewer pairs than said */
    {ZIPMAP, BYTES("\1\1f\xff")},                                  /* a field without its value */
};

static void what_does_not_add_up_is_refused(void) {
    for (size_t i = 0; i < LENGTH_OF(wrong); i++) {
        struct buf text = BUF_INIT(4096);

        CU_ASSERT_FALSE(read_blob(wrong[i].packing, wrong[i].blob, &text));
        buf_done(&text);
    }
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(every_form_of_element_is_read),
    CUNIT_TEST(a_cut_blob_is_refused),
    CUNIT_TEST(a_cut_blob_with_an_honest_length_is_refused),
    CUNIT_TEST(no_changed_byte_leads_outside),
    CUNIT_TEST(a_listpack_holds_long_strings),
    CUNIT_TEST(what_does_not_add_up_is_refused),
};
CUNIT_MAIN("packed", tests)
