#include "services/worker/worker_task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/common/clock.h"
#include "services/common/failpoint.h"
#include "services/common/log.h"
#include "services/common/metric.h"
#include "services/job/job_class.h"
#include "services/job/job_control.h"
#include "services/worker/attention.h"
#include "services/worker/task_cutover.h"
#include "services/worker/task_order.h"
#include "services/worker/task_spool.h"
#include "services/worker/task_view.h"
#include "services/worker/worker_facts.h"
#include "services/worker/worker_full_sync.h"
#include "services/worker/worker_move.h"
#include "services/worker/worker_records.h"
#include "services/worker/worker_series.h"
#include "services/worker/worker_task_login.h"

/* ---- what is wanted ---- */

static bool drain_of(const json_t *wanted) {
    return !json_is_false(json_object_get(wanted, "drain"));
}

static void give_up(struct worker_task *task) {
    task_run_kill(task->run);
    task->is_gone = true;
}

static void heed(struct worker_task *task, const char *state_name, const json_t *wanted) {
    struct task_run *run = task->run;
    enum job_state state;
    enum task_goal goal;

    /* What is wanted of one that is being handed over, its next worker heeds. */
    if (!job_state_parse(state_name, &state) || task->is_leaving)
        return;
    task->drain_wanted = drain_of(wanted);
    task->is_state_known = true;
    if (state == JOB_CUTTING_OVER) {
        task->state = state;
        if (json_is_true(json_object_get(wanted, "abort_cutover")))
            task_cutover_call_off(run);
        else
            task_cutover_begin(run, wanted);
        return;
    }
    /* A move back to running whose commit was in doubt has happened. */
    task_cutover_forget(run);
    task->state = state;
    /* Else it moved on without us, or our own move had been committed after all. */
    if (task_view_goal(state, task->drain_wanted, task_run_has_begun(run), run->goal, &goal))
        task_run_aim(run, goal);
}

/* The job was changed: credentials, addresses, limits, retry times. */
static bool refresh(struct worker *worker, struct worker_task *task, int64_t version,
                    struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    struct err why = ERR_INIT;
    bool ok = store_job_get(worker->store, NULL, task->run->job, &job, err), changed = false;

    if (!ok && err->code == ERR_NOT_FOUND) {
        err_clear(err);
        give_up(task);
        return true;
    }
    if (!ok)
        return false;
    json_decref(task->spec);
    task->spec = json_incref(job.spec);
    if (!task_order_ends(task->spec, task->run->spec, &changed, &why))
        log_event(LOG_LEVEL_ERROR, "task.keeps-its-ends", LOG_TEXT("job", task->run->job),
                  LOG_ERR(&why));
    changed |= !str_equal(buf_str(&task->sealed), buf_str(&job.sealed));
    buf_done(&task->sealed);
    task->sealed = job.sealed;
    job.sealed = BUF_INIT(STORE_SEALED_MAX);
    if (changed)
        task_run_again(task->run);
    task_order_policy(task->spec, &task->run->policy);
    task->pace.due_ms = 0;
    task->version = version;
    task->pace.class_cap = job_class_cap(job.instance_class);
    store_job_done(&job);
    return true;
}

/* ---- open and close ---- */

static bool make_run(struct worker *worker, const struct store_claim *claim, struct task_run **ret,
                     struct err *err) {
    char spool[512];
    struct task_order order = {
        .job = claim->job,
        .task = (uint32_t)claim->task,
        .lease = (uint64_t)claim->lease_epoch,
        .claimed_before = claim->claimed_before,
        .spool_dir = spool,
        .spool_quota_bytes = (uint64_t)worker->config->spool_quota_bytes,
        .piece_bytes = (uint64_t)worker->config->piece_bytes,
        .transaction_bytes = (uint64_t)worker->config->transaction_bytes,
        .import_dir = worker->config->import_dir,
        .faults = worker->faults,
    };
    const char *recopy = json_string_value(json_object_get(claim->wanted, "on_full_resync_needed"));
    struct retry_policy policy;
    json_t *message = NULL;
    bool ok;

    if (!task_spool_make(worker->identity->spool_dir, order.job, order.task, spool, sizeof(spool),
                         err) ||
        !task_order_make(&order, claim->spec, &message, err))
        return false;
    task_order_policy(claim->spec, &policy);
    ok = task_run_new(message, &claim->progress, &policy, worker->identity->lock_fd, ret, err);
    json_decref(message);
    if (!ok)
        return false;
    (*ret)->progress.spool_quota_bytes = worker->config->spool_quota_bytes;
    if (recopy && strcmp(recopy, "fail") != 0)
        snprintf((*ret)->recopy, sizeof((*ret)->recopy), "%s", recopy);
    return true;
}

