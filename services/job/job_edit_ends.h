/* job_edit_ends.h - other addresses, logins or TLS settings for a job that was started.
 *
 * What is to be moved stays; only how its ends are reached may change, and only while nothing
 * is connected: paused, blocked, failed, retrying. The API has a worker look at a new address
 * first (job_edits.c). Whatever comes of that, a worker never writes another destination nor takes
 * another source for the old one: the one is known by our position there, the other by its history
 * (needs_recopy).
 */
#pragma once

#include "services/job/job_control.h"

/* The patch names an end, and nothing but ends and `others` (names that may change anyway;
 * NULL closes the list). */
bool job_edit_ends_is(const json_t *patch, const char *const *others);

/* May they change in this state? Errors: INVALID_STATE. */
MUST_CHECK bool job_edit_ends_may(const struct store_job *job, struct err *err);

/* Put the patched ends into `body` (job_request_whole): a url replaces an end, other members
 * are merged into what it is. */
void job_edit_ends_merge(json_t *body, const json_t *patch);

/* `spec` was read from that body: everything but its ends and `others` becomes the job's own
 * again.
 * Errors: VALIDATION (another kind of end, or another selection). */
MUST_CHECK bool job_edit_ends_keep(const struct store_job *job, const char *const *others,
                                   struct job_spec *spec, struct err *err);

/* Would `end` of `spec` be looked for elsewhere than the job looks for it now? Another login or
 * other TLS settings are the same server. Pure. */
bool job_edit_ends_moves(const struct store_job *job, const json_t *spec, const char *end);

/* The job stands still for something that new ends may have put right, and may be resumed. */
bool job_edit_ends_resumes(const struct store_job *job);
