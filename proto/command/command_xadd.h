/* command_xadd.h - finds its way through the options of XADD.
 *
 *     XADD key [NOMKSTREAM] [KEEPREF|DELREF|ACKED] [IDMP producer id | IDMPAUTO producer]
 *          [MAXLEN|MINID [=|~] threshold [LIMIT n]] id field value …
 *
 * Pure. Source: redis 8.6 src/t_stream.c, streamParseAddOrTrimArgsOrReply().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "proto/resp/resp_command.h"

struct command_xadd {
    uint32_t id_at;                           /* argv position of the entry's id */
    uint32_t idempotent_at, idempotent_count; /* IDMP and its operands; 0: not there */
    bool id_chosen;                           /* the id ends in '*': whoever executes it chooses */
};

/* Errors: PROTOCOL: there is no id. */
MUST_CHECK bool command_xadd_scan(const struct resp_command *command, struct command_xadd *ret,
                                  struct err *err);