struct store_lease worker_task_lease(const struct worker *worker, const struct worker_task *task) {
    return (struct store_lease){.worker = worker->identity->id,
                                .job = task->run->job,
                                .task = (int)task->run->task,
                                .epoch = (int64_t)task->run->lease};
}

static bool give_back(struct worker *worker, const struct store_claim *claim, struct err *err) {
    const struct store_lease lease = {.worker = worker->identity->id,
                                      .job = claim->job,
                                      .task = claim->task,
                                      .epoch = claim->lease_epoch};

    return store_task_release(worker->store, &lease, err);
}

/* Where the stream itself asked, it asks again at the same place: the answer goes before. Once it
 * is carried out, and a copy is at work, nothing is asked: it would begin anew with every worker.
 */
static void answer_stream(struct task_run *run, const json_t *last_error) {
    const char *slug = json_string_value(json_object_get(last_error, "code"));
    enum err_code code = slug ? err_from_slug(slug) : ERR_NONE;

    if (!run->recopy[0] || strcmp(run->progress.position_state, "tail") != 0 ||
        (code != ERR_SELECTION_CROSSED && code != ERR_PROTOCOL))
        return;
    json_object_set_new(run->spec, "recopy", json_string(run->recopy));
    run->recopy[0] = '\0';
}

bool worker_task_open(struct worker *worker, struct store_claim *claim,
                      struct worker_task **ret_task, struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    struct worker_task *task;
    struct task_run *run = NULL;
    struct err why = ERR_INIT;
    enum job_state state;
    enum task_goal goal;

    *ret_task = NULL;
    if (!job_state_parse(claim->state, &state))
        return give_back(worker, claim, err);
    if (!make_run(worker, claim, &run, &why)) {
        log_event(LOG_LEVEL_ERROR, "task.cannot-run", LOG_TEXT("job", claim->job), LOG_ERR(&why));
        return worker_move_refuse_claim(worker, claim, state, &why, err);
    }
    if (!store_job_get(worker->store, NULL, claim->job, &job, err)) {
        task_run_free(run);
        return false;
    }
    retry_clock_from_json(job.retry_state, &run->clock);
    answer_stream(run, job.last_error);
    task = calloc(1, sizeof(*task));
    if (!task)
        abort();
    task->run = run;
    task->state = state;
    task->is_state_known = true;
    task->version = job.version;
    task->shows_retry = job.retry_state != NULL;
    task->drain_wanted = drain_of(claim->wanted);
    task->spec = json_incref(claim->spec);
    task->facts[0] = json_incref(job.source_facts);
    task->facts[1] = json_incref(job.destination_facts);
    worker_task_login_init(task);
    task->sealed = claim->sealed;
    claim->sealed = BUF_INIT(STORE_SEALED_MAX);
    task->pace.class_cap = job_class_cap(job.instance_class);
    store_job_done(&job);
    log_event(LOG_LEVEL_INFO, "task.claimed", LOG_TEXT("job", claim->job),
              LOG_TEXT("state", claim->state), LOG_INT("lease", claim->lease_epoch));
    if (!worker_records_look(worker, task, err)) {
        worker_task_free(task);
        return false;
    }
    worker_pace(&task->pace, json_object_get(task->spec, "throttle"), run);
    task->is_forgetting =
        job_state_is_final(state) && json_is_true(json_object_get(claim->wanted, "forget"));
    if (task->is_forgetting)
        task_run_start(run, TASK_GOAL_FORGET);
    else if (task_view_goal(state, task->drain_wanted, task_run_has_begun(run), TASK_GOAL_RUN,
                            &goal))
        task_run_start(run, goal);
    if (state == JOB_CUTTING_OVER)
        task_cutover_found(run);
    *ret_task = task;
    return true;
}

