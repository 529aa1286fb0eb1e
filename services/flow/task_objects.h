/* task_objects.h - what of a source a task migrates, and what it does about commands
 * that are more than data.
 *
 * Pure but for malloc: members of the first message (task_spec.h) in, struct out.
 *
 *   "databases":[{…, "include":["6b65",…], "exclude":[…]}]    prefixes in hex; missing = none
 *   "policies":{"lua":"apply|fail|skip", "flush":"apply|block_and_pause|skip", "publish":bool,
 *               "unknown":"fail|skip_and_record", "exclude":["expire",…]}    missing = defaults
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/command/command.h"
#include "proto/command/command_selection.h"

enum { TASK_DATABASES_MAX = 256, TASK_PREFIX_MAX = 512 };

/* All prefixes of a task together: what one message to a child has room for. */
enum { TASK_PREFIXES_MAX = 1000, TASK_PREFIX_BYTES_MAX = 32 * 1024 };

enum task_policy { TASK_APPLY_IT = 0, TASK_STOP_AT_IT, TASK_SKIP_IT };

struct task_objects {
    struct command_prefixes *prefixes; /* by source database; NULL = no prefixes anywhere */
    struct str *list;                  /* of all of them, in `bytes` */
    struct buf bytes;

    enum task_policy lua;   /* EVAL, EVALSHA and FCALL of old sources */
    enum task_policy flush; /* FLUSHALL, FLUSHDB, SWAPDB */
    bool publish;
    bool skip_unknown;
    bool excludes; /* some bit of `excluded` is set */
    uint64_t excluded[(COMMAND_COUNT + 63) / 64];
};

/* Errors: PROTOCOL names the member. */
MUST_CHECK bool task_objects_parse(const json_t *spec, struct task_objects *ret, struct err *err);

/* Fine on a zeroed one. */
void task_objects_done(struct task_objects *objects);

static inline bool task_objects_excludes(const struct task_objects *o, enum command_id id) {
    return o->excludes && (o->excluded[id / 64] >> (id % 64) & 1);
}

/* Prefixes of a source database; NULL = every key. */
static inline const struct command_prefixes *task_objects_prefixes(const struct task_objects *o,
                                                                   int source_db) {
    return o->prefixes && source_db >= 0 && source_db < TASK_DATABASES_MAX &&
                   command_prefixes_any(&o->prefixes[source_db])
               ? &o->prefixes[source_db]
               : NULL;
}
