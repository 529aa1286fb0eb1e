/* store_precheck.h - runs of the precheck and their items.
 *
 * A run is queued by the API, claimed by a worker with a lease and an epoch, filled
 * item by item and finished. It belongs to a job, or stands alone with a
 * specification that is not saved. Finishing, ignoring and cancelling move jobs:
 * call job_control.h for them.
 */
#pragma once

#include <jansson.h>

#include "sql/store.h"

struct store_precheck_options {
    bool ignore_warnings;      /* warnings count as confirmed */
    const char *ignore_reason; /* NULL = "ignore_warnings=true" */
    bool read_only;            /* probe: no probe key is written on either end */
    bool only_failed;          /* of a job: take over what passed in its latest run, when that was
                                  of this specification and is not too old */
    const char *purpose;       /* precheck (NULL), connectivity, discover, start; of a job whose
                                  ends are looked at: counts, clients */
    const char *of_job;        /* connectivity: of the ends of this job as they would be; or NULL */
};

struct store_precheck {
    char id[STORE_ID_SIZE];
    char account[STORE_ID_SIZE];
    char job[STORE_ID_SIZE];      /* "" = stands alone */
    char state[STORE_STATE_SIZE]; /* queued, running, passed, failed, cancelled */
    char spec_digest[65];
    char probe[16];     /* full, read_only */
    json_t *spec;       /* canonical, without secrets */
    json_t *facts;      /* {"source":{…},"destination":{…}}; NULL = not yet */
    json_t *plan;       /* NULL = not yet */
    json_t *last_error; /* {"code","detail"}: why it could not be carried out; NULL = none */
    json_t *items;      /* array, in the order they were found; as the API shows an item, and for an
                           ignored one "reason", "ignored_by", "ignored_at" */
    char purpose[16];
    int64_t fresh_ms; /* when its oldest finding was made; 0 = not over */
    int64_t version;
    int64_t created_ms, started_ms, finished_ms; /* 0 = not yet */
};

void store_precheck_done(struct store_precheck *precheck);

/* account NULL = of any. job NULL = any. Errors: NOT_FOUND. */
MUST_CHECK bool store_precheck_get(struct store *store, const char *account, const char *id,
                                   struct store_precheck *ret, struct err *err);
MUST_CHECK bool store_precheck_latest(struct store *store, const char *account, const char *job,
                                      struct store_precheck *ret, struct err *err);

/* Of a job, newest first, ids below before_id (NULL = all). Give back each and the
 * array with store_precheck_list_done(). */
MUST_CHECK bool store_precheck_list(struct store *store, const char *account, const char *job,
                                    const char *before_id, int limit, struct store_precheck **ret,
                                    size_t *ret_count, struct err *err);
void store_precheck_list_done(struct store_precheck *list, size_t count);

/* The last look at both ends of a job, of purpose counts or clients, that is over.
 * Errors: NOT_FOUND. */
MUST_CHECK bool store_precheck_reading(struct store *store, const char *account, const char *job,
                                       const char *purpose, struct store_precheck *ret,
                                       struct err *err);

/* ---- for a worker ---- */

enum { STORE_PRECHECK_ATTEMPTS_MAX = 3 };

struct store_precheck_claim {
    char id[STORE_ID_SIZE];
    char job[STORE_ID_SIZE];
    int64_t lease_epoch;
    char probe[16];
    char purpose[16];
    json_t *spec;
    json_t *carried;   /* array of ids that were taken over: not to be looked at again */
    struct buf sealed; /* job_control_unseal(ring, "precheck", id, …) */
};

void store_precheck_claim_done(struct store_precheck_claim *claim);

/* Claim a queued run, or one whose worker went silent (its items are dropped: it
 * begins again). lease_epoch counts how often it was begun: above
 * STORE_PRECHECK_ATTEMPTS_MAX do not run it but finish it with a failure.
 * *ret_found is false when none waits. */
MUST_CHECK bool store_precheck_claim(struct store *store, const char *worker, const char *pool,
                                     int lease_seconds, struct store_precheck_claim *ret,
                                     bool *ret_found, struct err *err);

