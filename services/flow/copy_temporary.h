/* copy_temporary.h - the names of keys that hold a value while it is being built.
 *
 * Pure. "{tag}kf:tmp:<job>:<task>", of the slot of the key the value is for, so that it
 * can be renamed on a cluster too. The tag is the smallest number whose slot that is:
 * a key's own name may be long, or hold braces that end a tag early. So the number is
 * all that has to be remembered.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/str.h"
#include "proto/cluster/slot_set.h"
#include "services/flow/task_spec.h"

enum { COPY_TEMPORARY_MAX = 96, COPY_TEMPORARY_SLOTS = SLOT_COUNT };

/* A temporary key of a task; database -1: none. */
struct copy_temporary {
    int database; /* of the destination */
    uint32_t tag;
};

#define COPY_TEMPORARY_NONE ((struct copy_temporary){.database = -1})

/* The tag of every slot. */
void copy_temporary_tags(uint32_t ret_tags[COPY_TEMPORARY_SLOTS]);

void copy_temporary_name(uint32_t tag, const struct task_spec *spec, char ret[COPY_TEMPORARY_MAX]);

/* `key` is a temporary key of some task of ours. */
bool copy_temporary_is(struct str key);
