/* job_progress_view.h - how far a job is, as the API shows it: the members that change while it
 * runs. Pure.
 */
#pragma once

#include <stdint.h>

#include "proto/base/buf.h"
#include "services/job/job_health.h"
#include "sql/store_job.h"

/* Of a job that was read, by the clock of where it was: that of this machine, now_ms, may be
 * another. Points into the job. */
struct job_seen job_progress_view_seen(const struct store_job *job, int64_t now_ms);

/* Of the full copy, in tenths. */
int64_t job_progress_view_permille(const struct store_job *job);

/* Append the members progress, rates, latency, retry_state and safe_for. */
void job_progress_view_write(struct buf *dst, const struct store_job *job,
                             const struct job_seen *seen);

/* Append the member's value: the last cutover, also one that was given up; null before the first.
 */
void job_progress_view_cutover(struct buf *dst, const struct store_job *job);

/* Append the members seal, spool, destination_memory and role_limits. */
void job_progress_view_write_places(struct buf *dst, const struct store_job *job);
