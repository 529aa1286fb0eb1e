/* job_objects_view.h - what a job's selection resolves to, database by database. Pure. */
#pragma once

#include <jansson.h>

#include "sql/store_job.h"

/* [{"id", "source_database", "destination_database", "selected", "include_prefixes",
 * "exclude_prefixes", "keys", "expires", "state", "keys_done", "keys_done_quality"}],
 * rising by source database, which `id` names. The databases a selection names are all there; where
 * all are selected, those in which the source had keys when the job last met it. A new reference.
 */
json_t *job_objects_view(const struct store_job *job);
