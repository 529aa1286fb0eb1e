#include "services/worker/task_run.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "services/common/clock.h"
#include "services/common/failpoint.h"
#include "services/common/log.h"
#include "services/common/metric.h"
#include "services/flow/child.h"
#include "services/worker/gauges.h"
#include "services/worker/task_cutover.h"
#include "services/worker/task_inner.h"

enum {
    YOUNG_MS = 3000, /* who dies younger has probably not worked */
    UP_MS = 1000,    /* who is up for less has not recovered */
};

static const char *const duty_names[TASK_DUTIES] = {"apply", "receive"};

bool task_run_new(json_t *spec, const struct store_progress *progress,
                  const struct retry_policy *policy, int identity_fd, struct task_run **ret,
                  struct err *err) {
    const char *job = json_string_value(json_object_get(spec, "job"));
    struct endpoint source = ENDPOINT_INIT;
    struct task_run *run;

    if (!job || strlen(job) >= sizeof(run->job))
        return err_set(err, ERR_PROTOCOL, "a task's specification names no job");
    if (!endpoint_from_json(json_object_get(spec, "source"), &source, NULL, NULL, err))
        return err_wrap(err, "the source of a task");
    run = calloc(1, sizeof(*run));
    if (!run)
        abort();
    snprintf(run->job, sizeof(run->job), "%s", job);
    endpoint_server(&source, run->source_server);
    endpoint_done(&source);
    run->task = (uint32_t)json_integer_value(json_object_get(spec, "task"));
    run->lease = (uint64_t)json_integer_value(json_object_get(spec, "lease"));
    run->incremental = json_is_true(json_object_get(spec, "incremental"));
    run->claimed_before = json_is_true(json_object_get(spec, "claimed_before"));
    run->spec = json_incref(spec);
    run->policy = *policy;
    run->progress = *progress;
    run->progress.heartbeat_interval_ms =
        json_integer_value(json_object_get(json_object_get(spec, "heartbeat"), "interval_ms"));
    run->was_caught_up = strcmp(progress->sync_state, "caught_up") == 0;
    run->control_fd = run->apply_bell = run->receive_bell = -1;
    run->identity_fd = identity_fd;
    for (int i = 0; i < TASK_DUTIES; i++)
        run->child[i].process = CHILD_PROCESS_INIT;
    if (!control_new(&run->control, &run->control_fd, err) ||
        !control_bell_new(&run->apply_bell, err) || !control_bell_new(&run->receive_bell, err)) {
        task_run_free(run);
        return false;
    }
    gauges_seed(run->control, progress);
    *ret = run;
    return true;
}

void task_run_free(struct task_run *run) {
    if (!run)
        return;
    task_run_kill(run);
    json_decref(run->spec);
    json_decref(run->start);
    json_decref(run->asks.records);
    json_decref(run->asks.facts[0]);
    json_decref(run->asks.facts[1]);
    control_unmap(run->control);
    for (int i = 0; i < 3; i++) {
        int fd = (int[]){run->control_fd, run->apply_bell, run->receive_bell}[i];

        if (fd >= 0)
            close(fd);
    }
    free(run);
}

void task_inner_settle(struct task_run *run, enum task_outcome outcome) {
    task_run_kill(run);
    run->outcome = outcome;
    run->is_troubled = false;
    for (int i = 0; i < TASK_DUTIES; i++)
        run->child[i].is_due = false;
}

void task_inner_due(struct task_child *child, int64_t ms) {
    child->is_due = true;
    child->due_ms = clock_mono_ms() + ms;
}

static void stop_child(struct task_child *child) {
    child_process_done(&child->process);
    child->is_due = child->asks_login = false;
    child->kill_ms = 0;
}

static void forget_question(struct task_run *run) {
    json_decref(run->asks.records);
    run->asks.records = NULL;
}

void task_run_kill(struct task_run *run) {
    for (int i = 0; i < TASK_DUTIES; i++)
        stop_child(&run->child[i]);
    run->is_claimed = false;
    run->asks.full_sync = false;
    forget_question(run);
    atomic_store(&run->control->link, CONTROL_LINK_DOWN);
}

