#include "services/worker/task_cutover.h"

#include <stdio.h>
#include <string.h>

#include "services/common/log.h"
#include "services/worker/task_inner.h"

static uint64_t number_or(const json_t *object, const char *name, uint64_t fallback) {
    const json_t *value = json_object_get(object, name);

    return json_is_integer(value) && json_integer_value(value) >= 0
               ? (uint64_t)json_integer_value(value)
               : fallback;
}

void task_cutover_begin(struct task_run *run, const json_t *wanted) {
    const json_t *how = json_object_get(wanted, "cutover");
    const char *pause = json_string_value(json_object_get(how, "pause_source"));
    struct control_block *block = run->control;
    struct store_progress *p = &run->progress;

    if (run->cutover != TASK_CUTOVER_NONE || run->outcome != TASK_GOING)
        return;
    run->cutover = TASK_CUTOVER_GOING;
    run->is_called_off = false;
    p->cutover_because[0] = p->cutover_detail[0] = '\0';
    p->cutover_source_offset = p->cutover_applied_offset = p->cutover_pause_ms = 0;
    p->cutover_deadline_ms = p->cutover_stray_writes = 0;
    atomic_store(&block->cutover_pauses, pause && strcmp(pause, "client_pause") == 0 ? 1u : 0u);
    atomic_store(&block->cutover_lag_bytes_max, number_or(how, "handoff_max_lag_bytes", 1 << 20));
    atomic_store(&block->cutover_pause_ms_max, number_or(how, "write_pause_timeout_ms", 10000));
    atomic_store(&block->cutover_write_pause_ms, 0);
    atomic_store(&block->cutover_paused_at_ms, 0);
    atomic_store(&block->cutover_goal, 0);
    atomic_store(&block->cutover_stray_writes, 0);
    atomic_store(&block->cutover_step, CUTOVER_IDLE);
    atomic_store(&block->seal, SEAL_OPEN);
    log_event(LOG_LEVEL_INFO, "cutover.begins", LOG_TEXT("job", run->job),
              LOG_TEXT("pause_source", pause ? pause : "none"));
    task_run_aim(run, TASK_GOAL_CUTOVER);
}

void task_cutover_found(struct task_run *run) {
    run->cutover = TASK_CUTOVER_GOING;
    atomic_store(&run->control->seal, SEAL_TRYING);
    task_cutover_give_up(run, "interrupted", "the worker that carried it out was lost");
}

void task_cutover_call_off(struct task_run *run) {
    if (run->cutover != TASK_CUTOVER_GOING)
        return;
    run->is_called_off = true;
    task_cutover_give_up(run, "called_off", "");
}

void task_cutover_give_up(struct task_run *run, const char *because, const char *detail) {
    struct store_progress *p = &run->progress;

    if (run->cutover != TASK_CUTOVER_GOING)
        return;
    run->cutover = TASK_CUTOVER_GIVING_UP;
    snprintf(p->cutover_because, sizeof(p->cutover_because), "%s", because);
    snprintf(p->cutover_detail, sizeof(p->cutover_detail), "%s", detail);
    log_event(LOG_LEVEL_WARN, "cutover.given-up", LOG_TEXT("job", run->job),
              LOG_TEXT("because", because), LOG_STR("detail", str_from(detail)));
    /* The wish is taken back first, then the seal is looked at: control.h. */
    if (run->goal == TASK_GOAL_CUTOVER)
        task_run_aim(run, TASK_GOAL_RUN);
}

bool task_cutover_is_undone(const struct task_run *run) {
    return run->cutover == TASK_CUTOVER_GIVING_UP && atomic_load(&run->control->seal) == SEAL_OPEN;
}

void task_cutover_forget(struct task_run *run) {
    if (run->cutover == TASK_CUTOVER_GIVING_UP)
        run->cutover = TASK_CUTOVER_NONE;
}

void task_cutover_is_open(struct task_run *run) {
    if (atomic_load(&run->control->seal) == SEAL_TRYING)
        atomic_store(&run->control->seal, SEAL_OPEN);
}

void task_cutover_sealed(struct task_run *run, bool errand) {
    if (run->cutover != TASK_CUTOVER_SEALED)
        log_event(LOG_LEVEL_INFO, "cutover.sealed", LOG_TEXT("job", run->job));
    run->cutover = TASK_CUTOVER_SEALED;
    run->progress.cutover_because[0] = run->progress.cutover_detail[0] = '\0';
    atomic_store(&run->control->seal, SEAL_SET);
    if (strcmp(run->progress.position_state, "done") != 0)
        snprintf(run->progress.position_state, sizeof(run->progress.position_state), "sealed");
    if (run->goal == TASK_GOAL_RUN)
        task_run_aim(run, TASK_GOAL_CUTOVER);
    if (errand)
        task_inner_restart(run, 0);
}

static const char *state_of(const struct task_run *run) {
    switch ((enum control_cutover)atomic_load(&run->control->cutover_step)) {
    case CUTOVER_LAG:
        return "waiting_for_lag";
    case CUTOVER_DRAINING:
    case CUTOVER_MAY_SEAL:
        return atomic_load(&run->control->cutover_paused_at_ms) ? "paused" : "draining";
    default:
        return "preparing";
    }
}

void task_cutover_report(struct task_run *run) {
    const struct control_block *block = run->control;
    struct store_progress *p = &run->progress;
    const char *state = "";
    uint64_t paused_at = atomic_load(&block->cutover_paused_at_ms);

    switch (run->cutover) {
    case TASK_CUTOVER_NONE:
        return;
    case TASK_CUTOVER_GOING:
        state = state_of(run);
        break;
    case TASK_CUTOVER_GIVING_UP:
        state = "aborted";
        break;
    case TASK_CUTOVER_SEALED:
        state = run->outcome == TASK_CUT_OVER ? "sealed" : "settling";
        break;
    }
    snprintf(p->cutover_state, sizeof(p->cutover_state), "%s", state);
    if (atomic_load(&block->cutover_goal) > 0) {
        p->cutover_source_offset = (int64_t)atomic_load(&block->cutover_goal);
        p->cutover_applied_offset = (int64_t)atomic_load(&block->applied_offset);
    }
    if (atomic_load(&block->cutover_write_pause_ms) > 0)
        p->cutover_pause_ms = (int64_t)atomic_load(&block->cutover_write_pause_ms);
    if (atomic_load(&block->cutover_stray_writes) > 0)
        p->cutover_stray_writes = (int64_t)atomic_load(&block->cutover_stray_writes);
    if (paused_at > 0)
        p->cutover_deadline_ms = (int64_t)(paused_at + atomic_load(&block->cutover_pause_ms_max));
}
