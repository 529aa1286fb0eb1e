#include <stdio.h>
#include <string.h>

#include "services/common/clock.h"
#include "services/common/log.h"
#include "services/worker/attention.h"
#include "services/worker/task_cutover.h"
#include "services/worker/task_inner.h"
#include "services/worker/worker_secret.h"

enum { LAST_BREATH_MS = 2000 };

static const char *const targets[TASK_DUTIES] = {"destination", "source"};

static void note_trouble(struct task_run *run, const char *target, enum err_code code,
                         const char *detail) {
    struct task_trouble *t = &run->trouble;

    t->code = code;
    t->at_ms = clock_wall_ms();
    t->version++;
    snprintf(t->target, sizeof(t->target), "%s", target);
    snprintf(t->detail, sizeof(t->detail), "%s", detail);
    log_event(LOG_LEVEL_WARN, "task.trouble", LOG_TEXT("job", run->job),
              LOG_TEXT("code", err_slug(code)), LOG_TEXT("target", target),
              LOG_STR("detail", str_from(detail)));
}

/* Runs the clock and says when the child may try again; false: it ran out. */
bool task_trouble_later(struct task_run *run, struct task_child *child, const char *target,
                        enum err_code code, const char *detail) {
    int64_t now = clock_wall_ms();

    note_trouble(run, target, code, detail);
    run->is_troubled = true;
    if (!retry_clock_failed(&run->clock, &run->policy, code, now, backoff_random())) {
        task_inner_settle(run, TASK_FAILED);
        return false;
    }
    task_inner_due(child, run->clock.next_ms - now);
    return true;
}

/* What was wanted has been done by a child whose end was not seen: it set the seal.
 * TASK_GOING: the seal is another's. */
static enum task_outcome sealed_outcome(const struct task_run *run, const char *sealed) {
    if (run->goal == TASK_GOAL_STOP_DRAIN || run->goal == TASK_GOAL_STOP_NOW)
        return TASK_STOPPED;
    if (run->cutover != TASK_CUTOVER_NONE && sealed && strcmp(sealed, "done") == 0)
        return TASK_CUT_OVER;
    return !run->incremental && run->claimed_before && sealed && strcmp(sealed, "done") == 0
               ? TASK_COMPLETED
               : TASK_GOING;
}

/* A cutover's seal, behind which expiries may still be held: it is gone on with where one
 * was going on, or where the job is being ended anyway. */
static bool is_unsettled(const struct task_run *run, const char *sealed) {
    return sealed && strcmp(sealed, "sealed") == 0 &&
           (run->cutover != TASK_CUTOVER_NONE || run->goal == TASK_GOAL_STOP_DRAIN ||
            run->goal == TASK_GOAL_STOP_NOW);
}

/* The person who resumed the job has answered this question already: once. */
static void answer_recopy(struct task_run *run, enum err_code code, const char *detail) {
    log_event(LOG_LEVEL_WARN, "task.recopies", LOG_TEXT("job", run->job),
              LOG_TEXT("how", run->recopy), LOG_TEXT("code", err_slug(code)),
              LOG_STR("detail", str_from(detail)));
    json_object_set_new(run->spec, "recopy", json_string(run->recopy));
    run->recopy[0] = '\0';
    run->is_sync_granted = true;
    task_inner_restart(run, 0);
}

/* A stop without a drain ends what can never go on: a position is made anew, nothing is
 * copied, held expiries are settled and the seal is set. A stop that drains is not
 * forced: the person must hear first that the drain cannot be had. */
static void force_stop(struct task_run *run) {
    run->is_stop_forced = true;
    snprintf(run->recopy, sizeof(run->recopy), "overwrite");
}

/* What was shown of a damaged spool still stands in the control block: an apply that starts
 * again would read it once more, and end once more, before receive has begun another. */
