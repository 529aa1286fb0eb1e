/* job_recovery.h - failed jobs that try again by themselves: auto_recovery.
 *
 * A job is `failed` when a retry clock has run out. With auto_recovery.enabled it is resumed some
 * minutes later, as a person would, and so again after each failure, until window_hours have passed
 * since the first failure after it was last well (caught up) or a person last started or resumed
 * it. Until then its retry_state is of the kind "recovery" and says when the next attempt is and
 * when the last may be. What failed while it was being paused, stopped or cut over stays failed.
 */
#pragma once

#include "proto/base/err.h"
#include "sql/store.h"

/* Plan and carry out what is due: any process, every few seconds. `pause_seconds` lie between a
 * failure and the next attempt. *ret_count is how many were resumed. Errors: STORE. */
MUST_CHECK bool job_recovery_run(struct store *store, int pause_seconds, int *ret_count,
                                 struct err *err);
