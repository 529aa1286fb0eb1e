/* lane_script.h - a unit as one script, for a destination that cannot be asked how many
 * errors it answered.
 *
 * In a transaction a command that fails leaves the others and the position in place, and
 * when we die before reading its reply nobody knows. Where the server counts its errors
 * the count is sealed beside the position (lane.c). Where it does not (Redis before 6.2) or
 * the account may not read it, the transaction holds one EVAL instead: it writes the
 * position, carries out each command for itself, and counts what failed in the
 * position's `err`, all of it or nothing. WATCH, gate and EXEC stay as they are. The text
 * goes along each time: a script that was flushed from the server's cache is no case.
 *
 * The position comes first, so that a server that takes no writes (no memory, read only, no
 * replicas) refuses the script before it did anything. A command of the stream that is
 * itself a script is carried out inside this one.
 *
 * Pure but for malloc, but for lane_script_learn(). Facts: Redis 6.0 and 7.0 src/scripting.c,
 * script_lua.c (unpack() takes about 8,000 values; a request has at most 1,048,576 arguments).
 */
#pragma once

#include <stdint.h>

#include "proto/base/err.h"
#include "services/flow/unit.h"
#include "services/redis/redis_client.h"

enum {
    LANE_SCRIPT_ARGS_MAX = 7000, /* of one command */
    LANE_SCRIPT_ALL_MAX = 1000000,
    LANE_SCRIPT_NAMES_MAX = 1024,
    LANE_SCRIPT_NAME_SIZE = 28,
};

/* What the script answers where a command failed: this, how many, and the first error. One that
 * stops there answers the error alone. */
#define LANE_SCRIPT_FAILED "KFFAILED "

/* Which commands the destination knows, so that one it does not know is refused before
 * anything happened, as EXEC would. */
struct lane_script_names {
    unsigned count; /* 0 = it did not say: then it turns out */
    char name[LANE_SCRIPT_NAMES_MAX][LANE_SCRIPT_NAME_SIZE];
};

/* Ask COMMAND. An account that may not is no error. Errors: of redis_client_call. */
MUST_CHECK bool lane_script_learn(struct lane_script_names *names, struct redis_client *client,
                                  struct err *err);

struct lane_script_frame {
    const struct lane_script_names *names;
    struct str key;          /* the position */
    int database;            /* the position's, selected when the script begins */
    struct str position;     /* commands that write it */
    uint32_t position_count; /* of them; 0 = the unit's own do */
    bool stops;              /* the first command that fails is the last one */
};

/* Make the EVAL of what `unit` holds into `out`, which is cleared; it borrows from the unit
 * and counts one command of *ret_words words, whose first line is still to be put in front.
 * Errors: UNIT_TOO_LARGE (a command with more arguments than a script can pass on),
 * COMMAND_REFUSED (one that no script may call), DEST_UNKNOWN_COMMAND; TOO_BIG, MEMORY. */
MUST_CHECK bool lane_script_make(const struct lane_script_frame *frame, const struct unit *unit,
                                 struct unit *out, size_t *ret_words, struct err *err);
