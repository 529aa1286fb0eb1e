#include "services/worker/worker_loop.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "services/common/clock.h"
#include "services/common/failpoint.h"
#include "services/common/log.h"
#include "services/common/metric_server.h"
#include "services/common/process.h"
#include "services/worker/worker_check.h"
#include "services/worker/worker_drain.h"
#include "services/worker/worker_guard.h"
#include "services/worker/worker_hello.h"
#include "services/worker/worker_look.h"
#include "services/worker/worker_metrics.h"
#include "services/worker/worker_secret.h"
#include "services/worker/worker_series.h"
#include "services/worker/worker_sweep.h"
#include "sql/store_listen.h"

enum {
    REPORT_MS = 1000, /* also renews: far below the lease */
    CLAIM_MS = 2000,  /* wake-ups may be lost */
    HELLO_MS = 5000,
    SWEEP_MS = 3600000,
    STORE_AGAIN_MS = 200, /* store.h itself waits longer between attempts to connect */
    LEAVE_MS = 5000,
    CHECKS_MAX = 8,
    LOOK_SECONDS = 60, /* longer than a look may take */
    FDS_OWN = 3,
    FDS_PER_TASK = 2 * TASK_DUTIES,
    FDS_PER_CHECK = 2,
};

struct loop {
    struct worker worker;
    struct store_listen *listen;
    struct metric_server *metrics; /* NULL = none is served */
    struct worker_task **tasks;    /* owned; task_max places */
    size_t task_count, task_max;
    struct worker_check *checks[CHECKS_MAX]; /* owned */
    size_t check_count;
    struct worker_look *looks[WORKER_LOOKS_MAX]; /* owned */
    size_t look_count;
    struct pollfd *fds;
    size_t fd_count;
    int signal_fd;
    int64_t report_ms, claim_ms, hello_ms, sweep_ms, store_ms; /* monotonic: next time */
    bool store_was_up;
    bool is_leaving;
    struct worker_hello hello;
    struct store_worker_wish wish; /* as of the last hello */
};

/* ---- the control database ---- */

static void store_failed(struct loop *l, struct err *err) {
    if (l->store_was_up)
        log_event(LOG_LEVEL_WARN, "store.lost", LOG_ERR(err));
    l->store_was_up = false;
    l->store_ms = clock_mono_ms() + STORE_AGAIN_MS;
    metric_set(METRIC_STORE_UP, 0);
    err_clear(err);
    for (size_t i = 0; i < l->task_count; i++)
        l->tasks[i]->is_state_known = false; /* a commit may be in doubt: read before moving */
    l->report_ms = 0;
}

static bool is_store_due(const struct loop *l) {
    return clock_mono_ms() >= l->store_ms;
}

static bool claim_task(struct loop *l, bool *ret_found, struct err *err) {
    struct store_claim claim = {.sealed = BUF_INIT(STORE_SEALED_MAX)};
    struct worker_task *task = NULL;
    bool ok =
        store_task_claim(l->worker.store, l->worker.identity->id, l->worker.config->worker_pool,
                         (int)l->worker.config->lease_seconds, &claim, ret_found, err);

    if (!ok || !*ret_found)
        return ok;
    failpoint_pass(FAILPOINT_WORKER_CLAIMED);
    ok = worker_task_open(&l->worker, &claim, &task, err);
    if (task)
        l->tasks[l->task_count++] = task;
    store_claim_done(&claim);
    return ok;
}

static bool claim_check(struct loop *l, bool *ret_found, struct err *err) {
    struct store_precheck_claim claim = {.sealed = BUF_INIT(STORE_SEALED_MAX)};
    bool ok =
        store_precheck_claim(l->worker.store, l->worker.identity->id, l->worker.config->worker_pool,
                             (int)l->worker.config->lease_seconds, &claim, ret_found, err);

    if (!ok || !*ret_found)
        return ok;
    l->checks[l->check_count++] = worker_check_open(&l->worker, &claim, l->task_count);
    store_precheck_claim_done(&claim);
    return true;
}

