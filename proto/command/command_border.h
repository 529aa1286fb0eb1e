/* command_border.h - commands that touch keys on both sides of a selection's border.
 *
 * Pure. A command all of whose keys are taken goes on as it is, one that changes no key that
 * is taken is left out. Between the two:
 *
 *     DEL UNLINK MSET MSETNX MSETEX TS.MADD JSON.MSET   of the keys that are taken
 *     RENAME RENAMENX MOVE  out of the selection        DEL of the old name
 *     RPOPLPUSH LMOVE       out of the selection        the pop
 *     SMOVE                 out, or into it             SREM, or SADD
 *     *STORE BITOP PFMERGE COPY SORT … STORE, and RENAME, MOVE, LMOVE into the selection
 *                           what comes in from outside is on the source alone: refused
 *     scripts with keys on both sides, or, under prefixes, without keys: refused
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/str.h"
#include "proto/command/command_policy.h"
#include "proto/command/command_selection.h"

/* What is taken of the database a command runs in, and of the one it names. */
struct command_keeper {
    bool here, there; /* selected at all; `there` counts for MOVE and COPY … DB */
    const struct command_prefixes *prefixes_here, *prefixes_there; /* NULL: all keys */
    struct str never[2]; /* keys that begin so are nobody's data: position, heartbeat */
};

enum command_share { COMMAND_SHARE_ALL, COMMAND_SHARE_NONE, COMMAND_SHARE_SOME };

bool command_keeper_takes(const struct command_keeper *keeper, struct str key);

/* How much of a command that command_decide() let pass concerns keys that are taken. One
 * without keys, a script mostly, is ALL in a database that is selected and NONE in another. */
enum command_share command_border_share(const struct resp_command *command,
                                        const struct command_decision *decision,
                                        const struct command_keeper *keeper);

/* Of a command of which SOME is taken: append what it means for the keys that are, still
 * as a command of the source: decide about it again.
 * Errors: SELECTION_CROSSED (it names the command), TOO_BIG, MEMORY. */
MUST_CHECK bool command_border_rewrite(const struct resp_command *command,
                                       const struct command_decision *decision,
                                       const struct command_keeper *keeper, struct buf *out,
                                       struct err *err);
