/* worker_full_sync.h - may a source be asked for a full sync now?
 *
 * Not pure: the control database counts them over all jobs.
 */
#pragma once

#include "services/worker/worker_task.h"

/* Answer what the children of a task ask. Errors: STORE, FENCED. */
MUST_CHECK bool worker_full_sync_answer(struct worker *worker, struct task_run *run,
                                        struct err *err);
