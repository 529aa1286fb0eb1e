#include "web-api/json_out.h"

#include <stdlib.h>
#include <string.h>

#include "services/common/clock.h"
#include "web-api/json_text.h"

void json_out_raw(struct buf *dst, struct str text) {
    struct err err = ERR_INIT;

    if (!buf_append(dst, text, &err))
        abort();
}

void json_out_raw_value(struct buf *dst, const json_t *value) {
    struct err err = ERR_INIT;

    if (!json_text(dst, value, &err))
        abort();
}

void json_out_name(struct buf *dst, const char *name) {
    size_t len = name ? strlen(name) : 0;
    struct err err = ERR_INIT;
    char *at, last = dst->len ? dst->ptr[dst->len - 1] : '\0';

    if (!buf_reserve(dst, len + 4, &err))
        abort();
    at = dst->ptr + dst->len;
    if (last != '{' && last != '[')
        *at++ = ',';
    if (name) {
        *at++ = '"';
        memcpy(at, name, len);
        at += len;
        *at++ = '"';
        *at++ = ':';
    }
    *at = '\0';
    dst->len = (size_t)(at - dst->ptr);
}

void json_out_open(struct buf *dst, const char *name, char bracket) {
    json_out_name(dst, name);
    json_out_raw(dst, str_of(&bracket, 1));
}

void json_out_close(struct buf *dst, char bracket) {
    json_out_raw(dst, str_of(&bracket, 1));
}

void json_out_null(struct buf *dst, const char *name) {
    json_out_name(dst, name);
    json_out_raw(dst, STR_LIT("null"));
}

void json_out_bool(struct buf *dst, const char *name, bool value) {
    json_out_name(dst, name);
    json_out_raw(dst, value ? STR_LIT("true") : STR_LIT("false"));
}

void json_out_int(struct buf *dst, const char *name, int64_t value) {
    struct err err = ERR_INIT;

    json_out_name(dst, name);
    if (!json_text_integer(dst, value, &err))
        abort();
}

void json_out_text(struct buf *dst, const char *name, const char *text) {
    struct err err = ERR_INIT;

    json_out_name(dst, name);
    if (!text)
        json_out_raw(dst, STR_LIT("null"));
    else if (!json_text_string(dst, str_from(text), &err))
        abort();
}

void json_out_value(struct buf *dst, const char *name, const json_t *value) {
    json_out_name(dst, name);
    if (value)
        json_out_raw_value(dst, value);
    else
        json_out_raw(dst, STR_LIT("null"));
}

void json_out_time(struct buf *dst, const char *name, int64_t wall_ms) {
    char text[CLOCK_RFC3339_SIZE];

    if (wall_ms != 0)
        clock_rfc3339(wall_ms, text);
    json_out_text(dst, name, wall_ms ? text : NULL);
}

void json_out_positive(struct buf *dst, const char *name, int64_t value) {
    if (value > 0)
        json_out_int(dst, name, value);
    else
        json_out_null(dst, name);
}

void json_out_text_or_null(struct buf *dst, const char *name, const char *text) {
    json_out_text(dst, name, text[0] ? text : NULL);
}
