/* job_readings.h - looks at both ends of a job that lives: what a worker read of them last, and a
 * new look when that is too old. */
#pragma once

#include "web-api/call.h"
#include "web-api/key_counts_view.h"

/* Fill *ret with the job's last look of `purpose` ("counts", "clients"), after waiting a while for
 * a new one when the last is older than max_age_s. ret->reading is NULL or *reading, which is yours
 * to store_precheck_done(). A job that has not begun, or was deleted, is not looked at.
 * Errors: STORE. */
MUST_CHECK bool job_readings_take(struct call *call, const struct store_job *job,
                                  const char *purpose, int max_age_s, int wait_s,
                                  struct store_precheck *reading, struct key_counts *ret,
                                  struct err *err);

/* The precheck by which the job was started, or of one that was not, the last that is over. It is
 * yours to store_precheck_done(). Errors: STORE. */
MUST_CHECK bool job_readings_precheck(struct call *call, const struct store_job *job,
                                      struct store_precheck *ret, bool *ret_found, struct err *err);
