#include "services/job/job_report.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 4, LABEL_MAX = 200, CELL_MAX = 400, COLUMNS_MAX = 16 };

struct page {
    bool is_markdown;
    struct buf *out;
    struct err *err;
};

static const char *text(const json_t *root, const char *object, const char *name) {
    const json_t *from = object ? json_object_get(root, object) : root;
    const char *value = json_string_value(json_object_get(from, name));

    return value ? value : "-";
}

/* "keys_per_second" -> "keys per second" */
static void words(const char *name, char dst[LABEL_MAX]) {
    snprintf(dst, LABEL_MAX, "%s", name);
    for (char *c = dst; *c; c++)
        if (*c == '_')
            *c = ' ';
}

/* What means something to a reader of Markdown is said to mean nothing. */
static void plain(const struct page *page, const char *value, char dst[2 * CELL_MAX]) {
    char escaped[CELL_MAX];
    size_t used = 0;

    str_escape(str_from(value), escaped, sizeof(escaped));
    for (const char *c = escaped; *c && used + 2 < 2 * CELL_MAX; c++) {
        if (page->is_markdown && strchr("|<>`*_[]", *c))
            dst[used++] = '\\';
        dst[used++] = *c;
    }
    dst[used] = '\0';
}

static void scalar(const struct page *page, const json_t *value, char dst[2 * CELL_MAX]) {
    if (json_is_string(value))
        plain(page, json_string_value(value), dst);
    else if (json_is_integer(value))
        snprintf(dst, 2 * CELL_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        snprintf(dst, 2 * CELL_MAX, "%.6g", json_real_value(value));
    else if (json_is_boolean(value))
        snprintf(dst, 2 * CELL_MAX, "%s", json_is_true(value) ? "yes" : "no");
    else
        snprintf(dst, 2 * CELL_MAX, "-");
}

/* A list of scalars in one cell, an object as its members. */
static void cell(const struct page *page, const json_t *value, char dst[2 * CELL_MAX]) {
    size_t used = 0, i;
    const char *name;
    json_t *item;

    dst[0] = '\0';
    if (json_is_array(value)) {
        json_array_foreach(value, i, item) {
            char one[2 * CELL_MAX];

            scalar(page, json_is_object(item) ? json_object_get(item, "code") : item, one);
            if (used + strlen(one) + 3 < CELL_MAX)
                used += (size_t)snprintf(dst + used, 2 * CELL_MAX - used, "%s%s", used ? ", " : "",
                                         one);
        }
    } else if (json_is_object(value)) {
        json_object_foreach((json_t *)(uintptr_t)value, name, item) {
            char one[2 * CELL_MAX], label[LABEL_MAX];

            words(name, label);
            scalar(page, item, one);
            if (used + strlen(one) + strlen(label) + 4 < CELL_MAX)
                used += (size_t)snprintf(dst + used, 2 * CELL_MAX - used, "%s%s %s",
                                         used ? ", " : "", label, one);
        }
    } else {
        scalar(page, value, dst);
    }
    if (!dst[0])
        snprintf(dst, 2 * CELL_MAX, "-");
}

static bool row_text(const struct page *page, const json_t *row, bool is_deep) {
    const char *name, *between = is_deep ? "    " : "  ";
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)row, name, value) {
        char shown[2 * CELL_MAX], label[LABEL_MAX];

        words(name, label);
        cell(page, value, shown);
        if (strcmp(shown, "-") == 0)
            continue;
        if (!buf_printf(page->out, page->err, "%s%s: %s", between, label, shown))
            return false;
        between = "; ";
    }
    return buf_printf(page->out, page->err, "\n");
}

