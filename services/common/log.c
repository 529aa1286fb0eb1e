#include "services/common/log.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "services/common/clock.h"

enum { LINE_MAX_BYTES = 4096, CONTEXT_SIZE = 64 };

struct context {
    char name[24];
    char value[CONTEXT_SIZE];
};

static enum log_format format_now = LOG_FORMAT_LOGFMT;
static enum log_level lowest_now = LOG_LEVEL_INFO;
static int fd_now = STDERR_FILENO;
static _Thread_local struct context contexts[LOG_CONTEXT_MAX];

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_init(enum log_format format, enum log_level lowest) {
    format_now = format;
    lowest_now = lowest;
}

void log_init_text(const char *format, const char *level) {
    enum log_level lowest = LOG_LEVEL_INFO;

    for (size_t i = 0; i < LENGTH_OF(level_names); i++) {
        if (strcmp(level, level_names[i]) == 0)
            lowest = (enum log_level)i;
    }
    log_init(strcmp(format, "json") == 0 ? LOG_FORMAT_JSON : LOG_FORMAT_LOGFMT, lowest);
}

void log_to(int fd) {
    fd_now = fd;
}

void log_context(const char *name, const char *value) {
    struct context *place = NULL;

    for (size_t i = 0; i < LOG_CONTEXT_MAX; i++) {
        if (strcmp(contexts[i].name, name) == 0) {
            place = &contexts[i];
            break;
        }
        if (!place && contexts[i].name[0] == '\0')
            place = &contexts[i];
    }
    if (!place)
        return;
    if (!value || value[0] == '\0') {
        place->name[0] = '\0';
        return;
    }
    snprintf(place->name, sizeof(place->name), "%s", name);
    snprintf(place->value, sizeof(place->value), "%s", value);
}

/* A line in the making; what does not fit is left out, whole fields at a time. */
struct line {
    char text[LINE_MAX_BYTES];
    size_t len;
    bool is_json;
};

static bool put(struct line *l, const char *text, size_t len) {
    if (len > sizeof(l->text) - 3 - l->len) /* room for "}\n" */
        return false;
    memcpy(l->text + l->len, text, len);
    l->len += len;
    return true;
}

static bool put_quoted(struct line *l, struct str value) {
    bool fits = put(l, "\"", 1);

    for (size_t i = 0; fits && i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        char escape[8];

        if (c == '"' || c == '\\')
            fits = put(l, (char[]){'\\', (char)c}, 2);
        else if (c >= 0x20 && c != 0x7f)
            fits = put(l, (const char *)&c, 1);
        else
            fits = put(l, escape, (size_t)snprintf(escape, sizeof(escape), "\\u%04x", c));
    }
    return fits && put(l, "\"", 1);
}

/* logfmt leaves plain words without quotes. */
static bool is_plain(struct str value) {
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];

        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f)
            return false;
    }
    return value.len > 0;
}

static bool put_name(struct line *l, const char *name) {
    if (!l->is_json)
        return (l->len == 0 || put(l, " ", 1)) && put(l, name, strlen(name)) && put(l, "=", 1);
    return put(l, l->len ? "," : "{", 1) && put_quoted(l, str_from(name)) && put(l, ":", 1);
}

static void put_field(struct line *l, const char *name, struct str value, bool is_number) {
    size_t before = l->len;
    bool fits = put_name(l, name);

    if (fits && (is_number || (!l->is_json && is_plain(value))))
        fits = put(l, value.ptr, value.len);
    else if (fits)
        fits = put_quoted(l, value);
    if (!fits)
        l->len = before;
}

/* Bytes of a peer: what is no printable ASCII is shown as \xHH. */
static void put_escaped(struct line *l, const char *name, struct str value) {
    char text[512];

    str_escape(value, text, sizeof(text));
    put_field(l, name, str_from(text), false);
}

static void put_one(struct line *l, const struct log_field *field) {
    char text[ERR_FRAMES * ERR_FRAME_LEN];

    switch (field->is) {
    case LOG_IS_TEXT:
        if (field->text)
            put_field(l, field->name, str_from(field->text), false);
        break;
    case LOG_IS_STR:
        put_escaped(l, field->name, field->str);
        break;
    case LOG_IS_INT:
        snprintf(text, sizeof(text), "%lld", (long long)field->number);
        put_field(l, field->name, str_from(text), true);
        break;
    case LOG_IS_ERR:
        err_format(field->err, text, sizeof(text));
        put_field(l, "code", str_from(err_slug(field->err->code)), false);
        put_field(l, field->name, str_from(text), false);
        break;
    }
}

void log_write(enum log_level level, const char *event, const struct log_field *fields,
               size_t count) {
    struct line l = {.len = 0, .is_json = format_now == LOG_FORMAT_JSON};
    char now[CLOCK_RFC3339_SIZE];
    int saved_errno = errno;
    ssize_t written;

    if (level < lowest_now)
        return;
    clock_rfc3339(clock_wall_ms(), now);
    put_field(&l, "ts", str_from(now), false);
    put_field(&l, "level", str_from(level_names[level]), false);
    put_field(&l, "event", str_from(event), false);
    for (size_t i = 0; i < LOG_CONTEXT_MAX; i++) {
        if (contexts[i].name[0] != '\0')
            put_field(&l, contexts[i].name, str_from(contexts[i].value), false);
    }
    for (size_t i = 0; i < count; i++)
        put_one(&l, &fields[i]);
    if (l.is_json)
        l.text[l.len++] = '}';
    l.text[l.len++] = '\n';
    /* A log that cannot be written is no reason to stop moving data. */
    written = write(fd_now, l.text, l.len);
    (void)written;
    errno = saved_errno;
}

void log_plain(enum log_level level, const char *event) {
    log_write(level, event, NULL, 0);
}
