/* keyring_edit.h - the text of a master key file with a key more, or without some.
 *
 * No file is touched. The text is what keyring_open() reads; comments and the order of the rest
 * stay. `out` holds keys: the caller wipes it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "services/secret/keyring.h"

enum { KEYRING_TEXT_MAX = 8192 };

/* A new random key as the last line, numbered one above the highest of `ring` (what `text` holds).
 * Errors: TOO_BIG, CONFIG (as many keys as a file may hold), INTERNAL. */
MUST_CHECK bool keyring_edit_add(const struct keyring *ring, struct str text, struct buf *out,
                                 uint32_t *ret_id, struct err *err);

/* Without the lines of these keys. Errors: TOO_BIG. */
MUST_CHECK bool keyring_edit_remove(struct str text, const uint32_t *ids, size_t count,
                                    struct buf *out, struct err *err);