bool task_run_has_begun(const struct task_run *run) {
    const char *state = run->progress.position_state;
    bool is_copied = state[0] && strcmp(state, "none") != 0 && strcmp(state, "copy") != 0;

    return is_copied || run->awaits_snapshot ||
           atomic_load_explicit(&run->control->copy_bytes_done, memory_order_relaxed) > 0 ||
           atomic_load_explicit(&run->control->snapshot_generation, memory_order_relaxed) > 0;
}

bool task_run_is_idle(const struct task_run *run) {
    return run->child[TASK_APPLY].process.pid == 0 && run->child[TASK_RECEIVE].process.pid == 0;
}

bool task_run_is_up(const struct task_run *run) {
    const struct task_child *receive = &run->child[TASK_RECEIVE];
    uint32_t link = atomic_load_explicit(&run->control->link, memory_order_relaxed);

    /* Who has said its error is there until it is reaped, and so is what it left behind. */
    if (run->child[TASK_APPLY].said_error || receive->said_error)
        return false;
    return run->child[TASK_APPLY].process.pid != 0 && run->is_claimed &&
           (receive->is_finished ||
            (receive->process.pid != 0 && (link != CONTROL_LINK_DOWN || run->awaits_snapshot)));
}

void task_inner_restart(struct task_run *run, int64_t in_ms) {
    task_run_kill(run);
    task_inner_due(&run->child[TASK_APPLY], in_ms);
}

int64_t task_inner_pause(uint32_t deaths) {
    struct backoff backoff = {
        .initial_ms = 100, .max_ms = 5000, .jitter = 0.2, .attempt = deaths > 0 ? deaths - 1 : 0};

    return deaths == 0 ? 0 : backoff_next(&backoff, backoff_random());
}

/* ---- lives ---- */

static bool wants_child(const struct task_run *run, enum task_duty duty) {
    if (run->outcome != TASK_GOING || run->goal == TASK_GOAL_PAUSE)
        return false;
    if (duty == TASK_RECEIVE)
        return run->start && !run->child[TASK_RECEIVE].is_finished &&
               run->goal != TASK_GOAL_STOP_NOW && run->goal != TASK_GOAL_FORGET &&
               run->cutover != TASK_CUTOVER_SEALED;
    return run->asks.lease_above == 0;
}

/* Apply said where to begin when it claimed. For a later life of receive: what is
 * acknowledged since need not come again, and may be neither in the spool nor in the
 * source's backlog any more. The first life takes it as it is, for a destination may
 * have gone back. */
static void advance_start(struct task_run *run) {
    json_t *position = json_object_get(run->start, "position");
    const char *state = json_string_value(json_object_get(position, "state"));
    uint64_t applied = atomic_load_explicit(&run->control->applied_offset, memory_order_relaxed);

    if (run->is_start_used && state && strcmp(state, "tail") == 0 && applied <= INT64_MAX &&
        (json_int_t)applied > json_integer_value(json_object_get(position, "offset")))
        json_object_set_new(position, "offset", json_integer((json_int_t)applied));
    run->is_start_used = true;
}

static void spawn(struct task_run *run, enum task_duty duty) {
    struct task_child *child = &run->child[duty];
    const struct child_fds fds = {.control = run->control_fd,
                                  .apply_bell = run->apply_bell,
                                  .receive_bell = run->receive_bell,
                                  .identity = run->identity_fd};
    struct err err = ERR_INIT;
    bool ok;

    failpoint_pass(FAILPOINT_WORKER_SPAWNS);
    child_process_done(&child->process);
    child->is_due = child->said_error = child->asks_login = child->is_finished = false;
    child->kill_ms = 0;
    if (duty == TASK_RECEIVE) {
        run->awaits_snapshot = false;
        advance_start(run);
    }
    if (duty == TASK_APPLY) {
        run->is_claimed = false;
        /* Whoever asked is gone; the new one would take the answer for that to its own question. */
        forget_question(run);
        atomic_store(&run->control->phase, CONTROL_CLAIMING);
        atomic_store(&run->control->apply_sleeps, 0);
    } else {
        atomic_store(&run->control->link, CONTROL_LINK_DOWN);
        atomic_store(&run->control->receive_sleeps, 0);
    }
    json_object_set_new(run->spec, "lease", json_integer((json_int_t)run->lease));
    json_object_set_new(run->spec, "claimed_before", json_boolean(run->claimed_before));
    json_object_set_new(run->spec, "errand",
                        json_string(run->goal == TASK_GOAL_FORGET         ? "forget"
                                    : run->cutover == TASK_CUTOVER_SEALED ? "finish"
                                                                          : "none"));
    ok = child_process_spawn(&child->process, NULL, duty_names[duty], run->job, &fds, &err) &&
         child_send_within(child->process.socket, run->spec, 0, &err) &&
         (duty != TASK_RECEIVE || child_send_within(child->process.socket, run->start, 0, &err));
    if (!ok) {
        char text[400];

        child_process_done(&child->process);
        err_format(&err, text, sizeof(text));
        (void)task_trouble_later(run, child, "worker", ERR_IO, text);
        return;
    }
    failpoint_pass(FAILPOINT_WORKER_SPAWNED);
    metric_add(METRIC_CHILD_STARTS, 1);
    log_event(LOG_LEVEL_INFO, "child.started", LOG_TEXT("job", run->job),
              LOG_TEXT("duty", duty_names[duty]), LOG_INT("pid", child->process.pid),
              LOG_INT("lease", run->lease));
}

