/* job_edit.h - changing a job that exists.
 *
 * A change is an RFC 7396 merge patch of the specification. `name`, `labels`,
 * `environment`, `resource_group`, `instance_class`, `retry`, `auto_recovery`, `throttle`, `alerts`
 * and `verification` may change at any time while the job is not released, and a worker that holds
 * it heeds them within a second or two. Everything else may change before the start only, and takes
 * the precheck back. An end is replaced as a whole:
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

/* What the job would have been asked for with, patched (`patch` NULL: as it is): a body for
 * job_spec_read(), which holds secrets. New references. */
MUST_CHECK bool job_edit_request(struct store *store, const struct keyring *ring,
                                 const struct store_job *job, const json_t *patch,
                                 json_t **ret_body, json_t **ret_errors, struct err *err);

/* Merge a patch into `target` in place (RFC 7396): null removes. Pure. */
void job_edit_merge(json_t *target, const json_t *patch);
