/* worker_facts.h - what the ends of a task turned out to be, into the control database.
 *
 * Not pure. An end that is not what it was before (drift.h) is a line of the job's history.
 */
#pragma once

#include "services/worker/worker_task.h"

/* Write down what the children found. Errors: FENCED, STORE. */
MUST_CHECK bool worker_facts_flush(struct worker *worker, struct worker_task *task,
                                   struct err *err);
