#include "sql/store_progress.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/attrs.h"
#include "sql/json_load.h"
#include "sql/json_scan.h"

json_t *store_progress_to_json(const struct store_progress *progress) {
    json_t *to = json_object();

#define PROGRESS_TEXT(name, size) json_object_set_new(to, #name, json_string(progress->name));
#define PROGRESS_INT(name) json_object_set_new(to, #name, json_integer(progress->name));
#include "sql/progress_fields.def"
#undef PROGRESS_TEXT
#undef PROGRESS_INT
    return to;
}

void store_progress_from_json(const json_t *from, struct store_progress *ret_progress) {
    const char *text;

    memset(ret_progress, 0, sizeof(*ret_progress));
#define PROGRESS_TEXT(name, size)                                                                  \
    text = json_string_value(json_object_get(from, #name));                                        \
    snprintf(ret_progress->name, size, "%s", text ? text : "");
#define PROGRESS_INT(name) ret_progress->name = json_integer_value(json_object_get(from, #name));
#include "sql/progress_fields.def"
#undef PROGRESS_TEXT
#undef PROGRESS_INT
}

static const struct field {
    struct str name;
    size_t at, size; /* in struct store_progress; size 0 = a number */
} fields[] = {
#define PROGRESS_TEXT(name, size)                                                                  \
    {{#name, sizeof(#name) - 1}, offsetof(struct store_progress, name), size},
#define PROGRESS_INT(name) {{#name, sizeof(#name) - 1}, offsetof(struct store_progress, name), 0},
#include "sql/progress_fields.def"
#undef PROGRESS_TEXT
#undef PROGRESS_INT
};

static const struct field *field_of(struct str name) {
    for (size_t i = 0; i < LENGTH_OF(fields); i++)
        if (str_equal(fields[i].name, name))
            return &fields[i];
    return NULL;
}

/* Escapes are rare: only then a value is made of it. */
static void read_text(struct str value, char *dst, size_t size) {
    char text[1024];
    json_t *loaded;
    size_t len;

    if (value.len < 2 || value.ptr[0] != '"')
        return;
    if (!memchr(value.ptr, '\\', value.len)) {
        len = value.len - 2 < size ? value.len - 2 : size - 1;
        memcpy(dst, value.ptr + 1, len);
        dst[len] = '\0';
    } else if (value.len < sizeof(text)) {
        memcpy(text, value.ptr, value.len);
        text[value.len] = '\0';
        loaded = json_load(text);
        snprintf(dst, size, "%s", json_is_string(loaded) ? json_string_value(loaded) : "");
        json_decref(loaded);
    }
}

void store_progress_from_text(struct str from, struct store_progress *ret_progress) {
    struct json_scan scan = json_scan_begin(from);
    char *base = (char *)ret_progress;
    struct json_member m;
    int64_t number;

    memset(ret_progress, 0, sizeof(*ret_progress));
    while (json_scan_next(&scan, &m)) {
        const struct field *f = field_of(m.name);

        if (f && f->size > 0)
            read_text(m.value, base + f->at, f->size);
        else if (f && str_parse_i64(m.value, &number))
            memcpy(base + f->at, &number, sizeof(number));
    }
}
