/* buf.h - owned bytes that grow up to a hard limit.
 *
 * Pure but for malloc. A buf cannot be made without a maximum; what would pass
 * it fails with ERR_TOO_BIG and leaves the content as it was. The content is
 * always followed by a NUL that is not counted, so ptr is printable as C.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "proto/base/str.h"

struct buf {
    char *ptr; /* "" semantics through buf_str(); NULL before the first growth */
    size_t len;
    size_t cap;
    size_t max; /* bytes, NUL not counted */
};

#define BUF_INIT(max_bytes) ((struct buf){.ptr = NULL, .len = 0, .cap = 0, .max = (max_bytes)})

void buf_done(struct buf *b);

/* Empty, memory kept. */
static inline void buf_clear(struct buf *b) {
    b->len = 0;
}

static inline struct str buf_str(const struct buf *b) {
    return b->len ? str_of(b->ptr, b->len) : STR_EMPTY;
}

/* Make room for `more` bytes behind the content.
 * Errors: TOO_BIG (limit), MEMORY. */
MUST_CHECK bool buf_reserve(struct buf *b, size_t more, struct err *err);

MUST_CHECK bool buf_append(struct buf *b, struct str s, struct err *err);
MUST_CHECK bool buf_printf(struct buf *b, struct err *err, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Drop `n` bytes from the front (at most len); moves the rest. */
void buf_consume(struct buf *b, size_t n);
