/* position_others.h - what the destination's databases hold beside what this task wrote.
 *
 * I/O over a client of the caller's, which is left in any database. A position or a
 * seal of another job is found wherever it stands: which databases that job writes is
 * not known from here, so one is enough to keep this task from emptying anything.
 */
#pragma once

#include "proto/base/arena.h"
#include "services/flow/task_spec.h"
#include "services/redis/redis_client.h"

/* Keys of what the task selects, or of all databases (`instance`); positions of ours are not
 * counted where finding them is cheap enough to make a difference. Errors: of redis_client_call;
 * DEST_... by reply. */
MUST_CHECK bool position_count_keys(struct redis_client *client, const struct task_spec *spec,
                                    bool instance, struct arena *arena, uint64_t *ret_keys,
                                    struct err *err);

/* Look through the whole destination for positions and seals of other tasks. Takes a
 * second for a million keys.
 * Errors: DEST_IN_USE (there is one; it is named); as above. */
MUST_CHECK bool position_is_alone(struct redis_client *client, const struct task_spec *spec,
                                  struct err *err);
