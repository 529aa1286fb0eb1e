#include "proto/resp/resp_write.h"

#include <stdarg.h>
#include <string.h>

unsigned resp_digits(uint64_t v) {
    unsigned digits = 1;

    for (; v >= 10000; v /= 10000)
        digits += 4;
    return digits + (v >= 10) + (v >= 100) + (v >= 1000);
}

char *resp_write_decimal(char *at, uint64_t v) {
    char *end;

    if (v < 10) {
        *at = (char)('0' + v);
        return at + 1;
    }
    end = at + resp_digits(v);
    for (at = end; v > 0; v /= 10)
        *--at = (char)('0' + v % 10);
    return end;
}

static char *write_header(char *at, char lead, uint64_t v) {
    *at++ = lead;
    at = resp_write_decimal(at, v);
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

char *resp_write_array(char *at, uint64_t count) {
    return write_header(at, '*', count);
}

char *resp_write_bulk(char *at, struct str s) {
    at = write_header(at, '$', s.len);
    if (s.len)
        memcpy(at, s.ptr, s.len);
    at += s.len;
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

char *resp_write_u64(char *at, uint64_t v) {
    char digits[20];

    return resp_write_bulk(at, str_of(digits, (size_t)(resp_write_decimal(digits, v) - digits)));
}

char *resp_write_i64(char *at, int64_t v) {
    char digits[21], *end;

    digits[0] = '-';
    end = v < 0 ? resp_write_decimal(digits + 1, 0 - (uint64_t)v)
                : resp_write_decimal(digits, (uint64_t)v);
    return resp_write_bulk(at, str_of(digits, (size_t)(end - digits)));
}

/* What was written ends at `end`. */
static bool wrote(struct buf *b, const char *end) {
    b->len = (size_t)(end - b->ptr);
    b->ptr[b->len] = '\0';
    return true;
}

bool resp_put_array(struct buf *b, uint64_t count, struct err *err) {
    return buf_reserve(b, resp_size_array(count), err) &&
           wrote(b, resp_write_array(b->ptr + b->len, count));
}

bool resp_put_bulk(struct buf *b, struct str s, struct err *err) {
    return buf_reserve(b, resp_size_bulk(s.len), err) &&
           wrote(b, resp_write_bulk(b->ptr + b->len, s));
}

bool resp_put_joined(struct buf *b, size_t count, const struct str *pieces, struct err *err) {
    size_t len = 0;
    char *at;

    for (size_t i = 0; i < count; i++)
        len += pieces[i].len;
    if (!buf_reserve(b, resp_size_bulk(len), err))
        return false;
    at = write_header(b->ptr + b->len, '$', len);
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].len > 0)
            memcpy(at, pieces[i].ptr, pieces[i].len);
        at += pieces[i].len;
    }
    *at++ = '\r';
    *at++ = '\n';
    return wrote(b, at);
}

bool resp_put_u64(struct buf *b, uint64_t v, struct err *err) {
    return buf_reserve(b, RESP_SIZE_NUMBER_MAX, err) &&
           wrote(b, resp_write_u64(b->ptr + b->len, v));
}

bool resp_put_i64(struct buf *b, int64_t v, struct err *err) {
    return buf_reserve(b, RESP_SIZE_NUMBER_MAX + 1, err) &&
           wrote(b, resp_write_i64(b->ptr + b->len, v));
}

bool resp_put_command(struct buf *b, size_t argc, const struct str *argv, struct err *err) {
    size_t size = resp_size_array(argc);
    char *at;

    for (size_t i = 0; i < argc; i++)
        size += resp_size_bulk(argv[i].len);
    if (!buf_reserve(b, size, err))
        return false;
    at = resp_write_array(b->ptr + b->len, argc);
    for (size_t i = 0; i < argc; i++)
        at = resp_write_bulk(at, argv[i]);
    return wrote(b, at);
}

bool resp_put_words(struct buf *b, struct err *err, const char *first, ...) {
    struct str argv[RESP_WORDS_MAX];
    size_t argc = 0;
    va_list words;

    va_start(words, first);
    for (const char *word = first; word && argc < RESP_WORDS_MAX;
         word = va_arg(words, const char *))
        argv[argc++] = str_from(word);
    va_end(words);
    return resp_put_command(b, argc, argv, err);
}
