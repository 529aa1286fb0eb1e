/* worker_sweep.h - spools on this worker's disk that nobody needs any more. */
#pragma once

#include "services/worker/worker_task.h"

/* Remove the spools of jobs that have ended or are gone, but for those of `tasks`. What cannot be
 * asked or removed now is so the next time. */
void worker_sweep(struct worker *worker, struct worker_task **tasks, size_t count);
