/* command_expire.h - the rules for commands that carry an expiry time.
 *
 * Pure; internal to command_rewrite.c. Whatever form the source used, what comes
 * out is absolute in milliseconds: PXAT, PEXPIREAT, HPEXPIREAT.
 */
#pragma once

#include "proto/command/command_job.h"

/* For rows of COMMAND_FATE_EXPIRY. Errors as command_rewrite(). */
MUST_CHECK bool command_expire_rewrite(struct command_job *job, struct err *err);
