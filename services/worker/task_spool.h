/* task_spool.h - the directory a task's spool lives in: made, and removed when done with.
 *
 * A spool is a cache of the source's stream on this machine: losing one costs a
 * resume from the source's backlog, at worst a question about a new full copy.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/err.h"

/* Write "<base>/<job>-<task>" into dst and make it with mode 0700.
 * Errors: CONFIG (too long), IO. */
MUST_CHECK bool task_spool_make(const char *base, const char *job, uint32_t task, char *dst,
                                size_t dst_size, struct err *err);

/* Remove it with what is in it (two levels: logs and their segments). Missing is fine.
 * Errors: IO. */
MUST_CHECK bool task_spool_remove(const char *base, const char *job, uint32_t task,
                                  struct err *err);

/* Call `each` with the job of every spool below `base`, while it returns true. */
void task_spool_list(const char *base, bool (*each)(void *arg, const char *job, uint32_t task),
                     void *arg);
