/* seal.h - secrets at rest: AES-256-GCM under a key of a file.
 *
 * A sealed blob is: version 1 | key id (4, big endian) | nonce (12, random) |
 * ciphertext | tag (16). The first five bytes and the identity of the row
 * ("job:<id>") are authenticated with it, so a blob that was moved to another row,
 * cut or changed is refused.
 *
 * The key file holds one key per line, `<id> <64 hex digits>`; the last one seals,
 * all of them open, so a key can be replaced without a stop. It must be a regular
 * file that only its owner may read (mode 0600 or 0400).
 *
 * Source: NIST SP 800-38D; 96-bit random nonces: far below 2^32 seals per key.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "services/secret/secret.h"

enum { KEYRING_KEYS_MAX = 16, SEAL_OVERHEAD = 1 + 4 + 12 + 16 };

struct keyring {
    struct {
        uint32_t id;
        unsigned char key[32];
    } keys[KEYRING_KEYS_MAX];
    int count; /* the last one seals; 0 = nothing can be sealed or opened */
};

#define KEYRING_INIT ((struct keyring){.count = 0})

/* Read a key file. Errors: CONFIG (mode, form), IO. */
MUST_CHECK bool keyring_open(struct keyring *ret, const char *path, struct err *err);

/* Make `path` with one new key when it does not exist; durable when it returns.
 * An existing file is left as it is. *ret_made tells. Errors: IO. */
MUST_CHECK bool keyring_create(const char *path, bool *ret_made, struct err *err);

/* Wipe. */
void keyring_done(struct keyring *ring);

/* Append the sealed form of `plain` to *out. `row` names what it belongs to.
 * Errors: CONFIG (no key), TOO_BIG, INTERNAL. */
MUST_CHECK bool seal_close(const struct keyring *ring, struct str row, struct str plain,
                           struct buf *out, struct err *err);

/* Open what seal_close made for that row.
 * Errors: CONFIG (the key is not in the ring), INTERNAL (damaged or of another row). */
MUST_CHECK bool seal_open(const struct keyring *ring, struct str row, struct str blob,
                          struct secret *ret_plain, struct err *err);
