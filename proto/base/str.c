#include "proto/base/str.h"

#include <stdio.h>

static unsigned char lower(char c) {
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool str_equal_nocase(struct str a, struct str b) {
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    }
    return true;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s) {
    while (s.len > 0 && is_blank(s.ptr[0]))
        s = str_skip(s, 1);
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

bool str_cut(struct str *s, char sep, struct str *ret_head) {
    const char *at;

    if (s->len == 0)
        return false;
    at = memchr(s->ptr, sep, s->len);
    if (at) {
        size_t head = (size_t)(at - s->ptr);

        *ret_head = str_of(s->ptr, head);
        *s = str_skip(*s, head + 1);
    } else {
        *ret_head = *s;
        *s = STR_EMPTY;
    }
    return true;
}

bool str_parse_u64(struct str s, uint64_t *ret_value) {
    uint64_t value = 0;

    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned char)s.ptr[i] - (unsigned)'0';

        if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *ret_value = value;
    return true;
}

bool str_parse_i64(struct str s, int64_t *ret_value) {
    bool negative = s.len > 0 && s.ptr[0] == '-';
    uint64_t magnitude;

    if (!str_parse_u64(negative ? str_skip(s, 1) : s, &magnitude))
        return false;
    if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return false;
    *ret_value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

static bool is_plain(unsigned char c) {
    return c >= 0x20 && c < 0x7f && c != '\\';
}

size_t str_escape(struct str s, char *dst, size_t dst_size) {
    size_t len = 0, whole = 0, room;

    if (dst_size == 0)
        return 0;
    for (size_t i = 0; i < s.len && whole < dst_size; i++)
        whole += is_plain((unsigned char)s.ptr[i]) ? 1 : 4;
    room = whole < dst_size ? whole : dst_size > 4 ? dst_size - 4 : 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        size_t need = is_plain(c) ? 1 : 4;

        if (len + need > room) {
            if (dst_size - len > 3) {
                memcpy(dst + len, "...", 3);
                len += 3;
            }
            break;
        }
        if (need == 1)
            dst[len++] = (char)c;
        else
            len += (size_t)snprintf(dst + len, dst_size - len, "\\x%02x", c);
    }
    dst[len] = '\0';
    return len;
}
