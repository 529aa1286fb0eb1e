#include "proto/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_done(struct buf *b) {
    free(b->ptr);
    b->ptr = NULL;
    b->len = b->cap = 0;
}

bool buf_reserve(struct buf *b, size_t more, struct err *err) {
    size_t need, cap;
    char *grown;

    if (more > b->max || b->len > b->max - more)
        return err_set(err, ERR_TOO_BIG, "a buffer of at most %zu bytes would need %zu", b->max,
                       b->len + more);
    need = b->len + more + 1;
    if (need <= b->cap)
        return true;
    cap = b->cap ? b->cap : 64;
    while (cap < need)
        cap *= 2;
    if (cap > b->max + 1)
        cap = b->max + 1;
    grown = realloc(b->ptr, cap);
    if (!grown)
        return err_set(err, ERR_MEMORY, "no memory for %zu bytes", cap);
    b->ptr = grown;
    b->cap = cap;
    return true;
}

bool buf_append(struct buf *b, struct str s, struct err *err) {
    if (!buf_reserve(b, s.len, err))
        return false;
    if (s.len)
        memcpy(b->ptr + b->len, s.ptr, s.len);
    b->len += s.len;
    b->ptr[b->len] = '\0';
    return true;
}

bool buf_printf(struct buf *b, struct err *err, const char *fmt, ...) {
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0)
        return err_set(err, ERR_INTERNAL, "a format string failed");
    if (!buf_reserve(b, (size_t)n, err))
        return false;
    va_start(args, fmt);
    vsnprintf(b->ptr + b->len, (size_t)n + 1, fmt, args);
    va_end(args);
    b->len += (size_t)n;
    return true;
}

void buf_consume(struct buf *b, size_t n) {
    if (n >= b->len) {
        b->len = 0;
        return;
    }
    memmove(b->ptr, b->ptr + n, b->len - n);
    b->len -= n;
}
