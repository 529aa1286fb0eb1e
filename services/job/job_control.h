/* job_control.h - the one mover of jobs.
 *
 * Everything that changes a job's state goes through here: the edge is looked up in
 * job_state's table, the row is changed by compare-and-set, and the history row and
 * the wake-up are written in the same transaction. When somebody else was first
 * the state is read again and the edge looked up again.
 *
 * A worker names the lease it holds: when the lease has passed
 * on, the move is refused with FENCED and nothing is written.
 *
 * After a failure with STORE the outcome of the commit is unknown: read the job and
 * look. Repeating a move is safe where the edge does not lead back to its state.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/base/err.h"
#include "services/job/job_spec.h"
#include "services/job/job_state.h"
#include "services/secret/seal.h"
#include "sql/store.h"
#include "sql/store_job.h"
#include "sql/store_precheck.h"

/* Who moves it, and what goes with the move. Everything may be left zero. */
struct job_move {
    const char *account;      /* only when it is this account's job, else NOT_FOUND */
    const char *actor;        /* "key:<prefix>", "worker:<id>"; shown in the history */
    const char *detail;       /* added to the edge's sentence in the history */
    int64_t expected_version; /* If-Match; 0 = any. Else ETAG_MISMATCH */

    const struct store_lease *lease; /* of a worker; NULL = by a person */

    const json_t *attention; /* leaving `blocked` clears it without being asked */
    const char *error_code;  /* last_error; NULL leaves what is there, "" clears it */
    const char *error_detail;
    const json_t *retry_state; /* NULL leaves, json_null() clears */
    const json_t *wanted; /* merged into the job's: {"drain":false}, {"on_full_resync_needed":…} */
};

/* Move a job. *ret_edge (may be NULL) is the edge that was taken.
 * Errors: NOT_FOUND, INVALID_STATE (detail: state and what is allowed), FENCED,
 * ETAG_MISMATCH, STORE. */
MUST_CHECK bool job_control_move(struct store *store, const char *job, enum job_event event,
                                 const struct job_move *move, const struct job_edge **ret_edge,
                                 struct err *err);

/* The name of a job that was given none, of both ends and the time:
 * "redis-cache.example-to-new.example-202611200954"; an end that is missing is a "?". */
void job_control_make_name(const json_t *spec, char *dst, size_t size);

/* Was the job named so while an end was missing? */
bool job_control_is_half_named(const char *name);

/* Save a new job: `configured`, or `draft` when the specification is incomplete.
 * The name is generated when it has none. ret_id gets the id.
 * Errors: STORE, CONFIG (nothing to seal with). */
MUST_CHECK bool job_control_create(struct store *store, const struct keyring *ring,
                                   const char *account, const char *actor,
                                   const struct job_spec *spec, char ret_id[STORE_ID_SIZE],
                                   struct err *err);

/* Ask for the start (instance_class NULL = "unlimited"): the latest precheck passed, is of this
 * very specification and less than 24 h old; no other job holds an overlapping part of the
 * destination. Errors: as job_control_move, PRECHECK_REQUIRED, SELECTION_OVERLAPS (names the job).
 */
MUST_CHECK bool job_control_start(struct store *store, const char *job, const struct job_move *move,
                                  const char *instance_class, struct err *err);

/* No other job holds an overlapping part of the destination that its row names now.
 * Errors: SELECTION_OVERLAPS (names the job). */
MUST_CHECK bool job_control_may_hold(struct store *store, const struct store_job *job,
                                     struct err *err);

/* Delete a job; a precheck of it that is still open is cancelled in the same transaction. */
MUST_CHECK bool job_control_release(struct store *store, const char *job,
                                    const struct job_move *move, struct err *err);

/* Could it be started now, overlaps aside? Errors: NOT_SUPPORTED_YET (job_spec_unbuilt()),
 * PRECHECK_REQUIRED, INVALID_STATE. */
MUST_CHECK bool job_control_may_start(struct store *store, const struct store_job *job,
                                      struct err *err);

/* May its destination be written to? Not while an instance at that address is live.
 * Errors: DESTINATION_LIVE. */
MUST_CHECK bool job_control_may_write(struct store *store, const struct store_job *job,
                                      struct err *err);

/* Ask for a precheck of a saved job; ret_id gets the precheck's. The sealed
 * credentials are sealed again for the precheck's row.
 * Errors: as job_control_move. */
MUST_CHECK bool job_control_precheck(struct store *store, const struct keyring *ring,
                                     const char *job, const struct job_move *move,
                                     const struct store_precheck_options *options,
                                     char ret_id[STORE_ID_SIZE], struct err *err);

/* Ask a worker to look at both ends of a saved job, over connections of its own: purpose "counts"
 * or "clients". The job moves nowhere. Not when the last look is younger than max_age_s, and while
 * one of that purpose is open another is not asked. *ret_open: one is open now.
 * Errors: ROLE_NOT_TRUSTED, ROLE_PERMISSION, STORE, as seal_open. */
MUST_CHECK bool job_control_reading(struct store *store, const struct keyring *ring,
                                    const struct store_job *job, const char *purpose,
                                    const char *actor, int max_age_s, bool *ret_open,
                                    struct err *err);

/* A precheck of a specification that is not saved. Of a connectivity test one end may be missing,
 * and with options->of_job it also tells whether the ends are still the job's own; a discovery
 * looks at the source. */
MUST_CHECK bool job_control_precheck_alone(struct store *store, const struct keyring *ring,
                                           const char *account, const char *actor,
                                           const struct job_spec *spec,
                                           const struct store_precheck_options *options,
                                           char ret_id[STORE_ID_SIZE], struct err *err);

/* The worker that ran it says it is through. Whether it passed is judged here from
 * its items, and the job is moved. `failure` (may be NULL) is why it could not be
 * carried out to its end: it then fails. Safe to repeat.
 * Errors: FENCED (another worker runs it), STORE. */
MUST_CHECK bool job_control_precheck_finish(struct store *store, const char *precheck,
                                            const char *worker, int64_t lease_epoch,
                                            const json_t *facts, const json_t *plan,
                                            const struct err *failure, struct err *err);

/* Accept a warning (`check_id`) or all of them (NULL). Passes the precheck, and
 * moves its job, when that was the last one.
 * Errors: NOT_FOUND, NOT_IGNORABLE, STORE. */
MUST_CHECK bool job_control_precheck_ignore(struct store *store, const char *account,
                                            const char *precheck, const char *check_id,
                                            const char *reason, const char *actor, struct err *err);

/* Let the account's precheck be over without a result. Errors: NOT_FOUND,
 * INVALID_STATE (it is over), STORE. */
MUST_CHECK bool job_control_precheck_cancel(struct store *store, const char *account,
                                            const char *precheck, const char *actor,
                                            struct err *err);

/* Open the sealed credentials of a job's row (store_job, store_claim, ...): `row` is
 * "job" or "precheck". An empty blob opens to none. Errors: as seal_open. */
MUST_CHECK bool job_control_unseal(const struct keyring *ring, const char *row, const char *id,
                                   struct str blob, struct secret *ret_sealed, struct err *err);
