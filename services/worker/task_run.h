/* task_run.h - one task in the hands of a supervisor: its children and what became of it.
 *
 * Not pure: it spawns, signals and talks to children. It never touches the control
 * database: what it needs from there it asks for (struct task_asks) and is given
 * by task_run_*() answers, whenever the database is back. So a lost database stops
 * nothing that runs.
 *
 * Apply goes first: it claims at the destination and says where to begin; then
 * receive is started with that. A child that dies is started again: at once, and
 * with growing pauses when it dies young. A child that ends with an error says a
 * code, and the code's row in err_codes.def decides: RETRY_NOW starts both again
 * from a new claim, RETRY_LATER runs a retry clock, RETRY_NEVER blocks the job.
 *
 * The loop that owns it polls each child's socket and pidfd, and calls
 * task_run_read(), task_run_reap() and task_run_tick().
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/base/err.h"
#include "services/flow/control.h"
#include "services/job/throttle_plan.h"
#include "services/worker/child_process.h"
#include "services/worker/retry_clock.h"
#include "sql/store_progress.h"

enum task_duty { TASK_APPLY, TASK_RECEIVE, TASK_DUTIES };

enum task_goal {
    TASK_GOAL_RUN,
    TASK_GOAL_PAUSE,
    TASK_GOAL_STOP_DRAIN,
    TASK_GOAL_STOP_NOW,
    TASK_GOAL_CUTOVER, /* task_cutover.h */
    TASK_GOAL_FORGET,  /* remove our sealed key from the destination */
};

/* Anything but TASK_GOING: no child is left and none will be started. */
enum task_outcome {
    TASK_GOING,
    TASK_PAUSED,
    TASK_STOPPED,
    TASK_COMPLETED, /* a full-only copy is done */
    TASK_BLOCKED,   /* trouble says why */
    TASK_FAILED,    /* a retry clock ran out */
    TASK_CUT_OVER,
    TASK_FORGOTTEN, /* nothing of ours is left on the destination */
};

enum task_cutover {
    TASK_CUTOVER_NONE,
    TASK_CUTOVER_GOING,
    TASK_CUTOVER_GIVING_UP,
    TASK_CUTOVER_SEALED,
};

struct task_child {
    struct child_process process;
    bool is_due; /* to be started at due_ms (monotonic) */
    int64_t due_ms;
    int64_t kill_ms;    /* to be killed then, if it is still there; 0 = no */
    uint32_t deaths;    /* young and without a word, in a row */
    bool said_error;    /* since it was started */
    bool is_finished;   /* it did what was wanted and is not needed again */
    bool asks_login;    /* credentials of the end below */
    char login_end[16]; /* "source" or "destination" */
};

/* What only the control database can give. Cleared by the answers. */
struct task_asks {
    bool go;               /* write down that a position exists, then task_run_go() */
    uint64_t lease_above;  /* raise the lease above it, then task_run_lease(); 0 = no */
    bool lease_check;      /* somebody else may hold it: look now */
    bool full_sync;        /* may the source be asked? task_run_full_sync() */
    char full_sync_of[41]; /* its run id; "" = it does not tell */
    bool copied, caught_up, full_resync; /* for the history */
    json_t *records;  /* commands left out: what apply asks; owned; NULL = nothing */
    json_t *facts[2]; /* of source, destination; owned; NULL = none new */
};

struct task_trouble {
    enum err_code code; /* ERR_NONE = never any */
    char target[16];    /* "source", "destination", "worker" */
    char detail[1200];
    int64_t at_ms;    /* wall clock */
    uint32_t version; /* rises with every new one */
};

struct task_run {
    char job[40];
    uint32_t task;
    uint64_t lease;
    char source_server[300]; /* endpoint_server(): whose full syncs are counted */
    json_t *spec;            /* the message "spec"; owned */
    bool incremental;
    bool claimed_before;

