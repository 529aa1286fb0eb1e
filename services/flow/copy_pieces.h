/* copy_pieces.h - a value of a snapshot, built by commands under a temporary key.
 *
 * Pure but for malloc. For what is too large for one RESTORE, or in no form that the
 * destination restores. One value at a time:
 *
 *     UNLINK tmp · RPUSH, SADD, ZADD, HSET, XADD … tmp · count, RENAME tmp key, PEXPIREAT
 *
 * in as many units as it takes. The first command removes what an attempt that was cut
 * off has left, the last ones make the key in one step; whoever writes the mark leaves
 * it before the value until then. So the key is whole or not there, and the value may
 * be begun again at any time. The number of elements is compared before the RENAME:
 * what was evicted from the temporary key, or written by somebody else, is an error.
 *
 * A key built so has neither idle time nor frequency: no command sets them.
 */
#pragma once

#include "proto/base/err.h"
#include "proto/command/command_rewrite.h"
#include "proto/rdb/rdb_commands.h"
#include "services/flow/copy_temporary.h"
#include "services/flow/unit.h"

struct copy_pieces {
    /* Read only. */
    struct copy_temporary temporary; /* in use while a value is open; else NONE */

    /* Set by the caller after init, as far as they are not set by the value. */
    struct rdb_commands commands;

    /* Private. */
    const struct command_target *target;
    const struct task_spec *spec;
    uint32_t *tags;  /* of the slots; made when first needed */
    struct buf keys; /* the temporary name, then the key's own */
    size_t name_len;
    uint64_t expire_at_ms;
    bool counted; /* what was appended is what there must be */
};

/* `target` and `spec` are borrowed. */
void copy_pieces_init(struct copy_pieces *p, const struct command_target *target,
                      const struct task_spec *spec);
void copy_pieces_done(struct copy_pieces *p);

static inline bool copy_pieces_open(const struct copy_pieces *p) {
    return p->temporary.database >= 0;
}

struct copy_piece_value {
    struct str key;   /* copied */
    struct str value; /* must stay where it is while the value is open */
    uint8_t type;
    int database;          /* of the destination */
    uint64_t expire_at_ms; /* to write; 0: none */
    bool fields_expire;    /* some may, at a true time: they may be gone when it is whole */
};

/* Begin a value; none may be open.
 * Errors: as rdb_commands_open(); UNIT_TOO_LARGE, MEMORY. */
MUST_CHECK bool copy_pieces_begin(struct copy_pieces *p, const struct copy_piece_value *value,
                                  struct unit *unit, struct err *err);

/* Append about `limit` bytes of it, and the end when it is whole: then nothing is open.
 * Errors: as rdb_commands_fill(); UNIT_TOO_LARGE, MEMORY. */
MUST_CHECK bool copy_pieces_fill(struct copy_pieces *p, size_t limit, struct unit *unit,
                                 struct err *err);

/* Append the removal of a temporary key. Errors: UNIT_TOO_LARGE, MEMORY. */
MUST_CHECK bool copy_pieces_put_removal(const struct copy_temporary *temporary,
                                        const struct command_target *target,
                                        const struct task_spec *spec, struct unit *unit,
                                        struct err *err);
