#include "sql/json_load.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Whatever is rare (escapes, exponents, large numbers, deep nesting, what is wrong) is left to
 * jansson: here a value of none of these is read, or NULL tells that it is not one. */
enum { DEPTH_MAX = 64, DIGITS_MAX = 18 };

struct reader {
    const char *at;
    int depth;
};

static json_t *read_value(struct reader *r);

static void skip_blanks(struct reader *r) {
    while (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r')
        r->at++;
}

static bool take(struct reader *r, char c) {
    skip_blanks(r);
    if (*r->at != c)
        return false;
    r->at++;
    return true;
}

/* Behind its first quote. */
static bool read_text(struct reader *r, const char **ret_text, size_t *ret_len) {
    const char *begin = r->at;

    while (*r->at != '"') {
        if (*r->at == '\\' || (unsigned char)*r->at < 0x20)
            return false;
        r->at++;
    }
    *ret_text = begin;
    *ret_len = (size_t)(r->at - begin);
    r->at++;
    return true;
}

static json_t *read_string(struct reader *r) {
    const char *text;
    size_t len;

    return read_text(r, &text, &len) ? json_stringn_nocheck(text, len) : NULL;
}

/* jansson asks strtod() as well; nothing of ours sets a locale. */
static json_t *read_fraction(struct reader *r, const char *begin) {
    const char *point = r->at++;

    while (*r->at >= '0' && *r->at <= '9')
        r->at++;
    if (r->at == point + 1 || *r->at == 'e' || *r->at == 'E')
        return NULL;
    return json_real(strtod(begin, NULL));
}

static json_t *read_number(struct reader *r) {
    bool is_negative = *r->at == '-';
    const char *begin = r->at, *first = r->at + is_negative;
    json_int_t value = 0;

    for (r->at = first; *r->at >= '0' && *r->at <= '9'; r->at++) {
        if (r->at - first == DIGITS_MAX)
            return NULL;
        value = value * 10 + (*r->at - '0');
    }
    if (r->at == first || (*first == '0' && r->at - first > 1) || *r->at == 'e' || *r->at == 'E')
        return NULL;
    if (*r->at == '.')
        return read_fraction(r, begin);
    return json_integer(is_negative ? -value : value);
}

static bool read_member(struct reader *r, json_t *object) {
    const char *name;
    size_t len;
    json_t *value;

    return take(r, '"') && read_text(r, &name, &len) && take(r, ':') && (value = read_value(r)) &&
           json_object_setn_new_nocheck(object, name, len, value) == 0;
}

static bool read_item(struct reader *r, json_t *array) {
    json_t *value = read_value(r);

    return value && json_array_append_new(array, value) == 0;
}

/* Behind its first bracket. Takes the reference over. */
static json_t *read_many(struct reader *r, json_t *into, char end,
                         bool (*read_one)(struct reader *r, json_t *into)) {
    bool ok = r->depth < DEPTH_MAX;

    r->depth++;
    if (ok && !take(r, end)) {
        do
            ok = read_one(r, into);
        while (ok && take(r, ','));
        ok = ok && take(r, end);
    }
    r->depth--;
    if (ok)
        return into;
    json_decref(into);
    return NULL;
}

static bool take_word(struct reader *r, const char *word) {
    size_t len = strlen(word);

    if (strncmp(r->at, word, len) != 0)
        return false;
    r->at += len;
    return true;
}

static json_t *read_value(struct reader *r) {
    if (take(r, '"'))
        return read_string(r);
    if (take(r, '{'))
        return read_many(r, json_object(), '}', read_member);
    if (take(r, '['))
        return read_many(r, json_array(), ']', read_item);
    if (take_word(r, "true"))
        return json_true();
    if (take_word(r, "false"))
        return json_false();
    if (take_word(r, "null"))
        return json_null();
    return read_number(r);
}

json_t *json_load(const char *text) {
    struct reader r = {.at = text};
    json_t *value = read_value(&r);

    skip_blanks(&r);
    if (value && *r.at == '\0')
        return value;
    json_decref(value);
    return json_loads(text, JSON_DECODE_ANY, NULL);
}
