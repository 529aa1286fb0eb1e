/* What is wanted of a task, and how its children hear of it. */
#include "services/common/clock.h"
#include "services/worker/task_inner.h"

static void set_want(struct task_run *run, enum control_want want) {
    atomic_store_explicit(&run->control->want, want, memory_order_release);
    control_bell_ring(run->apply_bell, &run->control->apply_sleeps);
    control_bell_ring(run->receive_bell, &run->control->receive_sleeps);
}

void task_run_start(struct task_run *run, enum task_goal goal) {
    run->outcome = TASK_GOING;
    run->goal = TASK_GOAL_RUN;
    task_inner_due(&run->child[TASK_APPLY], 0);
    if (goal != TASK_GOAL_RUN)
        task_run_aim(run, goal);
    else
        set_want(run, CONTROL_RUN);
}

void task_run_aim(struct task_run *run, enum task_goal goal) {
    static const enum control_want wants[] = {CONTROL_RUN,      CONTROL_PAUSE,   CONTROL_STOP_DRAIN,
                                              CONTROL_STOP_NOW, CONTROL_CUTOVER, CONTROL_RUN};
    bool was_paused = run->goal == TASK_GOAL_PAUSE || run->outcome == TASK_PAUSED;
    int64_t now = clock_mono_ms();

    if (run->goal == goal || (run->outcome != TASK_GOING && run->outcome != TASK_PAUSED))
        return;
    run->goal = goal;
    run->outcome = TASK_GOING;
    set_want(run, wants[goal]);
    if (goal == TASK_GOAL_PAUSE) {
        for (int i = 0; i < TASK_DUTIES; i++) {
            run->child[i].is_due = false;
            run->child[i].kill_ms = now + TASK_PAUSE_PATIENCE_MS;
        }
        if (task_run_is_idle(run))
            task_inner_settle(run, TASK_PAUSED);
        return;
    }
    if ((goal == TASK_GOAL_STOP_DRAIN || goal == TASK_GOAL_STOP_NOW) && !run->claimed_before &&
        !run->asks.go && task_run_is_idle(run)) {
        task_inner_settle(run,
                          TASK_STOPPED); /* it never wrote: nothing is to be settled or sealed */
        return;
    }
    run->not_drained = goal == TASK_GOAL_STOP_NOW;
    if (goal == TASK_GOAL_STOP_NOW) {
        run->child[TASK_RECEIVE].is_due = false;
        run->child[TASK_RECEIVE].kill_ms = now + TASK_PAUSE_PATIENCE_MS;
    }
    /* Children on their way out are waited for: their end starts apply again. */
    if (run->child[TASK_APPLY].process.pid == 0 && (was_paused || !run->child[TASK_APPLY].is_due))
        task_inner_due(&run->child[TASK_APPLY], 0);
    run->child[TASK_APPLY].kill_ms = 0;
    if (goal != TASK_GOAL_STOP_NOW)
        run->child[TASK_RECEIVE].kill_ms = 0;
}

static bool set_limit(_Atomic uint64_t *limit, uint64_t to) {
    return atomic_exchange(limit, to) != to;
}

void task_run_limit(struct task_run *run, const struct throttle_limits *limits) {
    struct control_block *block = run->control;
    bool changed = set_limit(&block->full_bytes_per_second_max, limits->full_bytes);

    changed |= set_limit(&block->full_keys_per_second_max, limits->full_keys);
    changed |= set_limit(&block->full_source_commands_per_second_max, limits->full_source_commands);
    changed |= set_limit(&block->tail_bytes_per_second_max, limits->tail_bytes);
    changed |= set_limit(&block->tail_commands_per_second_max, limits->tail_commands);
    if (changed)
        control_bell_ring(run->apply_bell, &block->apply_sleeps);
}

void task_run_again(struct task_run *run) {
    if (run->outcome == TASK_GOING && run->is_troubled && run->goal != TASK_GOAL_PAUSE)
        task_inner_restart(run, 0);
}
