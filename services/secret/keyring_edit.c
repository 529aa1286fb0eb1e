#include "services/secret/keyring_edit.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "proto/base/hex.h"

bool keyring_edit_add(const struct keyring *ring, struct str text, struct buf *out,
                      uint32_t *ret_id, struct err *err) {
    unsigned char key[32];
    char hex[2 * sizeof(key) + 1];
    uint32_t highest = 0;
    bool ok;

    for (int i = 0; i < ring->count; i++)
        highest = ring->keys[i].id > highest ? ring->keys[i].id : highest;
    if (ring->count >= KEYRING_KEYS_MAX || highest == UINT32_MAX)
        return err_set(err, ERR_CONFIG,
                       "the master key file holds as many keys as it may: take out those that "
                       "nothing needs");
    if (RAND_bytes(key, sizeof(key)) != 1)
        return err_set(err, ERR_INTERNAL, "no random bytes for a key");
    hex_encode(str_of(key, sizeof(key)), hex);
    ok = buf_append(out, text, err) &&
         (text.len == 0 || text.ptr[text.len - 1] == '\n' || buf_append(out, STR_LIT("\n"), err)) &&
         buf_printf(out, err, "%u %s\n", highest + 1, hex);
    OPENSSL_cleanse(key, sizeof(key));
    OPENSSL_cleanse(hex, sizeof(hex));
    if (ok)
        *ret_id = highest + 1;
    return ok;
}

static bool is_one_of(struct str line, const uint32_t *ids, size_t count) {
    struct str number;
    uint64_t id;

    line = str_trim(line);
    if (!str_cut(&line, ' ', &number) || !str_parse_u64(number, &id))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (ids[i] == id)
            return true;
    }
    return false;
}

bool keyring_edit_remove(struct str text, const uint32_t *ids, size_t count, struct buf *out,
                         struct err *err) {
    struct str line;

    while (str_cut(&text, '\n', &line)) {
        if (!is_one_of(line, ids, count) &&
            (!buf_append(out, line, err) || !buf_append(out, STR_LIT("\n"), err)))
            return false;
    }
    return true;
}
