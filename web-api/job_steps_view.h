/* job_steps_view.h - the steps and the shards of a job, as the API shows them. Pure. */
#pragma once

#include <jansson.h>

#include "sql/store_job.h"

/* What GET /v1/jobs/{job}/steps tells beside what store_job_steps() left: percent, problem. */
void job_steps_view(const struct store_job *job, json_t *steps);

/* The rows of GET /v1/jobs/{job}/shards: one per source shard that was claimed. A new reference. */
json_t *job_steps_view_shards(const struct store_job *job);