static bool claim_look(struct loop *l, bool *ret_found, struct err *err) {
    struct store_instance_work work;

    if (!store_instance_claim(l->worker.store, l->worker.identity->id, LOOK_SECONDS, &work,
                              ret_found, err))
        return false;
    if (*ret_found)
        l->looks[l->look_count++] = worker_look_open(&l->worker, &work);
    store_instance_work_done(&work);
    return true;
}

static bool claim_all(struct loop *l, struct err *err) {
    bool found = true;

    while (found && l->task_count < l->task_max) {
        if (!claim_task(l, &found, err))
            return false;
    }
    found = true;
    while (found && l->check_count < CHECKS_MAX) {
        if (!claim_check(l, &found, err))
            return false;
    }
    found = true;
    while (found && l->look_count < WORKER_LOOKS_MAX) {
        if (!claim_look(l, &found, err))
            return false;
    }
    return true;
}

/* A worker that is drained looks often whether somebody has come to take its tasks. */
static bool say_hello(struct loop *l, struct err *err) {
    json_t *staying = worker_drain_staying(l->tasks, l->task_count, &l->wish);
    bool ok = worker_hello_say(&l->hello, &l->worker, l->task_count, staying, &l->wish, err);

    json_decref(staying);
    if (!ok)
        return false;
    worker_drain(l->tasks, l->task_count, &l->wish);
    l->hello_ms = clock_mono_ms() + (l->wish.drain && l->task_count > 0 ? REPORT_MS : HELLO_MS);
    return true;
}

static bool report(struct loop *l, struct err *err) {
    int64_t begun_us = clock_mono_us();

    if (!worker_task_report(&l->worker, l->tasks, l->task_count, err))
        return false;
    worker_metrics_take(l->tasks, l->task_count, clock_mono_us() - begun_us);
    return true;
}

/* What is to be told to and asked of the control database now. */
static bool work_store(struct loop *l, int64_t now, struct err *err) {
    if (now >= l->report_ms || l->worker.wants_report) {
        l->worker.wants_report = false;
        if (!report(l, err))
            return false;
        l->report_ms = now + REPORT_MS;
        if (worker_secret_look(&l->worker))
            l->hello_ms = 0; /* which key seals here is told */
    }
    for (size_t i = 0; i < l->task_count; i++) {
        if (worker_task_has_news(l->tasks[i]) && !worker_task_flush(&l->worker, l->tasks[i], err))
            return false;
    }
    for (size_t i = 0; i < l->look_count; i++) {
        if (!worker_look_flush(&l->worker, l->looks[i], err))
            return false;
    }
    for (size_t i = 0; i < l->check_count; i++) {
        if (!worker_check_flush(&l->worker, l->checks[i], err))
            return false;
    }
    if (now >= l->hello_ms && !say_hello(l, err))
        return false;
    if (now >= l->claim_ms && !l->wish.drain) {
        if (!claim_all(l, err))
            return false;
        l->claim_ms = now + CLAIM_MS;
    }
    if (now >= l->sweep_ms) {
        worker_sweep(&l->worker, l->tasks, l->task_count);
        l->sweep_ms = now + SWEEP_MS;
    }
    return true;
}

static void visit_store(struct loop *l) {
    struct err err = ERR_INIT;

    if (!is_store_due(l))
        return;
    if (!work_store(l, clock_mono_ms(), &err)) {
        store_failed(l, &err);
        return;
    }
    if (!l->store_was_up)
        log_plain(LOG_LEVEL_INFO, "store.back");
    l->store_was_up = true;
    metric_set(METRIC_STORE_UP, 1);
}

static void drop_gone(struct loop *l) {
    size_t kept = 0;

    for (size_t i = 0; i < l->task_count; i++) {
        if (l->tasks[i]->is_gone)
            worker_task_free(l->tasks[i]);
        else
            l->tasks[kept++] = l->tasks[i];
    }
    l->task_count = kept;
    kept = 0;
    for (size_t i = 0; i < l->check_count; i++) {
        if (l->checks[i]->is_gone)
            worker_check_free(l->checks[i]);
        else
            l->checks[kept++] = l->checks[i];
    }
    l->check_count = kept;
    kept = 0;
    for (size_t i = 0; i < l->look_count; i++) {
        if (l->looks[i]->is_gone)
            worker_look_free(l->looks[i]);
        else
            l->looks[kept++] = l->looks[i];
    }
    l->look_count = kept;
    metric_set(METRIC_TASKS_HELD, (int64_t)l->task_count);
}