/* It ended without a word, or said 0 where that was not the end. */
static void crashed(struct task_run *run, enum task_duty duty, const struct child_end *end,
                    int64_t lived_ms) {
    struct task_child *child = &run->child[duty];
    char text[160];

    child->deaths = lived_ms < YOUNG_MS ? child->deaths + 1 : 0;
    metric_add(METRIC_CHILD_CRASHES, 1);
    if (end->signal)
        snprintf(text, sizeof(text), "%s was ended by signal %d", duty_names[duty], end->signal);
    else
        snprintf(text, sizeof(text), "%s ended with status %d without saying why", duty_names[duty],
                 end->exit_status);
    task_cutover_give_up(run, "interrupted", text);
    log_event(LOG_LEVEL_WARN, "child.crashed", LOG_TEXT("job", run->job), LOG_TEXT("what", text),
              LOG_INT("lived_ms", lived_ms), LOG_INT("deaths", child->deaths));
    if (child->deaths > TASK_DEATHS_MAX)
        (void)task_trouble_later(run, child, "worker", ERR_INTERNAL, text);
    else
        task_inner_due(child, task_inner_pause(child->deaths));
}

static void ended(struct task_run *run, enum task_duty duty, const struct child_end *end,
                  int64_t lived_ms) {
    struct task_child *child = &run->child[duty];
    static const enum task_outcome ends[] = {[TASK_GOAL_STOP_DRAIN] = TASK_STOPPED,
                                             [TASK_GOAL_STOP_NOW] = TASK_STOPPED,
                                             [TASK_GOAL_CUTOVER] = TASK_CUT_OVER,
                                             [TASK_GOAL_FORGET] = TASK_FORGOTTEN};
    bool is_end = run->goal >= TASK_GOAL_STOP_DRAIN;

    if (run->outcome != TASK_GOING)
        return;
    if (run->goal == TASK_GOAL_PAUSE) {
        if (task_run_is_idle(run))
            task_inner_settle(run, TASK_PAUSED);
        return;
    }
    if (run->child[TASK_APPLY].is_finished && duty == TASK_RECEIVE) {
        task_inner_settle(run, ends[run->goal]);
        return;
    }
    if (child->said_error)
        return; /* what follows from it was decided when it said so */
    if (end->exit_status == 0) {
        bool is_done = atomic_load(&run->control->phase) == CONTROL_DONE;
        /* What it ended for may be an earlier wish: only behind the drain it is not needed. */
        bool is_draining = run->goal == TASK_GOAL_STOP_DRAIN && run->incremental &&
                           atomic_load(&run->control->phase) < CONTROL_SETTLING;

        if (duty == TASK_APPLY && is_done && run->goal == TASK_GOAL_CUTOVER &&
            run->child[TASK_RECEIVE].process.pid != 0) {
            /* It lets the source's writers go on; then it ends. */
            child->is_finished = true;
            run->child[TASK_RECEIVE].kill_ms = clock_mono_ms() + TASK_PAUSE_PATIENCE_MS;
            return;
        }
        if (duty == TASK_APPLY && is_done && (is_end || !run->incremental)) {
            task_run_read(run, TASK_RECEIVE); /* what it found of the source */
            task_inner_settle(run, is_end ? ends[run->goal] : TASK_COMPLETED);
            return;
        }
        if (duty == TASK_RECEIVE && (is_end || !run->incremental) && !is_draining) {
            child->is_finished = true;
            return;
        }
    }
    crashed(run, duty, end, lived_ms);
}

