#include "web-api/json_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "web-api/json_time.h"

/* jansson recurses once per level, on a thread's small stack. Brackets inside
 * strings do not nest. */
static bool nests_deeper(struct str bytes, int depth_max) {
    int depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < bytes.len; i++) {
        char c = bytes.ptr[i];

        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > depth_max)
                return true;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return false;
}

bool json_read_object(struct str bytes, json_t **ret_object, struct err *err) {
    json_error_t why;
    json_t *object;

    if (bytes.len == 0) {
        *ret_object = json_object();
        return true;
    }
    if (nests_deeper(bytes, JSON_READ_DEPTH_MAX))
        return err_set(err, ERR_NOT_JSON, "the body nests deeper than %d", JSON_READ_DEPTH_MAX);
    object = json_loadb(bytes.ptr, bytes.len, JSON_REJECT_DUPLICATES, &why);
    /* jansson's sentence may quote the text near the place, which may be a
     * password: only the place is told. */
    if (!object && json_error_code(&why) == json_error_numeric_overflow)
        return err_set(err, ERR_NOT_JSON, "a number is too large at line %d, column %d", why.line,
                       why.column);
    if (!object)
        return err_set(err, ERR_NOT_JSON, "not JSON at line %d, column %d", why.line, why.column);
    if (!json_is_object(object)) {
        json_decref(object);
        return err_set(err, ERR_NOT_JSON, "the body must be an object");
    }
    *ret_object = object;
    return true;
}

void json_read_wrong(json_t **fields, const char *pointer, const char *code, const char *fmt, ...) {
    char detail[256];
    va_list args;
    json_t *text;

    va_start(args, fmt);
    vsnprintf(detail, sizeof(detail), fmt, args);
    va_end(args);
    if (!*fields)
        *fields = json_array();
    text = json_string(detail);
    if (!text) { /* cut in the middle of a character */
        char escaped[1024 + 8];

        str_escape(str_from(detail), escaped, sizeof(escaped));
        text = json_string(escaped);
    }
    json_array_append_new(
        *fields, json_pack("{s:s, s:s, s:o}", "pointer", pointer, "code", code, "detail", text));
}

static bool listed(const char *list, char sep, const char *name) {
    struct str rest = str_from(list), one;

    while (str_cut(&rest, sep, &one))
        if (str_equal(one, str_from(name)))
            return true;
    return false;
}

/* "/name" with the two escapes of RFC 6901. */
static void pointer_to(const char *name, char *dst, size_t size) {
    size_t len = 0;

    dst[len++] = '/';
    for (; *name && len + 3 < size; name++) {
        if (*name == '~' || *name == '/') {
            dst[len++] = '~';
            dst[len++] = *name == '~' ? '0' : '1';
        } else {
            dst[len++] = *name;
        }
    }
    dst[len] = '\0';
}

void json_read_known(const json_t *object, json_t **fields, const char *names) {
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, name, value) {
        char pointer[256];

        (void)value;
        if (listed(names, ' ', name))
            continue;
        pointer_to(name, pointer, sizeof(pointer));
        json_read_wrong(fields, pointer, "unknown_field", "this call knows no such member");
    }
}

void json_read_bool(const json_t *object, json_t **fields, const char *name, bool *value) {
    const json_t *member = json_object_get(object, name);
    char pointer[256];

    if (!member)
        return;
    pointer_to(name, pointer, sizeof(pointer));
    if (!json_is_boolean(member))
        json_read_wrong(fields, pointer, "type", "must be true or false");
    else
        *value = json_is_true(member);
}

void json_read_text(const json_t *object, json_t **fields, const char *name, size_t min, size_t max,
                    const char **value) {
    const json_t *member = json_object_get(object, name);
    char pointer[256];

    if (!member || json_is_null(member))
        return;
    pointer_to(name, pointer, sizeof(pointer));
    if (!json_is_string(member))
        json_read_wrong(fields, pointer, "type", "must be a text");
    else if (json_string_length(member) < min || json_string_length(member) > max)
        json_read_wrong(fields, pointer, "length", "must have %zu to %zu bytes", min, max);
    else
        *value = json_string_value(member);
}

void json_read_choice(const json_t *object, json_t **fields, const char *name, const char *choices,
                      const char **value) {
    const json_t *member = json_object_get(object, name);
    char pointer[256];

    if (!member || json_is_null(member))
        return;
    pointer_to(name, pointer, sizeof(pointer));
    if (!json_is_string(member) || !listed(choices, '|', json_string_value(member)))
        json_read_wrong(fields, pointer, "choice", "must be one of %s", choices);
    else
        *value = json_string_value(member);
}

void json_read_int(const json_t *object, json_t **fields, const char *name, int64_t lowest,
                   int64_t highest, int64_t *value) {
    const json_t *member = json_object_get(object, name);
    char pointer[256];

    if (!member || json_is_null(member))
        return;
    pointer_to(name, pointer, sizeof(pointer));
    if (!json_is_integer(member))
        json_read_wrong(fields, pointer, "type", "must be a whole number");
    else if (json_integer_value(member) < lowest || json_integer_value(member) > highest)
        json_read_wrong(fields, pointer, "range", "must be from %lld to %lld", (long long)lowest,
                        (long long)highest);
    else
        *value = json_integer_value(member);
}

static bool is_among(const char *const *values, size_t count, const char *value) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(values[i], value) == 0)
            return true;
    return false;
}

void json_read_texts(const json_t *object, json_t **fields, const char *name, size_t most,
                     size_t longest, const char **values, size_t *count) {
    const json_t *member = json_object_get(object, name), *one;
    char pointer[256], at[288];
    size_t i, found = 0;

    if (!member || json_is_null(member))
        return;
    pointer_to(name, pointer, sizeof(pointer));
    if (!json_is_array(member) || json_array_size(member) > most) {
        json_read_wrong(fields, pointer, json_is_array(member) ? "range" : "type",
                        "must be a list of at most %zu texts", most);
        return;
    }
    json_array_foreach(member, i, one) {
        const char *text = json_string_value(one);

        snprintf(at, sizeof(at), "%s/%zu", pointer, i);
        if (!text)
            json_read_wrong(fields, at, "type", "must be a text");
        else if (json_string_length(one) < 1 || json_string_length(one) > longest)
            json_read_wrong(fields, at, "length", "must have 1 to %zu bytes", longest);
        else if (is_among(values, found, text))
            json_read_wrong(fields, at, "invalid", "is there twice");
        else
            values[found++] = text;
    }
    *count = found;
}

void json_read_time(const json_t *object, json_t **fields, const char *name, int64_t *wall_ms) {
    const json_t *member = json_object_get(object, name);
    char pointer[256];

    if (!member)
        return;
    pointer_to(name, pointer, sizeof(pointer));
    if (json_is_null(member))
        *wall_ms = 0;
    else if (!json_time_parse(member, wall_ms))
        json_read_wrong(fields, pointer, "invalid", "must be a time like 2026-11-20T09:54:00.123Z");
}

bool json_read_end(const json_t *fields, struct err *err) {
    const json_t *first = json_array_get(fields, 0);

    if (!first)
        return true;
    return err_set(err, ERR_VALIDATION, "%s %s",
                   json_string_value(json_object_get(first, "pointer")),
                   json_string_value(json_object_get(first, "detail")));
}
