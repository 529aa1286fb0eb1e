/* settle.h - take the padding off held expiries.
 *
 * Part of the apply process, and of `keyferry settle`. Walks every database and
 * subtracts what held_expiry.h added, in scripts of a few milliseconds, however many
 * fields a hash has. The padding is recognised by its size, so a pass may be killed and repeated; a
 * key whose true time has passed is removed by that, as it would have been.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "proto/base/err.h"
#include "proto/command/command_selection.h"
#include "services/redis/redis_client.h"

/* A walk over keys misses one that is renamed, copied or moved meanwhile to where it has been:
 * behind a cutover applications are at work. So all databases are walked again until a walk finds
 * nothing to do, which whoever writes such times himself does not keep up for ever. */
enum { SETTLE_WALKS_MAX = 8 };

struct settle_options {
    const char *position_key; /* with an epoch: every script first checks the owner */
    int position_database;
    uint64_t epoch;
    const struct command_prefixes *prefixes; /* other keys are left alone; NULL = all */
    _Atomic uint64_t *keys_done;             /* counts settled keys; may be NULL */
};

/* Settle database `db`. `options` may be NULL: no owner is checked.
 * Errors: FENCED; DEST_… by reply; those of redis_client_command. */
MUST_CHECK bool settle_database(struct redis_client *client, int db,
                                const struct settle_options *options, uint64_t *ret_settled,
                                struct err *err);