/* Renew. *ret_held is false when it was cancelled or is another's: stop the child. */
MUST_CHECK bool store_precheck_renew(struct store *store, const char *id, const char *worker,
                                     int64_t lease_epoch, int lease_seconds, bool *ret_held,
                                     struct err *err);

/* Write an item down: an object with id, severity, result, ignorable, observed,
 * threshold, message, remedy, doc_url. The same id again replaces it.
 * Errors: FENCED, VALIDATION (no id or result). */
MUST_CHECK bool store_precheck_item(struct store *store, const char *id, int64_t lease_epoch,
                                    const json_t *item, struct err *err);

/* Jobs in one of those states at the same ends: [{"relation":"source"|"destination"|"reverse",
 * "job": id or null (another account's), "state"}], twenty at most. A new reference. */
MUST_CHECK bool store_precheck_neighbours(struct store *store, const char *id,
                                          const char *const *states, size_t state_count,
                                          json_t **ret, struct err *err);

/* The keys Keyferry itself has or may have at the ends of a run: {"source": [{"database", "key",
 * "expires"}], "destination": [...]}. A new reference. */
MUST_CHECK bool store_precheck_own_keys(struct store *store, const char *id, json_t **ret,
                                        struct err *err);

/* How many webhook endpoints of its account would be told what becomes of the run's job. */
MUST_CHECK bool store_precheck_contacts(struct store *store, const char *id, int64_t *ret_count,
                                        struct err *err);

/* What is known of the ends of the job whose connectivity is tried: {"has_position", "history"};
 * NULL = nothing, or it is no such run. A new reference. */
MUST_CHECK bool store_precheck_known(struct store *store, const char *id, json_t **ret,
                                     struct err *err);

/* ---- for job_control.c ---- */

struct store_precheck_new {
    const char *id, *account, *job, *actor, *spec_digest; /* job NULL = stands alone */
    const json_t *spec;
    struct str sealed;
    const struct store_precheck_options *options;
};

MUST_CHECK bool store_precheck_insert(struct store *store, const struct store_precheck_new *run,
                                      struct err *err);

/* The same for a look at both ends of a job (`options` names the purpose), unless the last one is
 * younger than max_age_s. While one is open it does nothing. *ret_open: one is. */
MUST_CHECK bool store_precheck_reading_ask(struct store *store,
                                           const struct store_precheck_new *run, int max_age_s,
                                           bool *ret_open, struct err *err);

/* How a run ended. */
struct store_precheck_end {
    char state[STORE_STATE_SIZE]; /* "" = it was over already, or is another's */
    char job[STORE_ID_SIZE];
    char purpose[16];
    char failed[400]; /* "dst.permission: the account ...; ...": what failed; "" = nothing */
};

/* The verdict of a run whose lease is held: passed when no item is fail, error or a
 * warn that is not ignored, and `failure_code` is NULL. */
MUST_CHECK bool store_precheck_finish(struct store *store, const char *id, const char *worker,
                                      int64_t lease_epoch, const json_t *facts, const json_t *plan,
                                      const char *failure_code, const char *failure_detail,
                                      struct store_precheck_end *ret, struct err *err);

/* Ignore one warning or (check_id NULL) all; inside a transaction. *ret_ignored counts those
 * that are ignored by this call, *ret_result is what the one item counts as now ("" = no
 * such item); *ret_passes says that a failed run has passed by this call. */
MUST_CHECK bool store_precheck_ignore(struct store *store, const char *id, const char *check_id,
                                      const char *reason, const char *actor, int *ret_ignored,
                                      char ret_result[STORE_STATE_SIZE], bool *ret_passes,
                                      struct err *err);

/* *ret_job is the job's id, "" for one that stands alone. */
MUST_CHECK bool store_precheck_cancel(struct store *store, const char *account, const char *id,
                                      bool *ret_cancelled, char ret_job[STORE_ID_SIZE],
                                      struct err *err);

/* The open runs of a job that was deleted. */
MUST_CHECK bool store_precheck_cancel_of_job(struct store *store, const char *job, struct err *err);
