/* worker_task.h - one task as a worker holds it: the run, and what is known of its job.
 *
 * Not pure: it carries what happened to a task into the control database and what is
 * wanted back to the run. Every function that takes an error returns false only
 * when the control database did not answer: call it again when it is back.
 */
#pragma once

#include "services/common/config.h"
#include "services/job/job_state.h"
#include "services/secret/keyring_file.h"
#include "services/worker/gauges.h"
#include "services/worker/task_run.h"
#include "services/worker/worker_identity.h"
#include "services/worker/worker_pace.h"
#include "sql/store_task.h"

struct worker_login_cache;
struct series;
struct store_series_row;

/* Buckets of charts that wait to be written (worker_series.h). */
struct worker_series {
    struct store_series_row *rows;
    size_t count, room;
    int64_t due_ms;
    size_t turn; /* which tasks were written last */
};

/* What all tasks of a worker share. */
struct worker {
    struct store *store;
    struct keyring_file *keys;
    const struct config *config;
    const struct worker_identity *identity;
    const char *faults; /* test builds; NULL = none */
    json_t *egress;     /* addresses that connections come from, as text; owned */
    struct worker_series series;
    bool wants_report; /* somebody needs to know whether a lease is still ours */
};

/* What /metrics of the worker has been told of a task. */
struct worker_told {
    bool is_known;
    int64_t commands, bytes, keys, copy_bytes;
};

struct worker_task {
    struct task_run *run;
    struct worker_told told;
    struct gauges gauges;
    struct series *series; /* owned; NULL before the first report */
    struct pace pace;
    enum job_state state;
    bool is_state_known; /* false after a commit in doubt, until the next report */
    int64_t version;     /* of the job; 0 = not yet known */
    bool drain_wanted;
    bool is_forgetting;                /* of a job that has ended: its last key is removed */
    json_t *spec;                      /* canonical; owned */
    struct buf sealed;                 /* the job's credentials as stored; owned */
    json_t *facts[2];                  /* of source, destination, as known; owned */
    struct worker_login_cache *logins; /* of ends that are instances; owned */
    int64_t watch_ms;                  /* monotonic: when its roles are looked at next */
    uint32_t noted;                    /* trouble that the control database knows */
    bool shows_retry;                  /* the control database says that it is retried */
    int64_t counted_ms; /* monotonic: when the counts of commands were last mirrored */
    uint64_t counted;   /* their sum then */
    bool is_leaving;    /* it is being handed over to another worker */
    bool is_final;      /* the last report was of a task that has ended */
    bool is_gone;       /* not ours any more, or all done: free it */
};

/* The lease it is held by. Borrows from both. */
struct store_lease worker_task_lease(const struct worker *worker, const struct worker_task *task);

/* Take over a claim (its parts move into the task) and start. A job that cannot be
 * run as it is stored is blocked and given back: *ret_task is then NULL. */
MUST_CHECK bool worker_task_open(struct worker *worker, struct store_claim *claim,
                                 struct worker_task **ret_task, struct err *err);

/* Kills what is left; the lease stays as it is. NULL is fine. */
void worker_task_free(struct worker_task *task);

/* Answer what its children ask for and needs no control database. */
void worker_task_answer(struct worker *worker, struct worker_task *task);

/* Carry over what the control database is to know, and give the task back when it
 * is over. */
MUST_CHECK bool worker_task_flush(struct worker *worker, struct worker_task *task, struct err *err);

/* Renew and report many in one statement, and heed what their jobs want. */
MUST_CHECK bool worker_task_report(struct worker *worker, struct worker_task **tasks, size_t count,
                                   struct err *err);

/* Is there something for worker_task_flush() to do? */
bool worker_task_has_news(const struct worker_task *task);
