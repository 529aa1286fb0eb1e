/* command_restore.h - the rules for commands that carry a payload of DUMP.
 *
 * Pure; internal to command_rewrite.c. A footer of another version is taken off and
 * the destination's own put on; the value in it is copied, never read.
 */
#pragma once

#include "proto/command/command_job.h"

/* RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME s] [FREQ f], and
 * FUNCTION RESTORE payload [policy]. Errors as command_rewrite(). */
MUST_CHECK bool command_restore_rewrite(struct command_job *job, struct err *err);
