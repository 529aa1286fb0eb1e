/* command_rewrite.h - the destination's form of a command of the stream.
 *
 * Pure. Three reasons not to forward bytes as they came:
 *   expiry   absolute times are held (held_expiry.h) while a job tails; relative
 *            ones, of sources before 7.0, become absolute by the source's clock
 *            at receipt, so that lag does not lengthen them
 *   footer   a RESTORE gets the destination's own payload footer, and the value a form
 *            that the destination reads, with held expiries of hash fields
 *   age      an older destination gets words it knows, when that is exact
 * Several commands may come out (SET + PEXPIREAT for a server before 6.2); they
 * belong into one unit.
 *
 * The conditions NX XX GT LT of EXPIRE and its kin are left out: a source
 * propagates them only when they held, and between held and true times they would
 * compare wrongly. SET's GET is left out: nobody reads the answer.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/command/command_policy.h"
#include "proto/rdb/rdb_accept.h"
#include "proto/resp/resp_command.h"

/* What the destination can do, and how expiry is to be written. */
struct command_target {
    bool held;            /* hold expiry times; false: exact ones */
    uint16_t rdb_version; /* for the footer of a RESTORE; 0: leave payloads as they came */
    struct rdb_destination destination; /* which types a payload may have */

    bool has_unlink;      /* 4.0 */
    bool has_absttl;      /* 5.0: RESTORE ABSTTL */
    bool has_keepttl;     /* 6.0: SET KEEPTTL */
    bool has_pxat;        /* 6.2: SET PXAT; LPOP with a count */
    bool has_entriesread; /* 7.0: XGROUP … ENTRIESREAD */
    bool has_hash_expiry; /* Redis 7.4, Valkey 9.0: HPEXPIREAT */
    bool has_hsetex;      /* Redis 8.0, Valkey 9.0 */
    /* Someone decided to lose the expiries of hash fields. Set where there is no place for
     * them (not has_hash_expiry): commands that are about them alone become none. */
    bool drops_hash_expiry;
    bool has_msetex;  /* Redis 8.4, Valkey 9.1 */
    bool has_hgetdel; /* Redis 8.0, Valkey 9.1 */
    bool has_idmp;    /* Redis 8.6: XADD IDMP */
};

/* `version` = major << 16 | minor << 8 | patch, of the product itself. */
struct command_target command_target(bool valkey, uint32_t version, uint16_t rdb_version,
                                     bool held);

/* The command goes as it came: its bytes may be sent from where they lie, without
 * command_rewrite(). */
static inline bool command_goes_verbatim(const struct command_decision *decision,
                                         const struct command_target *target) {
    return decision->action == COMMAND_DO_FORWARD && target->has_entriesread &&
           (target->has_idmp || !decision->idempotent) &&
           (target->has_hgetdel || decision->row->id != COMMAND_HGETDEL) &&
           (!target->drops_hash_expiry || decision->row->id != COMMAND_HPERSIST);
}

/* Append the destination's form of a command that command_decide() said to
 * FORWARD, or EXPIRY, RESTORE, SCRIPT, FLUSHALL, FLUSHDB. receipt_ms is the source's clock (Unix,
 * ms) when the command arrived. *ret_count is how many commands were appended, so how many replies
 * to expect; 0: it was about what is dropped. On failure `out` is as it was.
 *
 * Errors:
 *   PROTOCOL               malformed; an expiry of 0, negative or beyond all range
 *   DEST_UNKNOWN_COMMAND   the destination is too old and no exact other way exists
 *   UNKNOWN_COMMAND        an option that is not known where an expiry may stand
 *   COMMAND_REFUSED        an expiry that cannot be held (held_expiry.h)
 *   RDB_CORRUPT            a RESTORE whose payload does not check
 *   DEST_RESTORE           a RESTORE of what the destination cannot hold
 *   TOO_BIG, MEMORY        `out` */
MUST_CHECK bool command_rewrite(const struct resp_command *command,
                                const struct command_decision *decision,
                                const struct command_target *target, uint64_t receipt_ms,
                                struct buf *out, uint32_t *ret_count, struct err *err);

/* Append a CROSS_DB command (MOVE, COPY … DB) with `db`, the destination's number
 * of decision->db. Errors: TOO_BIG, MEMORY. */
MUST_CHECK bool command_rewrite_cross_db(const struct resp_command *command,
                                         const struct command_decision *decision, uint32_t db,
                                         struct buf *out, struct err *err);