static bool table(const struct page *page, const json_t *rows) {
    const json_t *first = json_array_get(rows, 0);
    const char *names[COLUMNS_MAX], *name;
    size_t count = 0, i;
    json_t *value, *row;

    json_object_foreach((json_t *)(uintptr_t)first, name, value) {
        if (count < COLUMNS_MAX)
            names[count++] = name;
    }
    for (size_t c = 0; c < count; c++) {
        char label[LABEL_MAX];

        words(names[c], label);
        if (!buf_printf(page->out, page->err, "| %s ", label))
            return false;
    }
    if (!buf_printf(page->out, page->err, "|\n"))
        return false;
    for (size_t c = 0; c < count; c++)
        if (!buf_printf(page->out, page->err, "|---"))
            return false;
    if (!buf_printf(page->out, page->err, "|\n"))
        return false;
    json_array_foreach(rows, i, row) {
        for (size_t c = 0; c < count; c++) {
            char shown[2 * CELL_MAX];

            cell(page, json_object_get(row, names[c]), shown);
            if (!buf_printf(page->out, page->err, "| %s ", shown))
                return false;
        }
        if (!buf_printf(page->out, page->err, "|\n"))
            return false;
    }
    return true;
}

static bool list(const struct page *page, const char *label, const json_t *items) {
    json_t *item;
    size_t i;

    if (json_array_size(items) == 0)
        return true;
    if (label[0] &&
        !buf_printf(page->out, page->err, page->is_markdown ? "\n%s:\n\n" : "  %s:\n", label))
        return false;
    if (page->is_markdown && json_is_object(json_array_get(items, 0)))
        return table(page, items) && (!label[0] || buf_printf(page->out, page->err, "\n"));
    json_array_foreach(items, i, item) {
        char shown[2 * CELL_MAX];

        if (json_is_object(item)) {
            if (!row_text(page, item, label[0] != '\0'))
                return false;
            continue;
        }
        scalar(page, item, shown);
        if (!buf_printf(page->out, page->err, "%s%s\n",
                        page->is_markdown ? "- "
                        : label[0]        ? "    "
                                          : "  ",
                        shown))
            return false;
    }
    return true;
}

/* Members one a line, those of an object inside under its name. */
static bool members(const struct page *page, const char *above, const json_t *object, int depth) {
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, name, value) {
        char label[LABEL_MAX], path[LABEL_MAX], shown[2 * CELL_MAX];
        bool ok;

        words(name, label);
        snprintf(path, sizeof(path), "%.90s%s%.90s", above, *above ? ", " : "", label);
        if (json_is_object(value) && depth < DEPTH_MAX) {
            ok = members(page, path, value, depth + 1);
        } else if (json_is_array(value)) {
            ok = list(page, path, value);
        } else {
            cell(page, value, shown);
            ok =
                strcmp(shown, "-") == 0 || buf_printf(page->out, page->err, "%s%s: %s\n",
                                                      page->is_markdown ? "- " : "  ", path, shown);
        }
        if (!ok)
            return false;
    }
    return true;
}

static bool section(const struct page *page, const char *name, const json_t *value) {
    char label[LABEL_MAX];

    if (json_is_null(value) || (json_is_array(value) && json_array_size(value) == 0) ||
        json_is_string(value) || json_is_integer(value))
        return true;
    words(name, label);
    label[0] = (char)toupper((unsigned char)label[0]);
    if (!buf_printf(page->out, page->err, page->is_markdown ? "\n## %s\n\n" : "\n%s\n", label))
        return false;
    return json_is_array(value) ? list(page, "", value) : members(page, "", value, 0);
}

bool job_report_text(const json_t *report, bool is_markdown, struct buf *out, struct err *err) {
    const struct page page = {.is_markdown = is_markdown, .out = out, .err = err};
    char name[2 * CELL_MAX], source[2 * CELL_MAX], destination[2 * CELL_MAX];
    const char *key;
    json_t *value;

    plain(&page, text(report, "job", "name"), name);
    plain(&page, text(report, "source", "label"), source);
    plain(&page, text(report, "destination", "label"), destination);
    if (!buf_printf(out, err, "%sMigration %s\n\n%s -> %s, %s, as of %s\n", is_markdown ? "# " : "",
                    name, source, destination, text(report, "job", "state"),
                    text(report, NULL, "generated_at")))
        return false;
    json_object_foreach((json_t *)(uintptr_t)report, key, value) {
        if (!section(&page, key, value))
            return false;
    }
    return true;
}
