/* worker_records.h - commands that apply leaves out: kept, given back for a replay, counted.
 *
 * Apply asks, and waits: a command is on record before the destination's position passes
 * it, so none is left out unseen. Its bytes hold keys and values of users; they are sealed like
 * credentials and opened only here, for the child that runs them.
 */
#pragma once

#include "services/worker/worker_task.h"

/* Answer the question of run->asks.records. */
MUST_CHECK bool worker_records_answer(struct worker *worker, struct worker_task *task,
                                      struct err *err);

/* For a claim: tells apply what replay is wanted, and goes on with the counts of before. */
MUST_CHECK bool worker_records_look(struct worker *worker, struct worker_task *task,
                                    struct err *err);

/* The same from what a report brought along. */
void worker_records_heed(struct worker_task *task, const json_t *wanted);

/* Mirror how often each command was met: every so often, and when a task has ended. All tasks go in
 * one statement. Errors: STORE. */
MUST_CHECK bool worker_records_count(struct worker *worker, struct worker_task **tasks,
                                     size_t task_count, struct err *err);
