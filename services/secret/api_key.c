#include "services/secret/api_key.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "proto/base/hex.h"

enum { SECRET_BYTES = 32, SECRET_CHARS = 43 };

static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char prefix_alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

/* 32 bytes are 256 bits: 42 characters of six and one of four. */
static void encode(const unsigned char bytes[SECRET_BYTES], char dst[SECRET_CHARS]) {
    unsigned held = 0, bits = 0;
    int at = 0;

    for (int i = 0; i < SECRET_BYTES; i++) {
        held = held << 8 | bytes[i];
        for (bits += 8; bits >= 6; bits -= 6)
            dst[at++] = base64url[held >> (bits - 6) & 63];
        held &= (1u << bits) - 1;
    }
    dst[at] = base64url[held << (6 - bits) & 63];
}

bool api_key_make(struct secret *ret_key, char ret_prefix[API_KEY_PREFIX_LEN + 1],
                  struct err *err) {
    unsigned char bytes[SECRET_BYTES], prefix[API_KEY_PREFIX_LEN];
    char text[API_KEY_LEN + 1] = "kf_";

    if (RAND_bytes(bytes, sizeof(bytes)) != 1 || RAND_bytes(prefix, sizeof(prefix)) != 1)
        return err_set(err, ERR_INTERNAL, "no random bytes for an API key");
    for (int i = 0; i < API_KEY_PREFIX_LEN; i++)
        ret_prefix[i] = prefix_alphabet[prefix[i] & 31];
    ret_prefix[API_KEY_PREFIX_LEN] = '\0';
    memcpy(text + 3, ret_prefix, API_KEY_PREFIX_LEN);
    text[3 + API_KEY_PREFIX_LEN] = '_';
    encode(bytes, text + 3 + API_KEY_PREFIX_LEN + 1);
    secret_set(ret_key, str_of(text, API_KEY_LEN));
    OPENSSL_cleanse(bytes, sizeof(bytes));
    OPENSSL_cleanse(text, sizeof(text));
    return true;
}

static bool all_of(struct str s, const char *alphabet) {
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\0' || !strchr(alphabet, s.ptr[i]))
            return false;
    }
    return true;
}

bool api_key_prefix(struct str key, char ret_prefix[API_KEY_PREFIX_LEN + 1]) {
    struct str prefix = str_first(str_skip(key, 3), API_KEY_PREFIX_LEN);

    if (key.len != API_KEY_LEN || !str_starts_with(key, STR_LIT("kf_")) ||
        key.ptr[3 + API_KEY_PREFIX_LEN] != '_' || !all_of(prefix, prefix_alphabet) ||
        !all_of(str_skip(key, 3 + API_KEY_PREFIX_LEN + 1), base64url))
        return false;
    memcpy(ret_prefix, prefix.ptr, API_KEY_PREFIX_LEN);
    ret_prefix[API_KEY_PREFIX_LEN] = '\0';
    return true;
}

void api_key_hash(struct str key, unsigned char ret_hash[API_KEY_HASH_SIZE]) {
    SHA256((const unsigned char *)key.ptr, key.len, ret_hash);
}

bool api_key_hash_equal(const unsigned char a[API_KEY_HASH_SIZE],
                        const unsigned char b[API_KEY_HASH_SIZE]) {
    return CRYPTO_memcmp(a, b, API_KEY_HASH_SIZE) == 0;
}

void api_key_sha256_hex(struct str bytes, char ret_hex[65]) {
    unsigned char hash[SHA256_DIGEST_LENGTH];

    SHA256((const unsigned char *)bytes.ptr, bytes.len, hash);
    hex_encode(str_of(hash, sizeof(hash)), ret_hex);
}
