/* worker_login.h - credentials for a connect, as they are at that moment.
 *
 * A job's own ends have theirs sealed in its row. An end that stands for an instance has them in
 * the instance's row, which is asked each time: so a rotation reaches the next connect, and a role
 * that was taken back lets nobody in. By a role of another account each connect is a session of
 * its own, which both sides can see. While the control database is away an instance's credentials
 * are as they were last, a session's no longer than it lasts.
 */
#pragma once

#include "services/net/endpoint.h"
#include "services/worker/worker_task.h"
#include "sql/store_job.h"

/* Who connects. */
struct worker_login {
    const char *row;     /* "job" or "precheck" */
    const char *id;      /* of it */
    const json_t *spec;  /* its canonical specification */
    struct str sealed;   /* its own credentials */
    int64_t lease_epoch; /* of its lease */
    struct worker_login_cache *cache;
};

/* What is known of both ends for when the control database is away. */
struct worker_login_cache {
    struct {
        struct buf sealed;
        char instance[STORE_ID_SIZE];   /* "" = nothing is kept */
        int64_t until_ms;               /* monotonic */
        uint64_t rps, bytes_per_second; /* this job's share of what the role lets through; 0 = no
                                           limit */
    } end[2];
    int64_t
        roles_until_ms; /* wall clock: the earliest end of the roles, as last watched; 0 = none */
};

#define WORKER_LOGIN_CACHE_INIT                                                                    \
    ((struct worker_login_cache){                                                                  \
        .end = {{.sealed = BUF_INIT(STORE_SEALED_MAX)}, {.sealed = BUF_INIT(STORE_SEALED_MAX)}}})

void worker_login_cache_done(struct worker_login_cache *cache);

/* `end` is "source" or "destination"; *ret is credentials_to_json(), a new reference that holds
 * secrets.
 * Errors: ROLE_NOT_TRUSTED, ROLE_PERMISSION, NOT_FOUND becomes ROLE_REVOKED (the instance is gone),
 * STORE, as seal_open(). */
MUST_CHECK bool worker_login(struct worker *worker, const struct worker_login *who, const char *end,
                             json_t **ret, struct err *err);

/* Does every role that the job uses let it go on? Renews its sessions. *ret_allowed false: `why`
 * says what is missing, and the sessions are closed.
 * Errors: STORE. */
MUST_CHECK bool worker_login_watch(struct worker *worker, const struct worker_login *who,
                                   bool *ret_allowed, struct err *ret_why, struct err *err);

/* Is there a role to be watched? */
bool worker_login_is_shared(const json_t *spec);

/* It has ended: its sessions are over. */
MUST_CHECK bool worker_login_end(struct worker *worker, const struct worker_login *who,
                                 struct err *err);
