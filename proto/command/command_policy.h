/* command_policy.h - what is to be done with a command of the stream.
 *
 * Pure. An allow-list: only what the table calls data is forwarded. What carries
 * no data is dropped, what must not be repeated is refused, and what is not known
 * stops the job: it is never skipped, because nobody could say what was lost.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "proto/command/command.h"
#include "proto/resp/resp_command.h"

enum command_action {
    COMMAND_DO_FORWARD,  /* command_rewrite, which mostly copies */
    COMMAND_DO_EXPIRY,   /* command_rewrite: an expiry time is in it, or may be */
    COMMAND_DO_RESTORE,  /* command_rewrite: a payload needs the destination's footer */
    COMMAND_DO_SCRIPT,   /* command_rewrite; EVAL, EVALSHA, FCALL of old sources: what it
                          * does, expiry included, cannot be seen */
    COMMAND_DO_CROSS_DB, /* MOVE, COPY … DB: `db` is the other database, of the source */
    COMMAND_DO_SELECT,   /* `db` from here on, also inside MULTI */
    COMMAND_DO_MULTI,
    COMMAND_DO_EXEC,
    COMMAND_DO_FLUSHALL, /* a unit of its own that writes the position again */
    COMMAND_DO_FLUSHDB,  /* same; the current database */
    COMMAND_DO_SWAPDB,   /* same; `db` and `db2`, of the source */
    COMMAND_DO_PUBLISH,  /* as FORWARD when messages are wanted, else as DROP */
    COMMAND_DO_GETACK,   /* the source wants REPLCONF ACK now; else as DROP */
    COMMAND_DO_DROP,     /* count its bytes, do nothing */
    COMMAND_DO_REJECT,   /* never of command_decide(): a caller's word for what it puts on record */
};

struct command_decision {
    enum command_action action;
    const struct command_row *row; /* NULL for a lone newline (DROP) */
    uint32_t db, db2;              /* where the action says so */
    bool idempotent;               /* an XADD with IDMP: words of Redis 8.6 */
};

/* Errors:
 *   UNKNOWN_COMMAND  no row: the name is quoted, arguments never are
 *   COMMAND_REFUSED  a row that says so (CONFIG, DEBUG, ...), with the reason
 *   PROTOCOL         malformed: a SELECT without number, ... */
MUST_CHECK bool command_decide(const struct resp_command *command, struct command_decision *ret,
                               struct err *err);
