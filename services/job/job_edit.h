/* job_edit.h - changing a job that exists.
 *
 * A change is an RFC 7396 merge patch of the specification. `name`, `labels`,
 * `environment`, `resource_group`, `retry`, `auto_recovery` and `throttle` may change at any time
 * while the job is not released, and a worker that holds it heeds them within a second or two.
 * Everything else may change before the start only, and takes the precheck back. An end is replaced
 * as a whole:
 * {"source": {"url": …}}; the other end keeps its credentials.
 */
#pragma once

#include <jansson.h>

#include "proto/base/err.h"
#include "services/job/job_control.h"
#include "services/secret/seal.h"
#include "sql/store.h"

/* *ret_errors is set when the patched specification is wrong: a new reference, as
 * job_spec.errors; NULL otherwise.
 * Errors: as job_spec_read and job_control_move; INVALID_STATE where the member may
 * not change any more. */
MUST_CHECK bool job_edit_patch(struct store *store, const struct keyring *ring, const char *job,
                               const struct job_move *move, const json_t *patch,
                               json_t **ret_errors, struct err *err);

/* What the patch would make of the job, as job_edit_patch() judges it; nothing is written.
 * *ret_spec is yours to job_spec_done(). Errors: the same. */
MUST_CHECK bool job_edit_try(struct store *store, const struct keyring *ring,
                             const struct store_job *job, const struct job_move *move,
                             const json_t *patch, struct job_spec *ret_spec, json_t **ret_errors,
                             struct err *err);

/* Choose a class without starting: the precheck must have passed as for a start.
 * Errors: as job_control_start. */
MUST_CHECK bool job_edit_purchase(struct store *store, const char *job, const struct job_move *move,
                                  const char *instance_class, struct err *err);

/* Another class for a job that has one and has not ended; a running one heeds it within two
 * seconds. Errors: INVALID_STATE, ETAG_MISMATCH. */
MUST_CHECK bool job_edit_resize(struct store *store, const char *job, const struct job_move *move,
                                const char *instance_class, struct err *err);

/* What the job would have been asked for with, patched (`patch` NULL: as it is): a body for
 * job_spec_read(), which holds secrets. New references. */
MUST_CHECK bool job_edit_request(struct store *store, const struct keyring *ring,
                                 const struct store_job *job, const json_t *patch,
                                 json_t **ret_body, json_t **ret_errors, struct err *err);

/* Merge a patch into `target` in place (RFC 7396): null removes. Pure. */
void job_edit_merge(json_t *target, const json_t *patch);
