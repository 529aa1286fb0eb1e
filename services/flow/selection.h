/* selection.h - the part of a destination's database that a task may touch.
 *
 * Where a task selects keys by prefix, other keys beside them are somebody else's: of the
 * destination's users, or of another task. Counting, emptying and settling then look at each
 * key, in scripts on the destination; keys of ours (position.h) are in no selection.
 */
#pragma once

#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "services/flow/task_spec.h"
#include "services/flow/unit.h"
#include "services/redis/redis_client.h"

/* Defines sel(k) for a script: is key k selected? The arguments that selection_put_args()
 * writes begin at ARGV[from]; `all` is true where there are no prefixes. */
#define SELECTION_LUA(from)                                                                        \
    "local si=" from " local sn=tonumber(ARGV[si]) local xi=si+sn+1 "                              \
    "local xn=tonumber(ARGV[xi]) local all=sn==0 and xn==0 "                                       \
    "local function sel(k) for i=xi+1,xi+xn do "                                                   \
    "if string.sub(k,1,#ARGV[i])==ARGV[i] then return false end end "                              \
    "if sn==0 then return true end "                                                               \
    "for i=si+1,si+sn do if string.sub(k,1,#ARGV[i])==ARGV[i] then return true end end "           \
    "return false end "

/* The prefixes of the source database that goes into `database`; NULL = every key is the
 * task's. */
const struct command_prefixes *selection_of(const struct task_spec *spec, int database);

/* How many arguments selection_put_args() appends. */
uint32_t selection_arg_count(const struct command_prefixes *p, bool without_ours);

/* `without_ours`: keys of Keyferry are not selected. Errors: TOO_BIG, MEMORY. */
MUST_CHECK bool selection_put_args(const struct command_prefixes *p, bool without_ours,
                                   struct buf *out, struct err *err);

/* Append what empties the task's part of `database`, which is selected: FLUSHDB, or one
 * script that removes its keys and leaves all others. The script runs alone on the
 * destination, about a second for a million keys there. Counts one command.
 * Errors: TOO_BIG, MEMORY. */
MUST_CHECK bool selection_put_flush(const struct task_spec *spec, int database, struct unit *unit,
                                    struct err *err);

/* Keys of the task's part of `database`, which is selected and has prefixes, those of ours
 * not counted; in steps of some milliseconds.
 * Errors: those of redis_client_call; DEST_… by reply. */
MUST_CHECK bool selection_count(struct redis_client *client, const struct task_spec *spec,
                                int database, uint64_t *ret_keys, struct err *err);
