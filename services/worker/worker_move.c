#include "services/worker/worker_move.h"

#include <stdio.h>
#include <string.h>

#include "services/common/clock.h"
#include "services/common/failpoint.h"
#include "services/common/log.h"
#include "services/common/metric.h"
#include "services/job/job_control.h"
#include "services/worker/attention.h"
#include "services/worker/task_cutover.h"
#include "services/worker/task_view.h"

enum job_event worker_move_next(const struct worker_task *task) {
    const struct task_run *run = task->run;
    const struct task_view view = {
        .state = task->state,
        .outcome = run->outcome,
        .is_up = task_run_is_up(run),
        .is_troubled = run->is_troubled,
        /* A full-only job says it when it is completed. */
        .copied = run->asks.copied && run->incremental,
        .caught_up = run->asks.caught_up,
        .full_resync = run->asks.full_resync,
        .is_undone = task_cutover_is_undone(run),
        .is_called_off = run->is_called_off,
        .is_forgetting = task->is_forgetting,
    };

    return task_view_next(&view);
}

/* The answer to needs_recopy was used, or was not needed: the next time is asked anew. */
static bool uses_up_recopy(const struct task_run *run, enum job_event event) {
    return event == JOB_EV_COPIED || event == JOB_EV_COMPLETED ||
           (event == JOB_EV_RUNNING &&
            atomic_load_explicit(&run->control->link, memory_order_relaxed) == CONTROL_LINK_STREAM);
}

struct extras {
    struct store_lease lease;
    char since[CLOCK_RFC3339_SIZE], actor[STORE_ID_SIZE + 8];
    json_t *attention, *retry_state, *wanted;
};

static void extras_done(struct extras *x) {
    json_decref(x->attention);
    json_decref(x->retry_state);
    json_decref(x->wanted);
}

static bool ends_retrying(enum job_event event) {
    return event == JOB_EV_BLOCK || event == JOB_EV_FAIL || event == JOB_EV_RECOVERED ||
           event == JOB_EV_STOPPED || event == JOB_EV_PAUSED || event == JOB_EV_COMPLETED ||
           event == JOB_EV_CUT_OVER || event == JOB_EV_FORGET || event == JOB_EV_FORGET_FAILED;
}

static const char *what_is_missing(const struct task_run *run) {
    if (!task_run_has_begun(run))
        return "not drained: the copy had not begun";
    return run->is_partial ? "not drained: the copy was not complete"
                           : "not drained: what the source wrote last may be missing";
}

static void describe(const struct worker *worker, const struct worker_task *task,
                     enum job_event event, struct extras *x, struct job_move *move) {
    const struct task_run *run = task->run;
    const struct task_trouble *trouble = &run->trouble;

    snprintf(x->actor, sizeof(x->actor), "worker:%s", worker->identity->id);
    x->lease = worker_task_lease(worker, task);
    *move = (struct job_move){.actor = x->actor, .lease = &x->lease};
    if (event == JOB_EV_TROUBLE) {
        x->retry_state =
            retry_clock_to_json(&run->clock, trouble->target, trouble->code, trouble->detail);
    } else if (ends_retrying(event)) {
        x->retry_state = json_null();
    }
    if (event == JOB_EV_BLOCK) {
        clock_rfc3339(trouble->at_ms, x->since);
        x->attention = attention_of(trouble->code, x->since, trouble->detail);
    }
    if (event == JOB_EV_BLOCK || event == JOB_EV_FAIL || event == JOB_EV_TROUBLE) {
        move->error_code = err_slug(trouble->code);
        move->error_detail = move->detail = trouble->detail;
    }
    if (event == JOB_EV_FORGET_FAILED) {
        move->error_code = err_slug(trouble->code);
        move->error_detail = move->detail = trouble->detail;
    }
    if (event == JOB_EV_FORGET || event == JOB_EV_FORGET_FAILED)
        x->wanted = json_pack("{s:n}", "forget");
    if (event == JOB_EV_CUTOVER_FAILED || event == JOB_EV_ABORT_CUTOVER)
        move->detail = run->progress.cutover_detail[0] ? run->progress.cutover_detail : NULL;
    if (event == JOB_EV_STOPPED && run->not_drained && run->claimed_before)
        move->detail = what_is_missing(run);
    if (uses_up_recopy(run, event))
        x->wanted = json_pack("{s:n}", "on_full_resync_needed");
    move->attention = x->attention;
    move->retry_state = x->retry_state;
    move->wanted = x->wanted;
}

