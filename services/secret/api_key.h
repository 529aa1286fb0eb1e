/* api_key.h - keys of the HTTP API: `kf_<8 public characters>_<43 secret ones>`.
 *
 * The secret part is 256 random bits, so its SHA-256 is all that is kept: there is
 * nothing to guess that a slow hash would protect. The public prefix finds the
 * row, the hash of the whole key is compared in constant time.
 */
#pragma once

#include <stdbool.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "proto/base/str.h"
#include "services/secret/secret.h"

enum { API_KEY_PREFIX_LEN = 8, API_KEY_LEN = 3 + 8 + 1 + 43, API_KEY_HASH_SIZE = 32 };

/* Make one. *ret_prefix gets the public part with a NUL. Errors: INTERNAL (the
 * system gives no randomness). */
MUST_CHECK bool api_key_make(struct secret *ret_key, char ret_prefix[API_KEY_PREFIX_LEN + 1],
                             struct err *err);

/* The public part of something that has the form of a key; false otherwise. Pure. */
MUST_CHECK bool api_key_prefix(struct str key, char ret_prefix[API_KEY_PREFIX_LEN + 1]);

/* SHA-256 of the whole key. */
void api_key_hash(struct str key, unsigned char ret_hash[API_KEY_HASH_SIZE]);

/* Equal hashes, in a time that does not depend on where they differ. */
bool api_key_hash_equal(const unsigned char a[API_KEY_HASH_SIZE],
                        const unsigned char b[API_KEY_HASH_SIZE]);

/* SHA-256 as 64 lower-case hex digits and a NUL: digests of specs and requests. */
void api_key_sha256_hex(struct str bytes, char ret_hex[65]);
