#include "proto/command/command_selection.h"

static bool begins_with_one(struct str key, const struct str *prefixes, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (str_starts_with(key, prefixes[i]))
            return true;
    }
    return false;
}

bool command_prefixes_take(const struct command_prefixes *p, struct str key) {
    return !p || ((p->include_count == 0 || begins_with_one(key, p->include, p->include_count)) &&
                  !begins_with_one(key, p->exclude, p->exclude_count));
}

bool command_prefixes_take_all(const struct command_prefixes *p, struct str start) {
    if (!command_prefixes_take(p, start))
        return false;
    for (uint32_t i = 0; p && i < p->exclude_count; i++) {
        if (str_starts_with(p->exclude[i], start))
            return false;
    }
    return true;
}
