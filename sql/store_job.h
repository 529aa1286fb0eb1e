/* store_job.h - jobs: their rows, their lists, and the statement that moves one.
 *
 * State names are text here; what they mean is services/job/job_state.h's. Nobody
 * but services/job/job_control.c calls store_job_insert() and store_job_move().
 */
#pragma once

#include <jansson.h>

#include "sql/store.h"
#include "sql/store_progress.h"

struct store_job {
    char id[STORE_ID_SIZE];
    char account[STORE_ID_SIZE];
    char name[513]; /* 128 characters of UTF-8 */
    char state[STORE_STATE_SIZE];
    char phase[STORE_STATE_SIZE];      /* "" = none */
    char sync_state[STORE_STATE_SIZE]; /* "" = none */
    char instance_class[32];           /* "" = not purchased */
    char spec_digest[65];
    json_t *spec;         /* canonical, without secrets; NULL in a list, which has its text */
    struct str spec_text; /* of a list: the list's memory */
    char spec_sum[65];    /* SHA-256, hex, of the specification and whose it is */
    json_t *warnings;     /* of the specification; array */
    json_t *attention;    /* NULL = none */
    json_t *last_error;   /* {"code", "detail", "at"}; NULL = none */
    json_t *retry_state;  /* NULL = none */
    json_t *wanted;       /* object: {"drain":bool, "on_full_resync_needed":…, …} */
    struct buf sealed;    /* only from store_job_get */
    int64_t version;      /* ETag: rises with every change but progress */
    int64_t created_ms, started_ms, finished_ms, updated_ms; /* wall clock; 0 = not yet */
    int64_t read_ms; /* when this was read, by the control database's clock */

    /* Of its task 0, as last mirrored. */
    bool has_task;
    char worker[STORE_ID_SIZE * 2]; /* "" = nobody holds it now */
    struct store_progress progress;
    json_t *source_facts, *destination_facts; /* NULL = not known yet */
};

enum { STORE_SEALED_MAX = 1024 * 1024 };

#define STORE_JOB_INIT ((struct store_job){.sealed = BUF_INIT(STORE_SEALED_MAX)})

void store_job_done(struct store_job *job);

/* One job of that account; account NULL = of any. Errors: NOT_FOUND. */
MUST_CHECK bool store_job_get(struct store *store, const char *account, const char *id,
                              struct store_job *ret_job, struct err *err);

enum { STORE_JOB_LABELS_MAX = 32 };

struct store_job_filter {
    const char *const *states; /* NULL = all but released */
    size_t state_count;
    const char *name_part;     /* NULL = any; letters compare without their case */
    const char *const *labels; /* KEY=VALUE, each once: those that have them all */
    size_t label_count;        /* 0 = any */
    const char *environment, *worker_pool, *region, *resource_group; /* NULL = any */
    const char *instance;  /* a registered server at either end; NULL = any */
    bool with_specs;       /* else their texts are empty: their sums may be enough */
    bool attention_only;   /* those that a person must decide about */
    const char *before_id; /* cursor: ids below this one; NULL = from the newest */
    int limit;             /* 1 to 201: ask for one more to see whether there is more */
};

struct store_job_list {
    struct store_job *jobs;
    size_t count;
    struct store_rows rows; /* what their texts point into */
};

/* Newest first. */
MUST_CHECK bool store_job_list(struct store *store, const char *account,
                               const struct store_job_filter *filter,
                               struct store_job_list *ret_list, struct err *err);
void store_job_list_done(struct store_job_list *list);

/* Specifications as they are now: a row each, with the sum and the text. */
enum { STORE_JOB_SPECS_SUM, STORE_JOB_SPECS_TEXT };
MUST_CHECK bool store_job_specs(struct store *store, const char *const *ids, size_t count,
                                struct store_rows *ret_specs, struct err *err);

/* Counts: {"states": {"running": 3, ...}, "attention": 1}. A new reference.
 * account NULL = of all. */
