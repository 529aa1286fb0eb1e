/* worker_pace.h - how fast the children of a task may go now.
 *
 * Not pure: clocks, and the control block. The limits of a job change by themselves with
 * its schedule (throttle_plan.h), and with how its ends answer when it is adaptive.
 */
#pragma once

#include "services/worker/task_run.h"

struct pace {
    int64_t due_ms; /* monotonic: when to look again; 0 = at once */
    bool copies;    /* what the following numbers are of */
    uint64_t moved, cap;
    uint32_t unused;
    int64_t moved_ms;
    uint32_t class_cap;            /* commands a second of the job's class; 0 = none */
    uint64_t role_rps, role_bytes; /* what roles let through in a second; 0 = no limit */
};

/* Look, when it is time, and tell the children. Call it often. */
void worker_pace(struct pace *pace, const json_t *throttle, struct task_run *run);

/* One second of an adaptive job: a slow one halves what may be moved, a quick one adds a quarter
 * (as TCP shares a link). Ten quick ones in which not half of it was used take the cap away
 * again. `rate` is what was moved per second. Pure. */
void worker_pace_step(struct pace *pace, bool is_slow, uint64_t rate);
