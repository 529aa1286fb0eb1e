/* store_metrics.h - what /metrics tells of jobs, in one look. */
#pragma once

#include <jansson.h>

#include "sql/store.h"

/* {"now_ms", "jobs": [{"id", "name", "account", "state", "retry_deadline_ms", "attention",
 * "progress"}], "alerts": {severity: n}, "deliveries": {state: n}, "workers": n}. A new reference.
 */
MUST_CHECK bool store_metrics_look(struct store *store, int jobs_max, json_t **ret_look,
                                   struct err *err);
