#include "services/job/job_spec_fields.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/str.h"
#include "services/job/job_spec.h"

enum kind { IS_OBJECT, IS_BOOL, IS_INT, IS_NUMBER, IS_LIMIT, IS_TEXT, IS_CHOICE, IS_LATER, IS_OWN };

struct field {
    enum kind kind;
    const char *path, *name;
    const char *fallback; /* text, choice; JSON for LATER; NULL = null */
    const char *choices, *built;
    double fallback_number, lowest, highest; /* of bool, int and number; highest characters */
};

static const struct field fields[] = {
#define SPEC_OBJECT(path, name) {IS_OBJECT, path, #name, NULL, NULL, NULL, 0, 0, 0},
#define SPEC_BOOL(path, name, fallback) {IS_BOOL, path, #name, NULL, NULL, NULL, fallback, 0, 1},
#define SPEC_INT(path, name, fallback, lowest, highest)                                            \
    {IS_INT, path, #name, NULL, NULL, NULL, fallback, lowest, highest},
#define SPEC_NUMBER(path, name, fallback, lowest, highest)                                         \
    {IS_NUMBER, path, #name, NULL, NULL, NULL, fallback, lowest, highest},
#define SPEC_LIMIT(path, name, lowest) {IS_LIMIT, path, #name, NULL, NULL, NULL, 0, lowest, 1e15},
#define SPEC_TEXT(path, name, fallback, most)                                                      \
    {IS_TEXT, path, #name, fallback, NULL, NULL, 0, 1, most},
#define SPEC_CHOICE(path, name, fallback, choices, built)                                          \
    {IS_CHOICE, path, #name, fallback, choices, built, 0, 0, 0},
#define SPEC_LATER(path, name, fallback) {IS_LATER, path, #name, fallback, NULL, NULL, 0, 0, 0},
#define SPEC_OWN(path, name) {IS_OWN, path, #name, NULL, NULL, NULL, 0, 0, 0},
#include "services/job/job_spec_fields.def"
#undef SPEC_OBJECT
#undef SPEC_BOOL
#undef SPEC_INT
#undef SPEC_NUMBER
#undef SPEC_LIMIT
#undef SPEC_TEXT
#undef SPEC_CHOICE
#undef SPEC_LATER
#undef SPEC_OWN
};

void spec_report_add(struct spec_report *report, const char *pointer, const char *code,
                     const char *fmt, ...) {
    char detail[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(detail, sizeof(detail), fmt, args);
    va_end(args);
    /* Ours are ASCII; a character of somebody else's that was cut would be no UTF-8, and JSON
     * drops such a text without a word. */
    for (char *c = detail; *c; c++)
        *c = (unsigned char)*c < 0x80 ? *c : '?';
    if (report->total == 0)
        err_set(&report->first, ERR_VALIDATION, "%s: %s", *pointer ? pointer : "the body", detail);
    report->total++;
    report->later += strcmp(code, "not_supported_yet") == 0;
    report->ambiguous += strcmp(code, "ambiguous_userinfo") == 0;
    if (json_array_size(report->errors) < JOB_SPEC_ERRORS_MAX)
        json_array_append_new(report->errors, json_pack("{s:s, s:s, s:s}", "pointer", pointer,
                                                        "code", code, "detail", detail));
}

static bool is_one_of(const char *choices, const char *value) {
    struct str rest = str_from(choices), one;

    while (str_cut(&rest, '|', &one)) {
        if (str_equal(one, str_from(value)))
            return true;
    }
    return false;
}

/* Characters of UTF-8 (jansson lets nothing else in); -1 when a control character is there. */
static long text_length(const char *text) {
    long length = 0;

    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c < 0x20 || *c == 0x7f)
            return -1;
        length += (*c & 0xc0) != 0x80;
    }
    return length;
}

static json_t *read_number(const struct field *f, const json_t *value, const char *pointer,
                           struct spec_report *report) {
    bool is_int = f->kind != IS_NUMBER;

    if (f->kind == IS_LIMIT &&
        (!value || (json_is_integer(value) && json_integer_value(value) == -1)))
        return json_null();
    if (!value)
        return is_int ? json_integer((json_int_t)f->fallback_number)
                      : json_real(f->fallback_number);
    if (is_int ? !json_is_integer(value) : !json_is_number(value)) {
        spec_report_add(report, pointer, "type", "must be %s",
                        is_int ? "a whole number" : "a number");
        return json_null();
    }
    if (json_number_value(value) < f->lowest || json_number_value(value) > f->highest) {
        spec_report_add(report, pointer, "range", "must be from %.0f to %.0f", f->lowest,
                        f->highest);
        return json_null();
    }
    return json_copy((json_t *)(uintptr_t)value);
}

static json_t *read_text(const struct field *f, const json_t *value, const char *pointer,
                         struct spec_report *report) {
    const char *text = json_string_value(value);
    long length;

    if (!value)
        return f->fallback ? json_string(f->fallback) : json_null();
    if (!text) {
        spec_report_add(report, pointer, "type", "must be a text");
        return json_null();
    }
    if (f->kind == IS_TEXT) {
        length = text_length(text);
        if (length >= 1 && (double)length <= f->highest)
            return json_string(text);
        spec_report_add(report, pointer, "length",
                        "must have 1 to %.0f characters, no control ones", f->highest);
    } else if (!is_one_of(f->choices, text)) {
        spec_report_add(report, pointer, "choice", "must be one of %s", f->choices);
    } else if (!is_one_of(f->built, text)) {
        spec_report_add(report, pointer, "not_supported_yet", "is not built yet; built: %s",
                        f->built);
    } else {
        return json_string(text);
    }
    return json_null();
}

bool job_spec_fields_is_default(const json_t *given, const json_t *fallback) {
    const char *key;
    json_t *value;

    if (!given || json_is_null(given))
        return true;
    if (!json_is_object(given) || !json_is_object(fallback))
        return json_equal(given, fallback);
    json_object_foreach((json_t *)(uintptr_t)given, key, value) {
        const json_t *other = json_object_get(fallback, key);

        if (!other || !job_spec_fields_is_default(value, other))
            return false;
    }
    return true;
}

static json_t *read_later(const struct field *f, const json_t *value, const char *pointer,
                          struct spec_report *report) {
    json_t *fallback = json_loads(f->fallback, JSON_DECODE_ANY, NULL);

    if (!job_spec_fields_is_default(value, fallback))
        spec_report_add(report, pointer, "not_supported_yet",
                        "is not built yet; only its default is taken");
    return fallback;
}

static json_t *read_field(const struct field *f, const json_t *value, const char *pointer,
                          struct spec_report *report) {
    char path[64];
    json_t *into;

    switch (f->kind) {
    case IS_OBJECT:
        into = json_object();
        snprintf(path, sizeof(path), "%s%s%s", f->path, f->path[0] ? "/" : "", f->name);
        if (value && !json_is_object(value))
            spec_report_add(report, pointer, "type", "must be an object");
        else
            job_spec_fields_read(path, value, into, report);
        return into;
    case IS_BOOL:
        if (value && !json_is_boolean(value))
            spec_report_add(report, pointer, "type", "must be true or false");
        return json_boolean(value ? json_is_true(value) : f->fallback_number != 0);
    case IS_INT:
    case IS_NUMBER:
    case IS_LIMIT:
        return read_number(f, value, pointer, report);
    case IS_TEXT:
    case IS_CHOICE:
        return read_text(f, value, pointer, report);
    case IS_LATER:
        return read_later(f, value, pointer, report);
    case IS_OWN:
        break;
    }
    return json_null();
}

/* A name as a step of a JSON pointer (RFC 6901), cut where it is longer than any of ours. */
static void pointer_of(const char *path, const char *name, char *dst, size_t size) {
    size_t at = (size_t)snprintf(dst, size, "%s%s/", path[0] ? "/" : "", path);

    for (; *name && at + 3 < size; name++) {
        if (*name == '~' || *name == '/') {
            dst[at++] = '~';
            dst[at++] = *name == '~' ? '0' : '1';
        } else {
            dst[at++] = *name;
        }
    }
    /* Never in the middle of a character. */
    if (*name)
        while (at > 0 && ((unsigned char)dst[at - 1] & 0x80))
            at--;
    dst[at] = '\0';
}

static bool is_known(const char *path, const char *name) {
    for (size_t i = 0; i < LENGTH_OF(fields); i++) {
        if (strcmp(fields[i].path, path) == 0 && strcmp(fields[i].name, name) == 0)
            return true;
    }
    return false;
}

void job_spec_fields_read(const char *path, const json_t *given, json_t *into,
                          struct spec_report *report) {
    char pointer[160];
    const char *key;
    json_t *value;

    for (size_t i = 0; i < LENGTH_OF(fields); i++) {
        const struct field *f = &fields[i];
        const json_t *member;

        if (strcmp(f->path, path) != 0)
            continue;
        member = json_object_get(given, f->name);
        pointer_of(path, f->name, pointer, sizeof(pointer));
        json_object_set_new(into, f->name,
                            read_field(f, json_is_null(member) ? NULL : member, pointer, report));
    }
    json_object_foreach((json_t *)(uintptr_t)given, key, value) {
        if (is_known(path, key))
            continue;
        pointer_of(path, key, pointer, sizeof(pointer));
        spec_report_add(report, pointer, "unknown_field", "is not a known field");
    }
}

void job_spec_fields_limits(const json_t *given, json_t *throttle) {
    static const char *const phases[] = {"full", "incremental"};

    for (size_t i = 0; i < LENGTH_OF(phases); i++) {
        json_t *into = json_object_get(throttle, phases[i]);
        const json_t *enabled = json_object_get(json_object_get(given, phases[i]), "enabled");

        if ((!enabled || json_is_null(enabled)) &&
            (json_is_integer(json_object_get(into, "rps")) ||
             json_is_integer(json_object_get(into, "source_qps")) ||
             json_is_integer(json_object_get(into, "bytes_per_second"))))
            json_object_set_new(into, "enabled", json_true());
    }
}