void worker_task_free(struct worker_task *task) {
    if (!task)
        return;
    task_run_free(task->run);
    json_decref(task->facts[0]);
    json_decref(task->facts[1]);
    json_decref(task->spec);
    buf_done(&task->sealed);
    worker_task_login_done(task);
    free(task->series);
    free(task);
}

/* ---- answers ---- */

void worker_task_answer(struct worker *worker, struct worker_task *task) {
    worker_pace(&task->pace, json_object_get(task->spec, "throttle"), task->run);
    for (int duty = 0; duty < TASK_DUTIES; duty++) {
        if (task->run->child[duty].asks_login)
            worker_task_login(worker, task, (enum task_duty)duty);
    }
    if (task->run->asks.lease_check) {
        task->run->asks.lease_check = false;
        worker->wants_report = true;
    }
}

/* Nothing is left to be done for the job. */
static bool is_over(const struct worker_task *task) {
    return !job_state_is_active(task->state) && !task->is_forgetting;
}

/* Its children ended at the border of a unit, for another worker to go on. */
static bool is_handed_over(const struct worker_task *task) {
    return task->is_leaving && task->run->outcome == TASK_PAUSED;
}

bool worker_task_has_news(const struct worker_task *task) {
    const struct task_asks *asks = &task->run->asks;

    return worker_task_login_watch_due(task) || asks->go || asks->lease_above || asks->full_sync ||
           asks->records || asks->copied || asks->caught_up || asks->full_resync ||
           asks->facts[0] || asks->facts[1] || task->is_gone || worker_move_has_note(task) ||
           is_over(task) || (task->is_state_known && worker_move_next(task) != JOB_EVENT_COUNT) ||
           task->run->outcome != TASK_GOING;
}

/* FENCED here means: the lease is another's. */
static bool lost_or_down(struct worker_task *task, struct err *err) {
    if (err->code == ERR_FENCED) {
        log_event(LOG_LEVEL_WARN, "task.lease-lost", LOG_TEXT("job", task->run->job));
        metric_add(METRIC_LEASES_LOST, 1);
        give_up(task);
        err_clear(err);
        return true;
    }
    return false;
}

static bool answer_asks(struct worker *worker, struct worker_task *task, struct err *err) {
    struct task_run *run = task->run;
    struct task_asks *asks = &run->asks;
    struct store_lease lease = worker_task_lease(worker, task);

    if (asks->go) {
        if (!store_task_claimed_before(worker->store, &lease, true, err))
            return lost_or_down(task, err);
        failpoint_pass(FAILPOINT_WORKER_FIRST_CLAIM_NOTED);
        task_run_go(run);
    }
    if (asks->lease_above) {
        int64_t raised;

        if (!store_task_raise_epoch(worker->store, &lease, (int64_t)asks->lease_above, &raised,
                                    err))
            return lost_or_down(task, err);
        failpoint_pass(FAILPOINT_WORKER_LEASE_RAISED);
        task_run_lease(run, (uint64_t)raised);
        lease.epoch = raised;
    }
    if (asks->records && !worker_records_answer(worker, task, err))
        return false;
    if (asks->full_sync && !worker_full_sync_answer(worker, run, err))
        return lost_or_down(task, err);
    return worker_facts_flush(worker, task, err) || lost_or_down(task, err);
}

/* ---- reports ---- */

static void fill_report(struct worker *worker, struct worker_task *task,
                        struct store_report *report) {
    struct task_run *run = task->run;

    /* A job that has ended keeps the numbers it ended with. */
    if (!task->is_forgetting)
        task_run_sample(run, &task->gauges);
    run->progress.not_drained = run->outcome == TASK_STOPPED && run->not_drained;
    if (run->outcome != TASK_GOING) {
        run->progress.sync_state[0] = '\0';
        run->progress.keys_per_second = run->progress.commands_per_second = 0;
        run->progress.bytes_per_second = 0;
    }
    /* One that was handed over shows what it last did until the next worker does more. */
    *report = (struct store_report){.task = (int)run->task,
                                    .lease_epoch = (int64_t)run->lease,
                                    .progress = is_handed_over(task) ? NULL : &run->progress};
    snprintf(report->job, sizeof(report->job), "%s", run->job);
    if (run->outcome == TASK_GOING && !task->is_forgetting)
        worker_series_take(worker, task);
}

