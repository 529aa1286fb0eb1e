/* worker_series.h - charts: a point a second of every task, written every few seconds.
 *
 * Points are in memory until then, ten seconds at most; those of many tasks are written in turns,
 * so that no report takes long. A worker that is killed loses what was not written; the charts have
 * a gap there and nothing else depends on them.
 */
#pragma once

#include "services/worker/worker_task.h"

/* Take what the task shows now, once a second. */
void worker_series_take(struct worker *worker, struct worker_task *task);

/* Write what there is when it is time, or at once; a database that is away is no failure: it is
 * tried again, and what grows too old is dropped. Errors: STORE. */
MUST_CHECK bool worker_series_write(struct worker *worker, struct worker_task **tasks, size_t count,
                                    bool at_once, struct err *err);

/* The task goes: what it has not written waits with the rest. */
void worker_series_leave(struct worker *worker, struct worker_task *task);

/* Give back what waits to be written. */
void worker_series_done(struct worker *worker);
