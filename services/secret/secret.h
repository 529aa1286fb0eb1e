/* secret.h - bytes that must not be seen: passwords, private keys.
 *
 * The type has no printer, and the memory is wiped when it is given back or
 * replaced. Keep one as short as possible: it is asked for before a connect and
 * done with after the login.
 */
#pragma once

#include <stddef.h>

#include "proto/base/str.h"

struct secret {
    char *ptr;  /* owned, NUL behind; NULL = none */
    size_t len; /* bytes, NUL not counted */
};

#define SECRET_INIT ((struct secret){.ptr = NULL, .len = 0})

static inline void secret_init(struct secret *s) {
    *s = SECRET_INIT;
}

/* Hold a copy of `value`; what was held is wiped. An empty value is none. */
void secret_set(struct secret *s, struct str value);

/* Wipe and free; the value is as after SECRET_INIT. */
void secret_done(struct secret *s);

/* The bytes, borrowed until the next change of `s`; empty when there are none. */
static inline struct str secret_str(const struct secret *s) {
    return s->len ? str_of(s->ptr, s->len) : STR_EMPTY;
}
