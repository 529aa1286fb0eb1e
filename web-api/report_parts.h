/* report_parts.h - the measured parts of a report. Pure; for report_view.c. Each a new reference.
 */
#pragma once

#include "web-api/report_view.h"

/* Of all moments; null when none is known. */
json_t *report_parts_highest(const struct report *r, enum series_name name);

json_t *report_parts_throughput(const struct report *r);
json_t *report_parts_latency(const struct report *r);
json_t *report_parts_waiting(const struct store_job *job);
json_t *report_parts_disturbances(const struct report *r);
json_t *report_parts_work(const struct store_job *job);
json_t *report_parts_memory(const struct report *r);

/* {"given": [sentence], "not_given": [sentence]}. `view` is job_view(). */
json_t *report_parts_guarantees(const struct report *r, const json_t *view);
