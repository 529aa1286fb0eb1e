#include "sql/store_progress.h"

#include <stdio.h>
#include <string.h>

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
