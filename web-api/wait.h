/* wait.h - `Prefer: wait=N`: answer when the action has ended, or after N seconds.
 *
 * The row is looked at again and again, with pauses, and without holding a
 * connection to the database meanwhile.
 */
#pragma once

#include "web-api/reply.h"
#include "web-api/route.h"

enum { WAIT_MAX_SECONDS = 30 };

/* Seconds of a Prefer header, at most WAIT_MAX_SECONDS; 0 without one. Pure. */
int wait_seconds(struct str prefer);

/* When the handler named something to wait for and the client wants to wait, wait
 * and renew the body of `reply` with how it is then. Never fails: at worst the
 * answer stays what it was. */
void wait_for_end(struct call *call, struct reply *reply);
