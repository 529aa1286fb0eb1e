#include "services/net/endpoint_read.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

bool endpoint_read_wrong(struct endpoint_reading *r, const char *pointer, enum err_code code,
                         const char *why) {
    if (r->pointer)
        snprintf(r->pointer, ENDPOINT_POINTER_SIZE, "%s", pointer);
    return err_set(r->err, code, "%s: %s", *pointer ? pointer : "endpoint", why);
}

bool endpoint_read_wrong_at(struct endpoint_reading *r, const char *pointer) {
    if (r->pointer)
        snprintf(r->pointer, ENDPOINT_POINTER_SIZE, "%s", pointer);
    return err_wrap(r->err, "%s", pointer);
}

bool endpoint_read_members(struct endpoint_reading *r, const char *at, const json_t *object,
                           const char *const *known, const char *const *later) {
    const char *key;
    json_t *value;

    if (!json_is_object(object))
        return endpoint_read_wrong(r, at, ERR_VALIDATION, "must be an object");
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        char pointer[ENDPOINT_POINTER_SIZE], shown[40];
        size_t i = 0;

        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        if (known[i] || json_is_null(value))
            continue;
        str_escape(str_from(key), shown, sizeof(shown));
        snprintf(pointer, sizeof(pointer), "%s/%s", at, shown);
        for (i = 0; later[i]; i++)
            if (strcmp(later[i], key) == 0)
                return endpoint_read_wrong(r, pointer, ERR_NOT_SUPPORTED_YET, "is not built yet");
        return endpoint_read_wrong(r, pointer, ERR_VALIDATION, "is not a known member");
    }
    return true;
}

bool endpoint_read_text(struct endpoint_reading *r, const json_t *object, const char *name,
                        const char *pointer, struct str *ret, bool *ret_given) {
    const json_t *value = json_object_get(object, name);

    *ret = STR_EMPTY;
    *ret_given = value && !json_is_null(value);
    if (!*ret_given)
        return true;
    if (!json_is_string(value))
        return endpoint_read_wrong(r, pointer, ERR_VALIDATION, "must be a string");
    *ret = str_of(json_string_value(value), json_string_length(value));
    return true;
}

bool endpoint_read_bool(struct endpoint_reading *r, const json_t *object, const char *name,
                        const char *pointer, bool *ret) {
    const json_t *value = json_object_get(object, name);

    if (!value || json_is_null(value))
        return true;
    if (!json_is_boolean(value))
        return endpoint_read_wrong(r, pointer, ERR_VALIDATION, "must be true or false");
    *ret = json_is_true(value);
    return true;
}

bool endpoint_read_number(struct endpoint_reading *r, const json_t *object, const char *name,
                          const char *pointer, json_int_t lowest, json_int_t highest,
                          json_int_t *ret) {
    const json_t *value = json_object_get(object, name);
    char why[80];

    if (!value || json_is_null(value))
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < lowest ||
        json_integer_value(value) > highest) {
        snprintf(why, sizeof(why), "must be a whole number from %lld to %lld", (long long)lowest,
                 (long long)highest);
        return endpoint_read_wrong(r, pointer, ERR_VALIDATION, why);
    }
    *ret = json_integer_value(value);
    return true;
}
