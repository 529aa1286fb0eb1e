/* drift.h - an end that is not what it was: another process, version, policy or address.
 *
 * Pure. None of these stops a job: what a server holds is told by our position there and by its
 * history. But whoever looks at a job should know that a server was restarted, upgraded, failed
 * over or set otherwise, for it explains what comes next.
 */
#pragma once

#include <jansson.h>

#include "proto/base/buf.h"

/* Compare what is known (`was`, NULL = nothing) with what was found now. `facts` gets the member
 * "drift", what it was when it was first known and since when it is otherwise:
 *   [{"what":"version", "was":"7.0.15", "is":"7.2.4", "at":"…"}]
 * with one entry for each thing that ever changed. The changes of this time are added to
 * `sentence` ("version 7.0.15, now 7.2.4; …"); it stays empty when there is none. */
void drift_note(const json_t *was, json_t *facts, const char *at, struct buf *sentence);
