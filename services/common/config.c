#include "services/common/config.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum config_type { TYPE_TEXT, TYPE_INT, TYPE_CHOICE };

struct config_row {
    enum config_type type;
    size_t offset;
    const char *name, *fallback, *choices, *help;
    int64_t fallback_int, lowest, highest;
};

static const struct config_row rows[] = {
#define CONFIG_TEXT(field, name, fallback, help)                                                   \
    {TYPE_TEXT, offsetof(struct config, field), name, fallback, NULL, help, 0, 0, 0},
#define CONFIG_INT(field, name, fallback, lowest, highest, help)                                   \
    {TYPE_INT, offsetof(struct config, field), name, #fallback, NULL, help, fallback, lowest,      \
     highest},
#define CONFIG_CHOICE(field, name, fallback, choices, help)                                        \
    {TYPE_CHOICE, offsetof(struct config, field), name, fallback, choices, help, 0, 0, 0},
#include "services/common/config_keys.def"
#undef CONFIG_TEXT
#undef CONFIG_INT
#undef CONFIG_CHOICE
};

/* KEYFERRY_ names that are not settings of a process. */
static const char *const passed_over[] = {
    "KEYFERRY_URL",
    "KEYFERRY_API_KEY",
    "KEYFERRY_SOURCE_PASSWORD",
    "KEYFERRY_DESTINATION_PASSWORD",
};

enum { CONFIG_FILE_MAX = 256 * 1024, CONFIG_VALUE_MAX = 64 * 1024 };

static char *dup_text(const char *text, size_t len) {
    char *copy = malloc(len + 1);

    if (!copy)
        abort();
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

static char **text_of(struct config *c, const struct config_row *row) {
    return (char **)(void *)((char *)c + row->offset);
}

void config_init(struct config *c) {
    memset(c, 0, sizeof(*c));
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        if (rows[i].type == TYPE_INT)
            memcpy((char *)c + rows[i].offset, &rows[i].fallback_int, sizeof(int64_t));
        else
            *text_of(c, &rows[i]) = dup_text(rows[i].fallback, strlen(rows[i].fallback));
    }
}

void config_done(struct config *c) {
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        char *text;

        if (rows[i].type == TYPE_INT)
            continue;
        text = *text_of(c, &rows[i]);
        if (text)
            explicit_bzero(text, strlen(text)); /* a database URL may hold a password */
        free(text);
    }
    memset(c, 0, sizeof(*c));
}

static bool is_choice(const char *choices, struct str value) {
    struct str rest = str_from(choices), one;

    while (str_cut(&rest, '|', &one)) {
        if (str_equal(one, value))
            return true;
    }
    return false;
}

static bool set_row(struct config *c, const struct config_row *row, struct str value,
                    struct err *err) {
    char shown[64];
    int64_t number;
    char **text;

    str_escape(value, shown, sizeof(shown));
    if (row->type == TYPE_INT) {
        if (!str_parse_i64(value, &number) || number < row->lowest || number > row->highest)
            return err_set(err, ERR_CONFIG, "%s is \"%s\"; it takes a number from %lld to %lld",
                           row->name, shown, (long long)row->lowest, (long long)row->highest);
        memcpy((char *)c + row->offset, &number, sizeof(number));
        return true;
    }
    if (row->type == TYPE_CHOICE && !is_choice(row->choices, value))
        return err_set(err, ERR_CONFIG, "%s is \"%s\"; it takes one of %s", row->name, shown,
                       row->choices);
    if (value.len > CONFIG_VALUE_MAX || memchr(value.ptr, '\0', value.len))
        return err_set(err, ERR_CONFIG, "%s is too long or holds a NUL", row->name);
    text = text_of(c, row);
    if (*text)
        explicit_bzero(*text, strlen(*text));
    free(*text);
    *text = dup_text(value.ptr, value.len);
    return true;
}

static const struct config_row *find_row(struct str name) {
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        if (str_equal(name, str_from(rows[i].name)))
            return &rows[i];
    }
    return NULL;
}

