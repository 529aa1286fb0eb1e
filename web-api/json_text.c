#include "web-api/json_text.h"

#include <stdlib.h>
#include <string.h>

static bool put_char(struct buf *dst, char c, struct err *err) {
    if (dst->len + 1 >= dst->cap && !buf_reserve(dst, 1, err))
        return false;
    dst->ptr[dst->len++] = c;
    dst->ptr[dst->len] = '\0';
    return true;
}

/* What may not stand in a text as it is: \" \\ and what is below a blank. */
static bool put_escaped(struct buf *dst, unsigned char c, struct err *err) {
    static const char named[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *at = c ? strchr(named, c) : NULL;

    return at ? buf_printf(dst, err, "\\%c", letters[at - named])
              : buf_printf(dst, err, "\\u%04X", c);
}

bool json_text_string(struct buf *dst, struct str s, struct err *err) {
    const char *text = s.ptr;
    size_t begin = 0, len = s.len;

    /* With its quotes and what comes next there is room then, unless something must be escaped. */
    if (!buf_reserve(dst, len + 2, err) || !put_char(dst, '"', err))
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        if (!buf_append(dst, str_of(text + begin, i - begin), err) || !put_escaped(dst, c, err))
            return false;
        begin = i + 1;
    }
    return buf_append(dst, str_of(text + begin, len - begin), err) && put_char(dst, '"', err);
}

bool json_text_integer(struct buf *dst, int64_t value, struct err *err) {
    char digits[24];
    size_t at = sizeof(digits);
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do
        digits[--at] = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (value < 0)
        digits[--at] = '-';
    return buf_append(dst, str_of(digits + at, sizeof(digits) - at), err);
}

/* There are few of them, and jansson knows what a locale does to a point. */
static bool put_real(struct buf *dst, const json_t *value, struct err *err) {
    char text[64];
    size_t len = json_dumpb(value, text, sizeof(text), JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));

    if (len == 0 || len > sizeof(text))
        return err_set(err, ERR_INTERNAL, "a number that cannot be written");
    return buf_append(dst, str_of(text, len), err);
}

static bool put_array(struct buf *dst, const json_t *array, struct err *err) {
    for (size_t i = 0; i < json_array_size(array); i++)
        if (!put_char(dst, i ? ',' : '[', err) || !json_text(dst, json_array_get(array, i), err))
            return false;
    return (json_array_size(array) > 0 || put_char(dst, '[', err)) && put_char(dst, ']', err);
}

static bool put_object(struct buf *dst, const json_t *object, struct err *err) {
    json_t *members = (json_t *)(uintptr_t)object;
    char before = '{';

    for (void *at = json_object_iter(members); at; at = json_object_iter_next(members, at)) {
        if (!put_char(dst, before, err) ||
            !json_text_string(dst, str_of(json_object_iter_key(at), json_object_iter_key_len(at)),
                              err) ||
            !put_char(dst, ':', err) || !json_text(dst, json_object_iter_value(at), err))
            return false;
        before = ',';
    }
    return (before == ',' || put_char(dst, '{', err)) && put_char(dst, '}', err);
}

bool json_text(struct buf *dst, const json_t *value, struct err *err) {
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return put_object(dst, value, err);
    case JSON_ARRAY:
        return put_array(dst, value, err);
    case JSON_STRING:
        return json_text_string(dst, str_of(json_string_value(value), json_string_length(value)),
                                err);
    case JSON_INTEGER:
        return json_text_integer(dst, json_integer_value(value), err);
    case JSON_REAL:
        return put_real(dst, value, err);
    case JSON_TRUE:
        return buf_append(dst, STR_LIT("true"), err);
    case JSON_FALSE:
        return buf_append(dst, STR_LIT("false"), err);
    case JSON_NULL:
        break;
    }
    return buf_append(dst, STR_LIT("null"), err);
}
