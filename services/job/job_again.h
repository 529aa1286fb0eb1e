/* job_again.h - a job once more: from the beginning, out of the bin, or as another one. */
#pragma once

#include "proto/base/err.h"
#include "services/job/job_control.h"
#include "services/secret/seal.h"

/* A job that has ended begins anew, as `configured`: it needs a precheck again. Nothing of it may
 * be left at its destination: one that wrote there is forgotten first. Errors: as job_control_move;
 * INVALID_STATE says what is left. */
MUST_CHECK bool job_again_restart(struct store *store, const char *job, const struct job_move *move,
                                  struct err *err);

/* A released job is there again: one that had ended as it was, one that was given up as `failed`,
 * one that was not started as `configured`, or as `draft` where an end is missing.
 * Errors: as job_control_move; as job_control_may_hold where it takes its place again. */
MUST_CHECK bool job_again_undelete(struct store *store, const char *job,
                                   const struct job_move *move, struct err *err);

/* A new job like this one, credentials included, with `patch` (may be NULL) merged into what was
 * asked for. Without a name in it the name is made anew. *ret_errors as in job_edit_patch().
 * Errors: as job_spec_read, job_reference_check and job_control_create. */
MUST_CHECK bool job_again_clone(struct store *store, const struct keyring *ring,
                                const struct store_job *job, const char *actor, const json_t *patch,
                                char ret_id[STORE_ID_SIZE], json_t **ret_errors, struct err *err);
