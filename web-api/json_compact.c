#include "web-api/json_compact.h"

#include <stdlib.h>
#include <string.h>

#include "sql/json_scan.h"
#include "web-api/json_out.h"

static bool is_blank(char c) {
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* PostgreSQL tells all digits of a fraction it was given, json_text() fifteen. */
static void put_fraction(struct buf *dst, struct str number) {
    char text[64] = "";
    json_t *value;

    if (number.len >= sizeof(text)) {
        json_out_raw(dst, number);
        return;
    }
    memcpy(text, number.ptr, number.len);
    value = json_real(strtod(text, NULL));
    json_out_raw_value(dst, value);
    json_decref(value);
}

/* Copy the text that begins at `at`; \u00xx with capitals. Returns where it ends. */
static const char *copy_text(char **to, const char *at, const char *end) {
    const char *stop = json_scan_behind_text(at, end);
    char *out = *to;

    while (at < stop) {
        bool is_escape = *at == '\\' && stop - at > 1;

        *out++ = *at++;
        if (!is_escape)
            continue;
        *out++ = *at++;
        if (at[-1] == 'u')
            for (int i = 0; i < 4 && at < stop; i++, at++)
                *out++ = *at >= 'a' && *at <= 'f' ? (char)(*at - 'a' + 'A') : *at;
    }
    *to = out;
    return at;
}

static bool is_of_number(char c) {
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

static struct str number_at(const char *at, const char *end) {
    const char *begin = at;

    while (at < end && is_of_number(*at))
        at++;
    return str_of(begin, (size_t)(at - begin));
}

static bool is_fraction(struct str number) {
    for (size_t i = 0; i < number.len; i++)
        if (number.ptr[i] == '.' || number.ptr[i] == 'e' || number.ptr[i] == 'E')
            return true;
    return false;
}

void json_compact(struct buf *dst, struct str value) {
    const char *at = value.ptr, *end = value.ptr + value.len;
    struct err err = ERR_INIT;

    while (at < end) {
        char *out;
        struct str fraction = STR_EMPTY;

        /* As much as is left is enough for all of it but fractions. */
        if (!buf_reserve(dst, (size_t)(end - at), &err))
            abort();
        out = dst->ptr + dst->len;
        while (at < end && fraction.len == 0) {
            if (*at == '"') {
                at = copy_text(&out, at, end);
            } else if (is_blank(*at)) {
                at++;
            } else if ((*at >= '0' && *at <= '9') || *at == '-') {
                struct str number = number_at(at, end);

                at += number.len;
                if (is_fraction(number)) {
                    fraction = number;
                } else {
                    memcpy(out, number.ptr, number.len);
                    out += number.len;
                }
            } else {
                *out++ = *at++;
            }
        }
        *out = '\0';
        dst->len = (size_t)(out - dst->ptr);
        if (fraction.len)
            put_fraction(dst, fraction);
    }
}
