/* metrics_jobs.h - the part of /metrics that tells of jobs: one line for each job and number.
 *
 * Pure. Names, units and labels follow Prometheus' conventions; the rows are metrics_jobs.def.
 * No key of a user's is among them, but the names of jobs are.
 */
#pragma once

#include <jansson.h>

#include "proto/base/buf.h"
#include "proto/base/err.h"

/* Append the text of what store_metrics_look() saw. Errors: TOO_BIG, MEMORY. */
MUST_CHECK bool metrics_jobs_format(const json_t *look, struct buf *out, struct err *err);
