/* keyring.h - the keys that secrets at rest are sealed with, and their file.
 *
 * The key file holds one key per line, `<id> <64 hex digits>`; the last one seals,
 * all of them open, so a key can be replaced without a stop. It must be a regular
 * file that only its owner may read (mode 0600 or 0400).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"

enum { KEYRING_KEYS_MAX = 16 };

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
