/* task_view.h - which event a job's history needs next, from what its task has become.
 *
 * Pure. A worker asks again after each move until the answer is none, so a job that
 * completed while its control database was away still goes through every state.
 */
#pragma once

#include <stdbool.h>

#include "services/job/job_state.h"
#include "services/worker/task_run.h"

struct task_view {
    enum job_state state; /* as the control database has it */
    enum task_outcome outcome;
    bool is_up;                          /* both ends are connected */
    bool is_troubled;                    /* something is being retried */
    bool copied, caught_up, full_resync; /* happened, not yet in the history */
    bool is_forgetting;                  /* of a job that has ended: only its key is removed */
    bool is_undone, is_called_off;       /* a cutover was given up; by a person */
};

/* JOB_EVENT_COUNT = nothing to say. */
enum job_event task_view_next(const struct task_view *view);

/* What a worker aims at for a job in that state. False: it has no business with it.
 * `was` is the goal of the run until now. A stop drains unless the person said not to;
 * of a copy that has not begun (`has_begun`) there is nothing to drain. */
bool task_view_goal(enum job_state state, bool drain_wanted, bool has_begun, enum task_goal was,
                    enum task_goal *ret_goal);