void task_run_reap(struct task_run *run, enum task_duty duty) {
    struct task_child *child = &run->child[duty];
    int64_t lived = clock_mono_ms() - child->process.started_ms;
    struct child_end end;

    if (!child_process_reap(&child->process, &end))
        return;
    failpoint_pass(FAILPOINT_WORKER_REAPED);
    log_event(LOG_LEVEL_INFO, "child.ended", LOG_TEXT("job", run->job),
              LOG_TEXT("duty", duty_names[duty]), LOG_INT("status", end.exit_status),
              LOG_INT("signal", end.signal));
    /* Its last words first. */
    task_run_read(run, duty);
    child_process_done(&child->process);
    child->asks_login = false;
    child->kill_ms = 0;
    if (duty == TASK_APPLY)
        run->is_claimed = false;
    else
        atomic_store(&run->control->link, CONTROL_LINK_DOWN);
    ended(run, duty, &end, lived);
}

static uint64_t moved(const struct task_run *run) {
    struct control_block *block = run->control;

    if (strcmp(run->trouble.target, "source") == 0)
        return atomic_load_explicit(&block->received_bytes, memory_order_relaxed);
    if (strcmp(run->trouble.target, "destination") == 0)
        return atomic_load_explicit(&block->units_applied, memory_order_relaxed) +
               atomic_load_explicit(&block->copy_bytes_done, memory_order_relaxed);
    return 0; /* of the worker's own troubles only time tells */
}

/* A claim that succeeds says little: what follows it may fail every time. So the job is
 * well after a while; that something went through only keeps the pauses short. */
static void see_whether_well(struct task_run *run, int64_t now) {
    if (run->outcome != TASK_GOING || !task_run_is_up(run)) {
        run->up_since_ms = 0;
        return;
    }
    if (run->up_since_ms == 0) {
        run->up_since_ms = now;
        run->moved_then = moved(run);
    }
    if (now - run->up_since_ms >= UP_MS)
        run->is_troubled = false;
    if (!run->is_troubled || moved(run) != run->moved_then)
        retry_clock_well(&run->clock, clock_wall_ms());
}

void task_run_tick(struct task_run *run) {
    int64_t now = clock_mono_ms();

    for (int i = 0; i < TASK_DUTIES; i++) {
        struct task_child *child = &run->child[i];

        if (child->process.pid != 0) {
            if (child->kill_ms != 0 && now >= child->kill_ms) {
                child->kill_ms = 0;
                child_process_signal(&child->process, SIGKILL);
            }
            if (now - child->process.started_ms >= YOUNG_MS && task_run_is_up(run))
                child->deaths = 0;
        } else if (child->is_due && now >= child->due_ms) {
            if (wants_child(run, (enum task_duty)i))
                spawn(run, (enum task_duty)i);
            else
                child->is_due = false;
        }
    }
    see_whether_well(run, now);
}

int64_t task_run_next_ms(const struct task_run *run) {
    int64_t next = run->is_troubled && run->up_since_ms != 0 ? run->up_since_ms + UP_MS : INT64_MAX;

    for (int i = 0; i < TASK_DUTIES; i++) {
        const struct task_child *child = &run->child[i];

        if (child->process.pid == 0 && child->is_due && child->due_ms < next)
            next = child->due_ms;
        if (child->process.pid != 0 && child->kill_ms != 0 && child->kill_ms < next)
            next = child->kill_ms;
    }
    return next;
}

void task_run_sample(struct task_run *run, struct gauges *gauges) {
    gauges_sample(gauges, run->control, clock_mono_ms(), clock_wall_ms(), &run->progress);
    task_cutover_report(run);
}

void task_inner_start_receive(struct task_run *run) {
    struct task_child *receive = &run->child[TASK_RECEIVE];

    receive->is_finished = false;
    if (receive->process.pid != 0) {
        run->is_start_used = true;
        task_message_send(run, TASK_RECEIVE, run->start);
    } else if (!receive->is_due && wants_child(run, TASK_RECEIVE)) {
        task_inner_due(receive, 0);
    }
}
