/* worker_metrics.h - what a worker's /metrics says of its tasks together. No line is one job's: the
 * API tells of jobs. */
#pragma once

#include "services/worker/worker_task.h"

/* All tasks were just reported, which took so long: add what they did since. */
void worker_metrics_take(struct worker_task **tasks, size_t count, int64_t took_us);
