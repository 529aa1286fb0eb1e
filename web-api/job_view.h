/* job_view.h - a job as the API shows it. Pure.
 *
 * The specification's members stand beside what has become of it. What nobody
 * knows is null; nothing here is made up. The specification holds no secret, so
 * neither does the view.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "sql/store_job.h"

/* A new reference, `etag` included. */
json_t *job_view(const struct store_job *job, int64_t now_wall_ms);

/* The same without the tag, for etag_write(). */
json_t *job_view_bare(const struct store_job *job, int64_t now_wall_ms);

/* What GET /v1/jobs/{job}/steps tells beside what store_job_steps() left: percent, problem. */
void job_view_steps(const struct store_job *job, json_t *steps);

/* The rows of GET /v1/jobs/{job}/shards: one per source shard that was claimed. */
json_t *job_view_shards(const struct store_job *job);
