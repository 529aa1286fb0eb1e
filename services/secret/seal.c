#include "services/secret/seal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "proto/base/bytes.h"

enum { VERSION = 1, HEAD_LEN = 5, NONCE_LEN = 12, TAG_LEN = 16 };

static const unsigned char *bytes_of(const char *text) {
    return (const unsigned char *)text;
}

static void put_head(unsigned char head[HEAD_LEN], uint32_t key_id) {
    uint32_t id = __builtin_bswap32(key_id);

    head[0] = VERSION;
    store_le32(head + 1, id);
}

/* What both directions have in common: the key, the nonce, and head and row as
 * authenticated data. */
static bool begin(EVP_CIPHER_CTX *ctx, bool is_seal, const unsigned char *key,
                  const unsigned char *nonce, const unsigned char head[HEAD_LEN], struct str row) {
    int len;

    return ctx && row.len < 256 &&
           EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce, is_seal) == 1 &&
           EVP_CipherUpdate(ctx, NULL, &len, head, HEAD_LEN) == 1 &&
           EVP_CipherUpdate(ctx, NULL, &len, bytes_of(row.ptr), (int)row.len) == 1;
}

bool seal_close(const struct keyring *ring, struct str row, struct str plain, struct buf *out,
                struct err *err) {
    unsigned char head[HEAD_LEN], nonce[NONCE_LEN];
    EVP_CIPHER_CTX *ctx = NULL;
    unsigned char *at;
    int len = 0, last = 0;
    bool ok;

    if (ring->count == 0)
        return err_set(err, ERR_CONFIG,
                       "there is no master key to seal secrets with (KEYFERRY_MASTER_KEY_FILE)");
    if (plain.len > INT32_MAX / 2)
        return err_set(err, ERR_TOO_BIG, "%zu bytes are too many to seal", plain.len);
    if (!buf_reserve(out, plain.len + SEAL_OVERHEAD, err))
        return false;
    if (RAND_bytes(nonce, sizeof(nonce)) != 1)
        return err_set(err, ERR_INTERNAL, "no random bytes for a nonce");
    put_head(head, ring->keys[ring->count - 1].id);
    at = (unsigned char *)out->ptr + out->len;
    memcpy(at, head, HEAD_LEN);
    memcpy(at + HEAD_LEN, nonce, NONCE_LEN);
    at += HEAD_LEN + NONCE_LEN;

    ctx = EVP_CIPHER_CTX_new();
    ok = begin(ctx, true, ring->keys[ring->count - 1].key, nonce, head, row) &&
         EVP_CipherUpdate(ctx, at, &len, bytes_of(plain.ptr), (int)plain.len) == 1 &&
         EVP_CipherFinal_ex(ctx, at + len, &last) == 1 &&
         EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_LEN, at + plain.len) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!ok)
        return err_set(err, ERR_INTERNAL, "sealing failed");
    out->len += plain.len + SEAL_OVERHEAD;
    return true;
}

static const unsigned char *find_key(const struct keyring *ring, uint32_t id) {
    for (int i = 0; i < ring->count; i++) {
        if (ring->keys[i].id == id)
            return ring->keys[i].key;
    }
    return NULL;
}

bool seal_open(const struct keyring *ring, struct str row, struct str blob,
               struct secret *ret_plain, struct err *err) {
    const unsigned char *bytes = bytes_of(blob.ptr), *key;
    unsigned char tag[TAG_LEN];
    EVP_CIPHER_CTX *ctx = NULL;
    unsigned char *plain;
    size_t plain_len;
    int len = 0, last = 0;
    bool ok;

    if (blob.len < SEAL_OVERHEAD || blob.len > INT32_MAX / 2 || bytes[0] != VERSION)
        return err_set(err, ERR_INTERNAL, "the sealed secrets of " STR_FMT " are damaged",
                       STR_ARG(row));
    key = find_key(ring, load_be32(bytes + 1));
    if (!key)
        return err_set(err, ERR_SECRET_UNREADABLE,
                       "the secrets of " STR_FMT " are sealed with key %u, which the master key "
                       "file does not hold",
                       STR_ARG(row), load_be32(bytes + 1));
    plain_len = blob.len - SEAL_OVERHEAD;
    plain = malloc(plain_len + 1);
    if (!plain)
        abort();
    memcpy(tag, bytes + blob.len - TAG_LEN, TAG_LEN);

    ctx = EVP_CIPHER_CTX_new();
    ok = begin(ctx, false, key, bytes + HEAD_LEN, bytes, row) &&
         EVP_CipherUpdate(ctx, plain, &len, bytes + HEAD_LEN + NONCE_LEN, (int)plain_len) == 1 &&
         EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_LEN, tag) == 1 &&
         EVP_CipherFinal_ex(ctx, plain + len, &last) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (ok)
        secret_set(ret_plain, str_of(plain, plain_len));
    OPENSSL_cleanse(plain, plain_len + 1);
    free(plain);
    if (!ok)
        return err_set(err, ERR_INTERNAL,
                       "the sealed secrets of " STR_FMT " are damaged or of another row",
                       STR_ARG(row));
    return true;
}
