/* command_selection.h - which keys of a database are migrated, by how they begin.
 *
 * Pure. A prefix is any bytes. A key is taken when it begins with one of the included
 * prefixes, or none is included, and begins with none of the excluded ones.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/str.h"

struct command_prefixes {
    const struct str *include, *exclude; /* borrowed */
    uint32_t include_count, exclude_count;
};

/* There is something to look at: else every key is taken. */
static inline bool command_prefixes_any(const struct command_prefixes *p) {
    return p && (p->include_count > 0 || p->exclude_count > 0);
}

/* NULL takes every key. */
bool command_prefixes_take(const struct command_prefixes *p, struct str key);

/* Is every key taken that begins with `start`? NULL: yes. */
bool command_prefixes_take_all(const struct command_prefixes *p, struct str start);
