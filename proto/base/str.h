/* str.h - borrowed bytes: a pointer and a length, any byte, no NUL.
 *
 * Pure. A str never owns; whoever made the bytes keeps them alive. Print one
 * with STR_FMT/STR_ARG only when its content is ours; what a peer sent goes
 * through str_escape first.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/base/attrs.h"

struct str {
    const char *ptr;
    size_t len; /* bytes */
};

#define STR_EMPTY ((struct str){.ptr = "", .len = 0})
#define STR_LIT(literal) ((struct str){.ptr = (literal), .len = sizeof(literal) - 1})
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).len, (s).ptr

static inline struct str str_of(const void *ptr, size_t len) {
    return (struct str){.ptr = (const char *)ptr, .len = len};
}

/* A NUL-terminated string as a str; NULL is empty. */
static inline struct str str_from(const char *c) {
    return c ? str_of(c, strlen(c)) : STR_EMPTY;
}

static inline bool str_equal(struct str a, struct str b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool str_starts_with(struct str s, struct str prefix) {
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

/* From byte `at` on; empty when `at` is past the end. */
static inline struct str str_skip(struct str s, size_t at) {
    return at < s.len ? str_of(s.ptr + at, s.len - at) : STR_EMPTY;
}

static inline struct str str_first(struct str s, size_t len) {
    return str_of(s.ptr, len < s.len ? len : s.len);
}

/* The value of a hex digit, either case; -1 when it is none. */
static inline int str_hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* ASCII letters compare without their case. */
bool str_equal_nocase(struct str a, struct str b);

/* Without blanks, tabs, CR and LF at both ends. */
struct str str_trim(struct str s);

/* Cut at the first `sep`: *ret_head is what stands before it, the rest after it
 * stays in *s. Without a `sep` the whole is the head and *s becomes empty.
 * Returns false when *s was empty already. */
bool str_cut(struct str *s, char sep, struct str *ret_head);

/* The whole of `s` as a decimal number. False (nothing written) when empty, when
 * another byte stands in it, or out of range. No sign for u64; '-' for i64. */
MUST_CHECK bool str_parse_u64(struct str s, uint64_t *ret_value);
MUST_CHECK bool str_parse_i64(struct str s, int64_t *ret_value);

/* Write `s` for a person: printable ASCII as it is, everything else as \xHH,
 * cut with "..." when it does not fit. Always terminates; returns the length. */
size_t str_escape(struct str s, char *dst, size_t dst_size);
