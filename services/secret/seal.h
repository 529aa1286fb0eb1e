/* seal.h - secrets at rest: AES-256-GCM under a key of the keyring.
 *
 * A sealed blob is: version 1 | key id (4, big endian) | nonce (12, random) |
 * ciphertext | tag (16). The first five bytes and the identity of the row
 * ("job:<id>") are authenticated with it, so a blob that was moved to another row,
 * cut or changed is refused.
 *
 * Source: NIST SP 800-38D; 96-bit random nonces: far below 2^32 seals per key.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "services/secret/keyring.h"
#include "services/secret/secret.h"

enum { SEAL_OVERHEAD = 1 + 4 + 12 + 16 };

/* Append the sealed form of `plain` to *out. `row` names what it belongs to.
 * Errors: CONFIG (no key), TOO_BIG, INTERNAL. */
MUST_CHECK bool seal_close(const struct keyring *ring, struct str row, struct str plain,
                           struct buf *out, struct err *err);

/* Open what seal_close made for that row.
 * Errors: SECRET_UNREADABLE (the key is not in the ring), INTERNAL (damaged or of another row). */
MUST_CHECK bool seal_open(const struct keyring *ring, struct str row, struct str blob,
                          struct secret *ret_plain, struct err *err);
