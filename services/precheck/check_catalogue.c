#include "services/precheck/check_run.h"

#include <assert.h>
#include <string.h>

const struct check_row check_rows[] = {
#define CHECK(id, function, needs, severity, ignorable, since, title, remedy)                      \
    {{(id), (title), (remedy), (severity), (ignorable), (since) > 0},                              \
     check_##function,                                                                             \
     CHECK_NEEDS_##needs},
#define LATER(id, severity, ignorable, title, remedy)                                              \
    {{(id), (title), (remedy), (severity), (ignorable), false}, NULL, CHECK_NEEDS_NOTHING},
#include "services/precheck/check_catalogue.def"
#undef CHECK
#undef LATER
};

const size_t check_row_count = LENGTH_OF(check_rows);

const struct check_info *check_catalogue(size_t *ret_count) {
    static struct check_info infos[LENGTH_OF(check_rows)];

    for (size_t i = 0; i < LENGTH_OF(check_rows); i++)
        infos[i] = check_rows[i].info;
    *ret_count = LENGTH_OF(check_rows);
    return infos;
}

static_assert(LENGTH_OF(check_rows) <= CHECK_ROWS_MAX, "a run has a flag for each");

size_t check_find(const char *id) {
    size_t i = 0;

    while (i < LENGTH_OF(check_rows) && strcmp(check_rows[i].info.id, id) != 0)
        i++;
    return i;
}

static const char *severity_name(enum check_severity severity) {
    static const char *const names[] = {
        [CHECK_INFO] = "info",
        [CHECK_WARN] = "warn",
        [CHECK_ERROR] = "error",
    };

    return names[severity];
}

json_t *check_catalogue_json(void) {
    json_t *list = json_array();

    for (size_t i = 0; i < LENGTH_OF(check_rows); i++) {
        const struct check_info *info = &check_rows[i].info;

        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:b, s:s, s:b}", "id", info->id, "title", info->title,
                            "severity", severity_name(info->severity), "ignorable", info->ignorable,
                            "remedy", info->remedy, "built", info->built));
    }
    return list;
}

/* Checks that may still bring an item. Some of them never do (those of a started job). */
static json_int_t to_come(const json_t *items) {
    bool seen[LENGTH_OF(check_rows)] = {false};
    json_int_t count = 0;
    const json_t *item;
    size_t i;

    json_array_foreach(items, i, item) {
        const char *id = json_string_value(json_object_get(item, "id"));
        size_t row = id ? check_find(id) : LENGTH_OF(check_rows);

        if (row < LENGTH_OF(check_rows))
            seen[row] = true;
    }
    for (i = 0; i < LENGTH_OF(check_rows); i++)
        count += check_rows[i].info.built && !seen[i];
    return count;
}

json_t *check_summary(const json_t *items, bool runs) {
    static const char *const names[] = {"pass", "ignored", "skipped", "warn", "fail", "error"};
    json_int_t counts[LENGTH_OF(names)] = {0}, run = 0, remarks = 0;
    json_t *object = json_object();
    const json_t *item;
    size_t i;

    json_array_foreach(items, i, item) {
        const char *result = json_string_value(json_object_get(item, "result"));

        remarks += result && strcmp(result, "warn") == 0 &&
                   json_is_false(json_object_get(item, "ignorable"));
        for (size_t n = 0; result && n < LENGTH_OF(names); n++)
            if (strcmp(result, names[n]) == 0)
                counts[n]++;
    }
    for (size_t n = 0; n < LENGTH_OF(names); n++) {
        json_object_set_new(object, names[n], json_integer(counts[n]));
        run += n == 2 ? 0 : counts[n];
    }
    if (runs)
        run += to_come(items);
    return json_pack("{s:I, s:o}", "success_rate",
                     run ? (counts[0] + counts[1] + remarks) * 100 / run : 0, "counts", object);
}
