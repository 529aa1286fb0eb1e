#include "proto/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct row {
    int http;
    enum err_retry retry;
    const char *slug;
    const char *title;
};

static const struct row rows[ERR_COUNT] = {
    [ERR_NONE] = {200, RETRY_NEVER, "none", "No error"},
#define ERR(symbol, http, retry, code, title) [ERR_##symbol] = {http, retry, code, title},
#include "proto/base/err_codes.def"
#undef ERR
};

static const struct row *row_of(enum err_code code) {
    return code >= 0 && code < ERR_COUNT ? &rows[code] : &rows[ERR_INTERNAL];
}

__attribute__((format(printf, 2, 0))) static void push(struct err *err, const char *fmt,
                                                       va_list args) {
    /* With every frame taken the root cause and the newest stay; the middle goes. */
    int at = err->frame_count < ERR_FRAMES ? err->frame_count++ : ERR_FRAMES - 1;

    vsnprintf(err->frame[at], ERR_FRAME_LEN, fmt, args);
}

bool err_set(struct err *err, enum err_code code, const char *fmt, ...) {
    va_list args;

    err->code = code;
    err->frame_count = 0;
    va_start(args, fmt);
    push(err, fmt, args);
    va_end(args);
    return false;
}

bool err_wrap(struct err *err, const char *fmt, ...) {
    va_list args;

    va_start(args, fmt);
    push(err, fmt, args);
    va_end(args);
    return false;
}

bool err_recode(struct err *err, enum err_code code, const char *fmt, ...) {
    va_list args;

    err->code = code;
    va_start(args, fmt);
    push(err, fmt, args);
    va_end(args);
    return false;
}

void err_clear(struct err *err) {
    err->code = ERR_NONE;
    err->frame_count = 0;
}

size_t err_format(const struct err *err, char *dst, size_t dst_size) {
    size_t len = 0;

    if (dst_size == 0)
        return 0;
    dst[0] = '\0';
    for (int i = err->frame_count - 1; i >= 0 && len + 1 < dst_size; i--) {
        int n = snprintf(dst + len, dst_size - len, "%s%s", len ? ": " : "", err->frame[i]);

        if (n < 0)
            break;
        len += (size_t)n < dst_size - len ? (size_t)n : dst_size - len - 1;
    }
    return len;
}

const char *err_slug(enum err_code code) {
    return row_of(code)->slug;
}

const char *err_title(enum err_code code) {
    return row_of(code)->title;
}

int err_http(enum err_code code) {
    return row_of(code)->http;
}

enum err_retry err_retry_class(enum err_code code) {
    return row_of(code)->retry;
}

enum err_code err_from_slug(const char *slug) {
    for (int i = ERR_NONE + 1; i < ERR_COUNT; i++) {
        if (strcmp(rows[i].slug, slug) == 0)
            return (enum err_code)i;
    }
    return ERR_NONE;
}