/* ---- waiting ---- */

static void watch(struct loop *l, int fd) {
    l->fds[l->fd_count++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

/* Signals, wake-ups, who reads the metrics, then every task's and check's descriptors in their
 * order. A place without a descriptor holds -1, which poll passes over. */
static void gather(struct loop *l) {
    l->fd_count = 0;
    watch(l, l->signal_fd);
    watch(l, l->listen ? store_listen_fd(l->listen) : -1);
    watch(l, metric_server_fd(l->metrics));
    for (size_t i = 0; i < l->task_count; i++) {
        for (int duty = 0; duty < TASK_DUTIES; duty++) {
            watch(l, l->tasks[i]->run->child[duty].process.socket);
            watch(l, l->tasks[i]->run->child[duty].process.pidfd);
        }
    }
    for (size_t i = 0; i < l->check_count; i++) {
        watch(l, l->checks[i]->process.socket);
        watch(l, l->checks[i]->process.pidfd);
    }
    for (size_t i = 0; i < l->look_count; i++) {
        watch(l, l->looks[i]->process.socket);
        watch(l, l->looks[i]->process.pidfd);
    }
}

static int64_t earlier(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int time_to_wait(const struct loop *l) {
    int64_t now = clock_mono_ms(), next = earlier(l->report_ms, now + REPORT_MS);

    if (!l->is_leaving)
        next = earlier(next, l->wish.drain ? l->hello_ms : earlier(l->claim_ms, l->hello_ms));
    if (next < l->store_ms)
        next = l->store_ms;
    for (size_t i = 0; i < l->task_count; i++)
        next = earlier(next, task_run_next_ms(l->tasks[i]->run));
    return next <= now ? 0 : (int)(next - now);
}

/* What stands in the arrays was gathered before poll and is not changed until all are
 * served: tasks come and go in visit_store() and drop_gone() only. */
static void serve_children(struct loop *l) {
    size_t at = FDS_OWN;

    for (size_t i = 0; i < l->task_count; i++) {
        for (int duty = 0; duty < TASK_DUTIES; duty++, at += 2) {
            if (l->fds[at].revents)
                task_run_read(l->tasks[i]->run, (enum task_duty)duty);
            if (l->fds[at + 1].revents)
                task_run_reap(l->tasks[i]->run, (enum task_duty)duty);
        }
        task_run_tick(l->tasks[i]->run);
        worker_task_answer(&l->worker, l->tasks[i]);
    }
    for (size_t i = 0; i < l->check_count; i++)
        worker_check_run(&l->worker, l->checks[i]);
    for (size_t i = 0; i < l->look_count; i++)
        worker_look_run(&l->worker, l->looks[i]);
}

static void serve_wakes(struct loop *l) {
    for (int i = 0; l->listen && i < 256; i++) {
        struct store_wake wake;

        store_listen_next(l->listen, 0, &wake);
        if (wake.kind == STORE_WAKE_NONE)
            return;
        /* A hint: look at everything that may have changed. */
        if (strcmp(wake.channel, STORE_CHANNEL_WORKER) == 0)
            l->hello_ms = 0;
        l->claim_ms = 0;
        l->worker.wants_report = true;
    }
}

static void serve_signals(struct loop *l) {
    enum process_signal got;

    while ((got = process_signal_take()) != PROCESS_NONE) {
        if (got == PROCESS_STOP)
            l->is_leaving = true;
    }
}

static void wait_once(struct loop *l, int timeout_ms) {
    gather(l);
    if (poll(l->fds, (nfds_t)l->fd_count, timeout_ms) < 0) {
        for (size_t i = 0; i < l->fd_count; i++)
            l->fds[i].revents = 0;
    }
    serve_signals(l);
    serve_wakes(l);
    metric_server_serve(l->metrics);
    serve_children(l);
}

/* ---- the end ---- */

static bool is_anyone_alive(const struct loop *l) {
    for (size_t i = 0; i < l->task_count; i++) {
        if (!task_run_is_idle(l->tasks[i]->run))
            return true;
    }
    return false;
}

/* Their jobs stay as they are and go on at the next start: only the leases go back. */
static void leave(struct loop *l) {
    int64_t end = clock_mono_ms() + LEAVE_MS;
    struct err err = ERR_INIT;

    failpoint_pass(FAILPOINT_WORKER_LEAVES);
    log_event(LOG_LEVEL_INFO, "worker.leaves", LOG_INT("tasks", l->task_count));
    /* Last words while every number still means what it says. */
    if (!worker_task_report(&l->worker, l->tasks, l->task_count, &err) ||
        !worker_series_write(&l->worker, l->tasks, l->task_count, true, &err))
        err_clear(&err);
    drop_gone(l);
    for (size_t i = 0; i < l->task_count; i++)
        task_run_aim(l->tasks[i]->run, TASK_GOAL_PAUSE);
    while (is_anyone_alive(l) && clock_mono_ms() < end) {
        gather(l);
        if (poll(l->fds, (nfds_t)l->fd_count, 100) >= 0)
            serve_children(l);
    }
    for (size_t i = 0; i < l->task_count; i++) {
        struct store_lease lease = worker_task_lease(&l->worker, l->tasks[i]);

        task_run_kill(l->tasks[i]->run);
        if (!store_task_hand_over(l->worker.store, &lease, &err))
            err_clear(&err); /* it expires, and this worker knows it by its identity */
    }
    if (!store_worker_gone(l->worker.store, l->worker.identity->id, &err))
        err_clear(&err);
}

static void loop_done(struct loop *l) {
    worker_series_done(&l->worker);
    metric_server_close(l->metrics);
    for (size_t i = 0; i < l->task_count; i++)
        worker_task_free(l->tasks[i]);
    for (size_t i = 0; i < l->check_count; i++)
        worker_check_free(l->checks[i]);
    for (size_t i = 0; i < l->look_count; i++)
        worker_look_free(l->looks[i]);
    free(l->tasks);
    free(l->fds);
    store_listen_close(l->listen);
    store_close(l->worker.store);
    worker_hello_done(&l->hello);
    json_decref(l->worker.egress);
}

static bool loop_open(struct loop *l, struct err *err) {
    const struct config *config = l->worker.config;

    l->task_max = (size_t)config->worker_tasks_max;
    l->tasks = calloc(l->task_max, sizeof(struct worker_task *));
    l->fds = calloc(FDS_OWN + l->task_max * FDS_PER_TASK +
                        (CHECKS_MAX + WORKER_LOOKS_MAX) * FDS_PER_CHECK,
                    sizeof(struct pollfd));
    if (!l->tasks || !l->fds)
        abort();
    if (!worker_hello_open(&l->hello, config, err) ||
        !metric_server_open(config->worker_metrics_listen, METRIC_OF_WORKER, &l->metrics, err) ||
        !store_open(config->database_url, "keyferry-worker", &l->worker.store, err))
        return false;
    worker_guard_database(l->worker.store);
    /* A control database that stands still must not keep us from our leases' own deadline. */
    store_answer_limit(l->worker.store, (int)(config->lease_seconds * 1000 / 3));
    return store_listen_open(config->database_url, "keyferry-worker listen", &l->listen, err) &&
           store_worker_return(l->worker.store, l->worker.identity->id, err) && say_hello(l, err);
}

bool worker_loop_run(const struct config *config, struct keyring_file *keys,
                     const struct worker_identity *identity, int signal_fd, struct err *err) {
    struct loop l = {.worker = {.keys = keys, .config = config, .identity = identity},
                     .signal_fd = signal_fd,
                     .store_was_up = true};
    bool ok = loop_open(&l, err);

#ifdef KF_FAULTS
    l.worker.faults = getenv("KEYFERRY_TEST_FAULTS");
#endif
    if (ok)
        log_event(LOG_LEVEL_INFO, "worker.ready", LOG_TEXT("worker", identity->id),
                  LOG_TEXT("pool", config->worker_pool));
    while (ok && !l.is_leaving) {
        visit_store(&l);
        drop_gone(&l);
        wait_once(&l, time_to_wait(&l));
    }
    if (ok)
        leave(&l);
    loop_done(&l);
    return ok;
}
