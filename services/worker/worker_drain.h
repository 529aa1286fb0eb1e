/* worker_drain.h - a worker that is to take nothing more hands over what it holds.
 *
 * A task goes when another worker can take it up where it is: its children end at the border of a
 * unit, as for a pause, the lease goes back, and whoever claims it reads the position from the
 * destination. What was spooled stays on this machine's disk, so a copy, or a tail that is further
 * behind than the source's backlog reaches, would have to begin anew elsewhere: it stays until it
 * can go. What is about to end stays, too.
 */
#pragma once

#include "services/worker/worker_task.h"
#include "sql/store_worker.h"

/* Why a task cannot go now: "ending", "copying", "catching_up" or "cannot_resume" (the source keeps
 * nothing for a replica that was away). NULL: it can. Pure. */
const char *worker_drain_why(enum job_state state, bool is_forgetting, bool has_begun,
                             const struct store_progress *progress);

/* Begin to hand over what can go, as far as others have places. Call it after each hello. */
void worker_drain(struct worker_task **tasks, size_t count, const struct store_worker_wish *wish);

/* What stays for now, {"<job>:<task>": why}, at most 200; also "no_place": nobody else of the pool
 * can take it. NULL when the worker is not drained. A new reference. */
json_t *worker_drain_staying(struct worker_task *const *tasks, size_t count,
                             const struct store_worker_wish *wish);
