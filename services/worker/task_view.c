#include "services/worker/task_view.h"

static enum job_event when_going(const struct task_view *v) {
    switch (v->state) {
    case JOB_STARTING:
        return v->is_troubled ? JOB_EV_TROUBLE : v->is_up ? JOB_EV_RUNNING : JOB_EVENT_COUNT;
    case JOB_RUNNING:
        if (v->is_troubled)
            return JOB_EV_TROUBLE;
        if (v->full_resync)
            return JOB_EV_FULL_RESYNC;
        return v->copied ? JOB_EV_COPIED : v->caught_up ? JOB_EV_CAUGHT_UP : JOB_EVENT_COUNT;
    case JOB_RETRYING:
        return v->is_up && !v->is_troubled ? JOB_EV_RECOVERED : JOB_EVENT_COUNT;
    case JOB_CUTTING_OVER:
        return !v->is_undone      ? JOB_EVENT_COUNT
               : v->is_called_off ? JOB_EV_ABORT_CUTOVER
                                  : JOB_EV_CUTOVER_FAILED;
    default:
        return JOB_EVENT_COUNT;
    }
}

/* A full copy may be complete before the first look at it. */
static enum job_event when_completed(enum job_state state) {
    switch (state) {
    case JOB_STARTING:
        return JOB_EV_RUNNING;
    case JOB_RETRYING:
        return JOB_EV_RECOVERED;
    case JOB_RUNNING:
        return JOB_EV_COMPLETED;
    case JOB_PAUSING:
        return JOB_EV_PAUSED; /* the resume finds it complete */
    case JOB_STOPPING:
        return JOB_EV_STOPPED;
    default:
        return JOB_EVENT_COUNT;
    }
}

enum job_event task_view_next(const struct task_view *v) {
    if (v->is_forgetting)
        return v->outcome == TASK_GOING       ? JOB_EVENT_COUNT
               : v->outcome == TASK_FORGOTTEN ? JOB_EV_FORGET
                                              : JOB_EV_FORGET_FAILED;
    if (!job_state_is_active(v->state))
        return JOB_EVENT_COUNT;
    if (v->state == JOB_QUEUED)
        return JOB_EV_CLAIMED;
    switch (v->outcome) {
    case TASK_GOING:
        return when_going(v);
    case TASK_PAUSED:
        return v->state == JOB_PAUSING ? JOB_EV_PAUSED : JOB_EVENT_COUNT;
    case TASK_STOPPED:
        return v->state == JOB_STOPPING ? JOB_EV_STOPPED : JOB_EVENT_COUNT;
    case TASK_COMPLETED:
        return when_completed(v->state);
    case TASK_BLOCKED:
        return JOB_EV_BLOCK;
    case TASK_FAILED:
        return job_state_next(v->state, JOB_EV_FAIL) ? JOB_EV_FAIL : JOB_EV_BLOCK;
    case TASK_CUT_OVER:
        return v->state == JOB_CUTTING_OVER ? JOB_EV_CUT_OVER : JOB_EVENT_COUNT;
    case TASK_FORGOTTEN:
        return JOB_EVENT_COUNT;
    }
    return JOB_EVENT_COUNT;
}

bool task_view_goal(enum job_state state, bool drain_wanted, bool has_begun, enum task_goal was,
                    enum task_goal *ret_goal) {
    if (!job_state_is_active(state))
        return false;
    if (state == JOB_PAUSING) {
        *ret_goal = TASK_GOAL_PAUSE;
    } else if (state != JOB_STOPPING) {
        *ret_goal = TASK_GOAL_RUN;
    } else if (!drain_wanted || was == TASK_GOAL_STOP_NOW) {
        *ret_goal = TASK_GOAL_STOP_NOW;
    } else {
        *ret_goal =
            was == TASK_GOAL_STOP_DRAIN || has_begun ? TASK_GOAL_STOP_DRAIN : TASK_GOAL_STOP_NOW;
    }
    return true;
}