static void forget_spool(struct task_run *run) {
    struct control_block *block = run->control;

    task_run_kill(run);
    atomic_store(&block->snapshot_generation, 0);
    atomic_store(&block->snapshot_bytes, 0);
    atomic_store(&block->snapshot_complete, 0);
    atomic_store(&block->stream_end, 0);
    atomic_store(&block->stream_start, 0);
}

void task_run_block(struct task_run *run, const struct err *why) {
    char detail[sizeof(run->trouble.detail)];

    if (run->outcome != TASK_GOING || run->goal == TASK_GOAL_PAUSE)
        return;
    err_format(why, detail, sizeof(detail));
    note_trouble(run, "source", why->code, detail);
    task_inner_settle(run, TASK_BLOCKED);
}

/* A login that a file holds may be put right there at any time, so it is waited for. So is a
 * right that the destination's account had as long as changes were applied: whoever took it away
 * gives it back. The unit that was refused was so as a whole; of one that was refused in parts the
 * code is DIVERGED, which no right puts right. */
static enum err_retry class_of(const struct task_run *run, enum err_code code) {
    const char *end = code == ERR_SOURCE_AUTH ? "source"
                      : code == ERR_DEST_AUTH ? "destination"
                                              : NULL;

    if (code == ERR_DEST_NOPERM && strcmp(run->progress.position_state, "tail") == 0)
        return RETRY_LATER;
    return end && worker_secret_is_of_file(run->spec, end) ? RETRY_LATER : err_retry_class(code);
}

void task_trouble_error(struct task_run *run, enum task_duty duty, const struct child_error *why) {
    struct task_child *child = &run->child[duty];
    const char *detail = why->detail;
    enum err_code code = why->code;

    child->said_error = true;
    child->kill_ms = clock_mono_ms() + LAST_BREATH_MS; /* it was about to end */
    if (run->outcome != TASK_GOING || run->goal == TASK_GOAL_PAUSE)
        return;
    if (code == ERR_SEALED && is_unsettled(run, why->sealed)) {
        task_cutover_sealed(run, true);
        return;
    }
    if (code == ERR_SEALED && sealed_outcome(run, why->sealed) != TASK_GOING) {
        if (sealed_outcome(run, why->sealed) == TASK_CUT_OVER)
            task_cutover_sealed(run, false);
        task_inner_settle(run, sealed_outcome(run, why->sealed));
        return;
    }
    task_cutover_give_up(run, err_slug(code), detail);
    switch (class_of(run, code)) {
    case RETRY_NEVER:
        if (run->goal == TASK_GOAL_STOP_NOW && !run->is_stop_forced &&
            attention_offers_recopy(code))
            force_stop(run);
        if (run->recopy[0] && attention_offers_recopy(code)) {
            answer_recopy(run, code, detail);
            return;
        }
        note_trouble(run, targets[duty], code, detail);
        task_inner_settle(run, TASK_BLOCKED);
        return;
    case RETRY_LATER:
        (void)task_trouble_later(run, child, targets[duty], code, detail);
        return;
    case RETRY_NOW:
        break;
    }
    log_event(LOG_LEVEL_INFO, "task.starts-over", LOG_TEXT("job", run->job),
              LOG_TEXT("code", err_slug(code)), LOG_STR("detail", str_from(detail)));
    if (code == ERR_LEASE_BEHIND && why->lease >= run->lease) {
        task_run_kill(run);
        run->asks.lease_above = why->lease; /* task_run_lease() starts it again */
        return;
    }
    run->asks.lease_check = true;
    child->deaths++;
    if (code == ERR_SPOOL_CORRUPT)
        forget_spool(run);
    if (child->deaths > TASK_DEATHS_MAX) {
        /* A lost race that is lost every time is no race. */
        if (task_trouble_later(run, &run->child[TASK_APPLY], targets[duty], ERR_INTERNAL, detail)) {
            int64_t wait = run->child[TASK_APPLY].due_ms - clock_mono_ms();

            task_inner_restart(run, wait);
        }
        return;
    }
    task_inner_restart(run, task_inner_pause(child->deaths));
}