static void was_moved(struct worker_task *task, enum job_event event, const struct job_edge *edge) {
    struct task_run *run = task->run;

    task->state = edge->to;
    log_event(LOG_LEVEL_INFO, "job.moved", LOG_TEXT("job", run->job),
              LOG_TEXT("event", job_state_event_name(event)),
              LOG_TEXT("state", job_state_name(edge->to)));
    if (event == JOB_EV_COPIED)
        run->asks.copied = false;
    else if (event == JOB_EV_CAUGHT_UP)
        run->asks.caught_up = false;
    else if (event == JOB_EV_FULL_RESYNC)
        run->asks.full_resync = false;
    if (event == JOB_EV_CUTOVER_FAILED || event == JOB_EV_ABORT_CUTOVER)
        task_cutover_forget(run);
    if (event == JOB_EV_FORGET || event == JOB_EV_FORGET_FAILED)
        task->is_forgetting = false;
    if (event == JOB_EV_TROUBLE || event == JOB_EV_BLOCK || event == JOB_EV_FAIL ||
        event == JOB_EV_FORGET_FAILED)
        task->noted = run->trouble.version;
    if (event == JOB_EV_TROUBLE || ends_retrying(event))
        task->shows_retry = event == JOB_EV_TROUBLE;
    if (uses_up_recopy(run, event))
        run->recopy[0] = '\0';
}

static bool move_one(struct worker *worker, struct worker_task *task, enum job_event event,
                     struct err *err) {
    const struct job_edge *edge = NULL;
    struct extras x = {.attention = NULL};
    struct job_move move;
    bool ok;

    describe(worker, task, event, &x, &move);
    failpoint_pass(FAILPOINT_WORKER_MOVES);
    ok = job_control_move(worker->store, task->run->job, event, &move, &edge, err);
    extras_done(&x);
    if (ok) {
        failpoint_pass(FAILPOINT_WORKER_MOVED);
        was_moved(task, event, edge);
        return true;
    }
    switch (err->code) {
    case ERR_FENCED:
    case ERR_NOT_FOUND:
        metric_add(METRIC_LEASES_LOST, 1);
        task_run_kill(task->run);
        task->is_gone = true;
        break;
    case ERR_INVALID_STATE: /* a person was first: the next report says what is wanted now */
        task->is_state_known = false;
        worker->wants_report = true;
        break;
    default:
        return false;
    }
    log_event(LOG_LEVEL_INFO, "job.not-moved", LOG_TEXT("job", task->run->job), LOG_ERR(err));
    err_clear(err);
    return true;
}

bool worker_move_has_note(const struct worker_task *task) {
    return task->noted != task->run->trouble.version ||
           (task->shows_retry && !task->run->is_troubled && task_run_is_up(task->run));
}

/* An attempt that failed again moves nothing and is worth knowing, and so is that it goes on. */
static bool note_trouble(struct worker *worker, struct worker_task *task, struct err *err) {
    const struct task_run *run = task->run;
    bool is_new = task->noted != run->trouble.version;
    struct store_lease lease = worker_task_lease(worker, task);
    json_t *state;
    bool ok;

    if (!worker_move_has_note(task))
        return true;
    state = run->is_troubled ? retry_clock_to_json(&run->clock, run->trouble.target,
                                                   run->trouble.code, run->trouble.detail)
                             : json_null();
    ok = store_job_note(worker->store, &lease, is_new ? err_slug(run->trouble.code) : NULL,
                        run->trouble.detail, state, err);
    json_decref(state);
    if (ok) {
        task->noted = run->trouble.version;
        task->shows_retry = run->is_troubled;
    } else if (err->code == ERR_FENCED) {
        worker->wants_report = true; /* which finds it out and gives the task up */
        err_clear(err);
        return true;
    }
    return ok;
}

bool worker_move_all(struct worker *worker, struct worker_task *task, struct err *err) {
    enum job_event event;

    while (!task->is_gone && task->is_state_known &&
           (event = worker_move_next(task)) != JOB_EVENT_COUNT) {
        if (!move_one(worker, task, event, err))
            return false;
    }
    return task->is_gone || !task->is_state_known || note_trouble(worker, task, err);
}

bool worker_move_refuse_claim(struct worker *worker, const struct store_claim *claim,
                              enum job_state state, const struct err *why, struct err *err) {
    char actor[STORE_ID_SIZE + 8], detail[400], since[CLOCK_RFC3339_SIZE];
    const struct store_lease lease = {.worker = worker->identity->id,
                                      .job = claim->job,
                                      .task = claim->task,
                                      .epoch = claim->lease_epoch};
    struct job_move move = {.actor = actor, .lease = &lease};
    bool ok = true;

    snprintf(actor, sizeof(actor), "worker:%s", worker->identity->id);
    err_format(why, detail, sizeof(detail));
    clock_rfc3339(clock_wall_ms(), since);
    if (state == JOB_QUEUED)
        ok = job_control_move(worker->store, claim->job, JOB_EV_CLAIMED, &move, NULL, err);
    if (ok) {
        json_t *attention = attention_of(why->code, since, detail);

        move.attention = attention;
        move.error_code = err_slug(why->code);
        move.error_detail = move.detail = detail;
        ok = job_control_move(worker->store, claim->job, JOB_EV_BLOCK, &move, NULL, err);
        json_decref(attention);
    }
    /* Whoever was first, the claim is not kept. */
    if (!ok && err->code != ERR_STORE) {
        err_clear(err);
        ok = true;
    }
    return ok && store_task_release(worker->store, &lease, err);
}
