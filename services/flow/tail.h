/* tail.h - the command stream into the destination, exactly once.
 *
 * Part of the apply process. Takes whole source units (one command, or a MULTI
 * with its EXEC) from the spool, joins what has arrived into one unit of ours and
 * sends it with the position in the same transaction, one unit at a time (lane.h).
 * A unit is one command when nothing waits and thousands when behind.
 */
#pragma once

#include "services/flow/applier.h"

/* Follow until asked to stop. `client` is the claimed connection and is taken.
 * APPLIER_PAUSED, APPLIER_STOP: the last unit is acknowledged, *ret_client is a
 * connection that may go on. With CONTROL_STOP_DRAIN it ends when the offset the
 * source had is applied, with CONTROL_CUTOVER when the seal may be set (APPLIER_SEAL).
 * Errors: of lane.h, spool_reader.h, command_policy.h, command_rewrite.h;
 * UNIT_TOO_LARGE. */
MUST_CHECK bool tail_run(struct applier *a, struct redis_client client, enum applier_next *ret_next,
                         struct redis_client *ret_client, struct err *err);