static bool take_answer(struct worker *worker, struct worker_task *task,
                        const struct store_report *report, struct err *err) {
    if (!report->is_held) {
        struct err lost = ERR_INIT;

        err_set(&lost, ERR_FENCED, "the lease is another's");
        return lost_or_down(task, &lost);
    }
    heed(task, report->state, report->wanted);
    worker_records_heed(task, report->wanted);
    task->run->progress.clock_skew_ms = report->now_ms - clock_wall_ms();
    task->is_final = task->run->outcome != TASK_GOING;
    if (report->job_version == task->version)
        return true;
    return refresh(worker, task, report->job_version, err);
}

bool worker_task_report(struct worker *worker, struct worker_task **tasks, size_t count,
                        struct err *err) {
    struct store_report *reports = calloc(count + 1, sizeof(*reports));
    size_t used = 0;
    bool ok;

    if (!reports)
        abort();
    for (size_t i = 0; i < count; i++) {
        if (!tasks[i]->is_gone)
            fill_report(worker, tasks[i], &reports[used++]);
    }
    failpoint_pass(FAILPOINT_WORKER_REPORTS);
    ok = used == 0 || store_task_report(worker->store, worker->identity->id,
                                        (int)worker->config->lease_seconds, reports, used, err);
    failpoint_pass(FAILPOINT_WORKER_REPORTED);
    used = 0;
    for (size_t i = 0; ok && i < count; i++) {
        if (!tasks[i]->is_gone)
            ok = take_answer(worker, tasks[i], &reports[used++], err);
    }
    ok = ok && worker_records_count(worker, tasks, count, err) &&
         worker_series_write(worker, tasks, count, false, err);
    for (size_t i = 0; i < count; i++)
        json_decref(reports[i].wanted);
    free(reports);
    return ok;
}

/* ---- flush ---- */

/* Over: the lease goes back, and the spool of what never goes on is removed. */
static bool close_task(struct worker *worker, struct worker_task *task, struct err *err) {
    struct task_run *run = task->run;
    struct store_lease lease = worker_task_lease(worker, task);
    struct err why = ERR_INIT;

    task_run_kill(run);
    worker_series_leave(worker, task);
    failpoint_pass(FAILPOINT_WORKER_GIVES_BACK);
    if (!worker_task_login_end(worker, task, err) ||
        !(is_handed_over(task) ? store_task_hand_over(worker->store, &lease, err)
                               : store_task_release(worker->store, &lease, err)))
        return false;
    failpoint_pass(FAILPOINT_WORKER_GAVE_BACK);
    if (job_state_is_final(task->state) &&
        !task_spool_remove(worker->identity->spool_dir, run->job, run->task, &why))
        log_event(LOG_LEVEL_WARN, "task.spool-stays", LOG_TEXT("job", run->job), LOG_ERR(&why));
    log_event(LOG_LEVEL_INFO, "task.given-back", LOG_TEXT("job", run->job),
              LOG_TEXT("state", job_state_name(task->state)));
    task->is_gone = true;
    return true;
}

bool worker_task_flush(struct worker *worker, struct worker_task *task, struct err *err) {
    if (task->is_gone)
        return true;
    if (!answer_asks(worker, task, err) || !worker_task_login_watch(worker, task, err))
        return false;
    /* What a reader of the final state will look at is written before it. */
    if ((task->run->outcome != TASK_GOING || task_cutover_is_undone(task->run)) &&
        !task->is_final && !worker_task_report(worker, &task, 1, err))
        return false;
    if (task->is_gone || !task->is_state_known)
        return true;
    if (!worker_move_all(worker, task, err)) {
        task->is_state_known = false;
        return false;
    }
    if (!task->is_gone && (is_over(task) || is_handed_over(task)))
        return close_task(worker, task, err);
    return true;
}
