#include <string.h>

#include "services/secret/api_key.h"
#include "services/secret/seal.h"
#include "tests/support/cunit_run.h"

static struct keyring ring_of(uint32_t id) {
    struct keyring ring = KEYRING_INIT;

    ring.keys[0].id = id;
    memset(ring.keys[0].key, (int)id, sizeof(ring.keys[0].key));
    ring.count = 1;
    return ring;
}

static void what_is_sealed_opens_for_its_row_only(void) {
    struct keyring ring = ring_of(7);
    struct buf blob = BUF_INIT(1024);
    struct secret plain = SECRET_INIT;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(seal_close(&ring, STR_LIT("job:a"), STR_LIT("hush"), &blob, &err));
    CU_ASSERT_EQUAL(blob.len, 4 + SEAL_OVERHEAD);
    CU_ASSERT_PTR_NULL(memmem(blob.ptr, blob.len, "hush", 4));
    CU_ASSERT_TRUE(seal_open(&ring, STR_LIT("job:a"), buf_str(&blob), &plain, &err));
    CU_ASSERT_TRUE(str_equal(secret_str(&plain), STR_LIT("hush")));
    secret_done(&plain);
    CU_ASSERT_FALSE(seal_open(&ring, STR_LIT("job:b"), buf_str(&blob), &plain, &err));
    CU_ASSERT_EQUAL(err.code, ERR_INTERNAL);
    CU_ASSERT_EQUAL(plain.len, 0);
    buf_done(&blob);
}

static void a_changed_or_cut_blob_is_refused(void) {
    struct keyring ring = ring_of(7);
    struct buf blob = BUF_INIT(1024);
    struct secret plain = SECRET_INIT;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(seal_close(&ring, STR_LIT("job:a"), STR_LIT("hush"), &blob, &err));
    for (size_t i = 0; i < blob.len; i++) {
        blob.ptr[i] ^= 1;
        CU_ASSERT_FALSE(seal_open(&ring, STR_LIT("job:a"), buf_str(&blob), &plain, &err));
        blob.ptr[i] ^= 1;
        CU_ASSERT_FALSE(
            seal_open(&ring, STR_LIT("job:a"), str_first(buf_str(&blob), i), &plain, &err));
    }
    CU_ASSERT_TRUE(seal_open(&ring, STR_LIT("job:a"), buf_str(&blob), &plain, &err));
    secret_done(&plain);
    buf_done(&blob);
}

static void an_old_key_opens_and_the_last_one_seals(void) {
    struct keyring ring = ring_of(1);
    struct buf old = BUF_INIT(1024), new = BUF_INIT(1024);
    struct secret plain = SECRET_INIT;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(seal_close(&ring, STR_LIT("r"), STR_LIT("x"), &old, &err));
    ring.keys[1] = ring_of(2).keys[0];
    ring.count = 2;
    CU_ASSERT_TRUE(seal_close(&ring, STR_LIT("r"), STR_LIT("x"), &new, &err));
    CU_ASSERT_EQUAL(old.ptr[4], 1);
    CU_ASSERT_EQUAL(new.ptr[4], 2);
    CU_ASSERT_TRUE(seal_open(&ring, STR_LIT("r"), buf_str(&old), &plain, &err));
    ring = ring_of(2);
    CU_ASSERT_FALSE(seal_open(&ring, STR_LIT("r"), buf_str(&old), &plain, &err));
    CU_ASSERT_EQUAL(err.code, ERR_SECRET_UNREADABLE);
    secret_done(&plain);
    buf_done(&old);
    buf_done(&new);
}

static void the_same_text_never_looks_the_same(void) {
    struct keyring ring = ring_of(1);
    struct buf a = BUF_INIT(1024), b = BUF_INIT(1024);
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(seal_close(&ring, STR_LIT("r"), STR_LIT("x"), &a, &err));
    CU_ASSERT_TRUE(seal_close(&ring, STR_LIT("r"), STR_LIT("x"), &b, &err));
    CU_ASSERT_FALSE(str_equal(buf_str(&a), buf_str(&b)));
    buf_done(&a);
    buf_done(&b);
}

static void without_a_key_nothing_is_sealed(void) {
    struct keyring ring = KEYRING_INIT;
    struct buf blob = BUF_INIT(1024);
    struct err err = ERR_INIT;

    CU_ASSERT_FALSE(seal_close(&ring, STR_LIT("r"), STR_LIT("x"), &blob, &err));
    CU_ASSERT_EQUAL(err.code, ERR_CONFIG);
    CU_ASSERT_EQUAL(blob.len, 0);
    buf_done(&blob);
}

static void a_made_key_has_its_form(void) {
    struct secret key = SECRET_INIT;
    struct err err = ERR_INIT;
    char prefix[API_KEY_PREFIX_LEN + 1], again[API_KEY_PREFIX_LEN + 1];

    for (int i = 0; i < 200; i++) {
        CU_ASSERT_TRUE(api_key_make(&key, prefix, &err));
        CU_ASSERT_EQUAL(secret_str(&key).len, API_KEY_LEN);
        CU_ASSERT_TRUE(api_key_prefix(secret_str(&key), again));
        CU_ASSERT_STRING_EQUAL(prefix, again);
    }
    secret_done(&key);
}

static void what_is_no_key_has_no_prefix(void) {
    static const char *const bad[] = {
        "",
        "kf_",
        "kf_00000000_",
        "kf_0000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "kf_00000000-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "kf_0000000U_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "kf_00000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+",
        "xx_00000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    };
    char prefix[API_KEY_PREFIX_LEN + 1];

    for (size_t i = 0; i < LENGTH_OF(bad); i++)
        CU_ASSERT_FALSE(api_key_prefix(str_from(bad[i]), prefix));
    CU_ASSERT_TRUE(
        api_key_prefix(STR_LIT("kf_00000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), prefix));
}

/* FIPS 180-2, appendix B.1. */
static void digests_are_sha_256(void) {
    char hex[65];
    unsigned char a[API_KEY_HASH_SIZE], b[API_KEY_HASH_SIZE];

    api_key_sha256_hex(STR_LIT("abc"), hex);
    CU_ASSERT_STRING_EQUAL(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    api_key_hash(STR_LIT("abc"), a);
    api_key_hash(STR_LIT("abd"), b);
    CU_ASSERT_EQUAL(a[0], 0xba);
    CU_ASSERT_FALSE(api_key_hash_equal(a, b));
    CU_ASSERT_TRUE(api_key_hash_equal(a, a));
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(what_is_sealed_opens_for_its_row_only),
    CUNIT_TEST(a_changed_or_cut_blob_is_refused),
    CUNIT_TEST(an_old_key_opens_and_the_last_one_seals),
    CUNIT_TEST(the_same_text_never_looks_the_same),
    CUNIT_TEST(without_a_key_nothing_is_sealed),
    CUNIT_TEST(a_made_key_has_its_form),
    CUNIT_TEST(what_is_no_key_has_no_prefix),
    CUNIT_TEST(digests_are_sha_256),
};
CUNIT_MAIN("seal", tests)