    struct control_block *control;
    int control_fd, apply_bell, receive_bell;
    int identity_fd; /* the worker's; borrowed */
    struct task_child child[TASK_DUTIES];
    json_t *start;      /* apply's last message of that type; owned, NULL = none */
    bool is_start_used; /* a receive was started with it */

    enum task_goal goal;
    enum task_outcome outcome;
    char recopy[20];      /* answer to the next needs_recopy, used once; "" = none */
    bool is_sync_granted; /* that answer was given: one full sync beyond those of the hour */
    bool is_stop_forced;  /* recopy was set for a stop, once */
    bool awaits_snapshot; /* the source was asked for one: its fork may take a while */
    bool was_caught_up;   /* since the last copy */
    bool is_claimed;      /* this apply has claimed */
    bool is_troubled;     /* something is being retried; over when it was up for a second */
    int64_t up_since_ms;  /* monotonic; 0 = not up */
    uint64_t moved_then;  /* what had gone through the end in trouble when it came up */
    bool not_drained;     /* it was stopped without asking the source for its end */
    bool is_partial;      /* it was stopped before the copy was complete */
    enum task_cutover cutover;
    bool is_called_off; /* the cutover that is given up was so by a person */
    struct retry_policy policy;
    struct retry_clock clock;
    struct task_trouble trouble;
    struct task_asks asks;
    struct store_progress progress;
};

/* Take over `spec` (a reference is taken) of job, task and lease as the spec names
 * them; `progress` is what was last mirrored. Nothing is started yet.
 * Errors: IO; PROTOCOL (the spec is not one). */
MUST_CHECK bool task_run_new(json_t *spec, const struct store_progress *progress,
                             const struct retry_policy *policy, int identity_fd,
                             struct task_run **ret, struct err *err);

/* Kill what is left, close, free. NULL is fine. */
void task_run_free(struct task_run *run);

/* Begin, with what is wanted of it now. A goal that needs no child (a pause; a stop
 * of what never wrote) is reached at once. */
void task_run_start(struct task_run *run, enum task_goal goal);

/* End it for a reason that only a person can take away. */
void task_run_block(struct task_run *run, const struct err *why);

/* Something else is wanted. */
void task_run_aim(struct task_run *run, enum task_goal goal);

/* Hand the children the limits of both phases, when they are others than before. */
void task_run_limit(struct task_run *run, const struct throttle_limits *limits);

/* Its ends are reached another way now: what is being retried is tried at once. */
void task_run_again(struct task_run *run);

/* Read what a child said; call it when its socket is readable. */
void task_run_read(struct task_run *run, enum task_duty duty);

/* See whether a child has ended; call it when its pidfd is readable. */
void task_run_reap(struct task_run *run, enum task_duty duty);

/* Start what is due, kill what is late, see whether it is well. Call it at least
 * once a second and at task_run_next_ms(). */
void task_run_tick(struct task_run *run);

/* When to tick next (monotonic; INT64_MAX = nothing is due). */
int64_t task_run_next_ms(const struct task_run *run);

/* Kill every child at once: the lease is another's, or we end. */
void task_run_kill(struct task_run *run);

/* Something of the source is on the destination or on its way. */
bool task_run_has_begun(const struct task_run *run);

/* No child is alive. */
bool task_run_is_idle(const struct task_run *run);

/* Both ends are connected and work is going on. */
bool task_run_is_up(const struct task_run *run);

/* Answers. */
void task_run_go(struct task_run *run);
void task_run_lease(struct task_run *run, uint64_t lease);
void task_run_full_sync(struct task_run *run, bool is_allowed, int64_t retry_after_ms);
void task_run_records(struct task_run *run, const json_t *answer);
/* `credentials` as credentials_to_json() makes it; NULL: `why` says why not. */
void task_run_login(struct task_run *run, enum task_duty duty, const json_t *credentials,
                    const struct err *why);

/* Take the numbers of now into run->progress. */
struct gauges;
void task_run_sample(struct task_run *run, struct gauges *gauges);
