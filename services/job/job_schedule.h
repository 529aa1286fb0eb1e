/* job_schedule.h - a start that waits for its time: migration.start_at. */
#pragma once

#include <jansson.h>

#include "proto/base/err.h"
#include "services/job/job_spec_fields.h"
#include "sql/store.h"

enum { JOB_SCHEDULE_DAYS_MAX = 30 };

/* Read the member `start_at` (NULL or json null: none) into `migration`, in its canonical form.
 * Pure. */
void job_schedule_read(const json_t *given, json_t *migration, struct spec_report *report);

/* When the start of a canonical specification is due, in ms since 1970; 0 = at once. Pure. */
int64_t job_schedule_at(const json_t *spec);

/* Of a new start time: it may lie at most 30 days ahead. Adds to *errors (made when needed).
 * Errors: VALIDATION. */
MUST_CHECK bool job_schedule_check(const json_t *spec, int64_t now_ms, json_t **errors,
                                   struct err *err);

/* Start what is due: any process, every few seconds. *ret_count is how many were. A job whose
 * destination has become live waits until it is not. Errors: STORE. */
MUST_CHECK bool job_schedule_start_due(struct store *store, int *ret_count, struct err *err);