static bool set_named(struct config *c, struct str name, struct str value, struct err *err) {
    const struct config_row *row = find_row(name);
    char shown[64];

    if (row)
        return set_row(c, row, value, err);
    str_escape(name, shown, sizeof(shown));
    return err_set(err, ERR_CONFIG, "there is no setting %s", shown);
}

bool config_set(struct config *c, const char *name, const char *value, struct err *err) {
    return set_named(c, str_from(name), str_from(value), err);
}

static bool load_lines(struct config *c, struct str text, const char *file, struct err *err) {
    struct str line, name;

    for (int number = 1; str_cut(&text, '\n', &line); number++) {
        line = str_trim(line);
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        if (!memchr(line.ptr, '=', line.len))
            return err_set(err, ERR_CONFIG, "%s line %d has no NAME=value", file, number);
        if (!str_cut(&line, '=', &name) || !set_named(c, str_trim(name), str_trim(line), err))
            return err_wrap(err, "%s line %d", file, number);
    }
    return true;
}

static bool load_file(struct config *c, const char *file, struct err *err) {
    char *text = NULL;
    FILE *in = fopen(file, "re");
    size_t len;
    bool ok;

    if (!in)
        return err_set(err, ERR_CONFIG, "cannot read %s: %s", file, strerror(errno));
    text = malloc(CONFIG_FILE_MAX + 1);
    if (!text)
        abort();
    len = fread(text, 1, CONFIG_FILE_MAX + 1, in);
    if (ferror(in))
        ok = err_set(err, ERR_IO, "cannot read %s: %s", file, strerror(errno));
    else if (len > CONFIG_FILE_MAX)
        ok = err_set(err, ERR_CONFIG, "%s is larger than %d bytes", file, (int)CONFIG_FILE_MAX);
    else
        ok = load_lines(c, str_of(text, len), file, err);
    explicit_bzero(text, CONFIG_FILE_MAX + 1);
    free(text);
    fclose(in);
    return ok;
}

static bool is_passed_over(struct str name) {
    if (str_starts_with(name, STR_LIT("KEYFERRY_TEST_")))
        return true;
    /* Kubernetes puts KEYFERRY_PORT_… and KEYFERRY_SERVICE_… into every pod beside a
     * service called keyferry. */
    if (memmem(name.ptr, name.len, "_PORT", 5) || memmem(name.ptr, name.len, "_SERVICE_", 9))
        return true;
    for (size_t i = 0; i < LENGTH_OF(passed_over); i++) {
        if (str_equal(name, str_from(passed_over[i])))
            return true;
    }
    return false;
}

bool config_load(struct config *c, const char *file, char *const *environment, struct err *err) {
    if (file && !load_file(c, file, err))
        return false;
    for (; environment && *environment; environment++) {
        struct str value = str_from(*environment), name;

        if (!str_starts_with(value, STR_LIT("KEYFERRY_")) || !str_cut(&value, '=', &name) ||
            is_passed_over(name))
            continue;
        if (!set_named(c, name, value, err))
            return err_wrap(err, "in the environment");
    }
    return true;
}

bool config_describe(struct buf *ret_text, struct err *err) {
    if (!buf_append(ret_text,
                    STR_LIT("| setting | default | takes | what it is |\n"
                            "|---|---|---|---|\n"),
                    err))
        return false;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        const struct config_row *row = &rows[i];
        char takes[128] = "text";

        if (row->type == TYPE_INT)
            snprintf(takes, sizeof(takes), "%lld to %lld", (long long)row->lowest,
                     (long long)row->highest);
        else if (row->type == TYPE_CHOICE)
            snprintf(takes, sizeof(takes), "%s", row->choices);
        for (char *bar = takes; (bar = strchr(bar, '|'));)
            *bar = '/'; /* a bar would end the cell */
        if (!buf_printf(ret_text, err, "| `%s` | %s%s%s | %s | %s |\n", row->name,
                        row->fallback[0] ? "`" : "", row->fallback, row->fallback[0] ? "`" : "",
                        takes, row->help))
            return false;
    }
    return true;
}