MUST_CHECK bool store_job_summary(struct store *store, const char *account, json_t **ret_summary,
                                  struct err *err);

/* [{"name", "state", "started_at", "finished_at"}]: precheck, full, incremental, cutover, those
 * the job has. state: waiting, running, done, passed, failed, cancelled, paused, blocked,
 * stopped. *ret_steps is NULL when there is no such job. */
MUST_CHECK bool store_job_steps(struct store *store, const char *job, json_t **ret_steps,
                                struct err *err);

/* A change without a move, by the worker that holds the task: the error of the last
 * attempt and the state of the retries. NULL leaves a column, json_null() clears it.
 * Errors: FENCED. */
MUST_CHECK bool store_job_note(struct store *store, const struct store_lease *lease,
                               const char *error_code, const char *error_detail,
                               const json_t *retry_state, struct err *err);

/* Ids of scheduled jobs whose time has come: an array of texts, a new reference. */
MUST_CHECK bool store_job_due(struct store *store, int limit, json_t **ret_ids, struct err *err);

/* Plan the next attempts of failed jobs with auto_recovery, `pause_seconds` after each failure.
 * Ids of those that are due, at most `limit`: an array of texts, a new reference. */
MUST_CHECK bool store_job_recovery(struct store *store, int pause_seconds, int limit,
                                   json_t **ret_ids, struct err *err);

/* Where retry.scope is shared: the job's retry times become those of the jobs of its account that
 * share an end with it and want that, too. Each is told in its history. */
MUST_CHECK bool store_job_share_retry(struct store *store, const char *job, const char *actor,
                                      struct err *err);

/* ---- for job_control.c and job_again.c ---- */

/* Is something of it left at its destination, or somebody at work on it? */
MUST_CHECK bool store_job_left(struct store *store, const char *job, bool *ret_left,
                               struct err *err);

/* The last state that it was in before it was `state`; "" when its history tells none. */
MUST_CHECK bool store_job_state_before(struct store *store, const char *job, const char *state,
                                       char ret_state[STORE_STATE_SIZE], struct err *err);

/* It begins anew, not started yet: its tasks know nothing of what was. */
MUST_CHECK bool store_job_reset(struct store *store, const char *job, struct err *err);

struct store_job_new {
    const char *id, *account, *name, *state, *spec_digest, *actor;
    const char *event, *sentence; /* of the first history row */
    const json_t *spec, *warnings;
    struct str sealed;
    const char *destination_key; /* NULL in a draft */
    const int *destination_databases;
    int destination_database_count; /* 0 = all */
};

/* The parameter `destination databases`; count 0 is null. */
void store_job_bind_databases(struct store_params *p, const int *databases, int count);

MUST_CHECK bool store_job_insert(struct store *store, const struct store_job_new *job,
                                 struct err *err);

struct store_job_change {
    const char *job, *from, *to, *event, *sentence;
    const char *detail, *actor;      /* may be NULL */
    const char *account;             /* NULL = any */
    int64_t expected_version;        /* 0 = any */
    const struct store_lease *lease; /* of a worker; NULL = by a person */
    bool clear_attention;
    const json_t *attention, *retry_state, *wanted; /* NULL leaves; json_null() clears */
    const char *error_code, *error_detail;          /* NULL leaves, "" clears */
    const char *instance_class;                     /* NULL leaves */
    bool is_final, is_start, add_task;
};

/* Compare-and-set with history and wake-up: *ret_moved is false when the row was not
 * as described (state, account, version or lease). */
MUST_CHECK bool store_job_move(struct store *store, const struct store_job_change *change,
                               bool *ret_moved, struct err *err);

/* Another job that holds an overlapping part of the same destination: *ret_id is ""
 * when there is none. `states` are those that hold one. */
MUST_CHECK bool store_job_overlap(struct store *store, const char *job, const char *const *states,
                                  size_t state_count, char ret_id[STORE_ID_SIZE], struct err *err);
