#include "services/ctl/ctl_json.h"

#include <stdint.h>
#include <string.h>

#include "proto/base/str.h"

json_t *ctl_json_at(const json_t *root, const char *path) {
    struct str rest = str_from(path), name;
    const json_t *at = root;

    while (at && str_cut(&rest, '.', &name)) {
        char key[64];

        if (name.len >= sizeof(key))
            return NULL;
        memcpy(key, name.ptr, name.len);
        key[name.len] = '\0';
        at = json_object_get(at, key);
    }
    return (json_t *)(uintptr_t)at;
}

const char *ctl_json_text(const json_t *root, const char *path) {
    const char *text = json_string_value(ctl_json_at(root, path));

    return text ? text : "";
}

double ctl_json_number(const json_t *root, const char *path) {
    return json_number_value(ctl_json_at(root, path));
}

bool ctl_json_is(const json_t *root, const char *path, const char *text) {
    return strcmp(ctl_json_text(root, path), text) == 0;
}
