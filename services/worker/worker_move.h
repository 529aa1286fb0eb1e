/* worker_move.h - the moves of a job that its worker makes (through job_control.h).
 *
 * False only when the control database did not answer; a lease that is another's
 * marks the task gone, a person who was first is heeded at the next report.
 */
#pragma once

#include "services/worker/worker_task.h"
#include "sql/store_task.h"

/* The next event of its history; JOB_EVENT_COUNT = none. */
enum job_event worker_move_next(const struct worker_task *task);

/* Is there something to be told that moves nothing? */
bool worker_move_has_note(const struct worker_task *task);

/* Move until there is nothing to say, and note trouble that moves nothing. */
MUST_CHECK bool worker_move_all(struct worker *worker, struct worker_task *task, struct err *err);

/* A claim that cannot be run: its job is blocked with `why`, the lease given back. */
MUST_CHECK bool worker_move_refuse_claim(struct worker *worker, const struct store_claim *claim,
                                         enum job_state state, const struct err *why,
                                         struct err *err);
