/* store_task.h - who works on what: leases with epochs, and progress in batches.
 *
 * A task is one source shard of a job. A worker claims one whose job wants work (see
 * job_state_is_active) and whose lease is free; each claim raises the epoch. Every
 * later write names the worker and the epoch (struct store_lease), and changes nothing
 * when the lease has passed on.
 * Times are the database's. A worker that could not renew for lease_seconds must
 * stop its children by its own clock: the lease may be another's already.
 *
 * Claiming does not move the job: move it next (queued -> starting by
 * JOB_EV_CLAIMED) and start children only when that succeeded; a refused move means
 * a person was first: release the task.
 */
#pragma once

#include <jansson.h>

#include "sql/store.h"
#include "sql/store_progress.h"

struct store_claim {
    char job[STORE_ID_SIZE];
    int task;
    int64_t lease_epoch;
    bool claimed_before;          /* a position of it existed at the destination */
    char state[STORE_STATE_SIZE]; /* of the job, when it was claimed */
    char account[STORE_ID_SIZE];
    json_t *spec;                   /* canonical, without secrets */
    json_t *wanted;                 /* object */
    struct buf sealed;              /* of the job's row: job_control_unseal(ring, "job", …) */
    struct store_progress progress; /* as last mirrored, by whomever */
};

void store_claim_done(struct store_claim *claim);

/* Claim one task for lease_seconds. *ret_found is false when none waits.
 * `pool` must equal the job's worker_pool. */
MUST_CHECK bool store_task_claim(struct store *store, const char *worker, const char *pool,
                                 int lease_seconds, struct store_claim *ret_claim, bool *ret_found,
                                 struct err *err);

struct store_report {
    char job[STORE_ID_SIZE];
    int task;
    int64_t lease_epoch;
    const struct store_progress *progress; /* NULL: renew only */

    /* Answers. */
    bool is_held;                 /* false: the lease is another's, stop the children */
    char state[STORE_STATE_SIZE]; /* of the job now */
    json_t *wanted;               /* of the job now; new reference, NULL when not held */
    int64_t now_ms;               /* by the control database's clock */
    int64_t job_version;          /* changes when the job was moved or its credentials changed */
};

/* Renew and report any number of tasks in one statement. Phase and sync_state of the
 * job and its heartbeat row follow. Safe to repeat. */
MUST_CHECK bool store_task_report(struct store *store, const char *worker, int lease_seconds,
                                  struct store_report *reports, size_t count, struct err *err);

/* Give it back: the lease is free at once. Not being the holder any more is fine. */
MUST_CHECK bool store_task_release(struct store *store, const struct store_lease *lease,
                                   struct err *err);

/* The same for one that goes on: whoever may take it is woken. */
MUST_CHECK bool store_task_hand_over(struct store *store, const struct store_lease *lease,
                                     struct err *err);

/* The destination knows a lease of `above`: make ours higher. *ret_epoch is the new
 * one. Errors: FENCED (not ours any more). */
MUST_CHECK bool store_task_raise_epoch(struct store *store, const struct store_lease *lease,
                                       int64_t above, int64_t *ret_epoch, struct err *err);

/* Remember that a position exists at the destination (true), or that a new full copy
 * was decided and its absence is no loss (false). Errors: FENCED. */
MUST_CHECK bool store_task_claimed_before(struct store *store, const struct store_lease *lease,
                                          bool value, struct err *err);

/* What an end turned out to be: `end` is "source" or "destination", facts an object
 * with product, version, topology, ... Errors: FENCED. */
MUST_CHECK bool store_task_facts(struct store *store, const struct store_lease *lease,
                                 const char *end, const json_t *facts, struct err *err);

/* May `source` (host:port, or a server by its run id) be asked for a full sync now? At most
 * `per_hour` in any hour over all jobs; the first of a job goes beyond that, if `is_first` says
 * that it may be the first, for somebody asked for it when he started the job. Allowed ones are
 * written down in the same transaction. *ret_retry_after_ms is when to ask again, when not. */
MUST_CHECK bool store_task_full_sync(struct store *store, const char *source, const char *job,
                                     int per_hour, bool is_first, bool *ret_allowed,
                                     int64_t *ret_retry_after_ms, struct err *err);

/* Forget one full sync of this job's that was allowed and then not used. */
MUST_CHECK bool store_task_full_sync_unused(struct store *store, const char *source,
                                            const char *job, struct err *err);
