#include "services/worker/worker_task_login.h"

#include <stdlib.h>

#include "services/common/clock.h"
#include "services/common/log.h"
#include "services/flow/throttle.h"
#include "services/worker/worker_login.h"

enum { WATCH_MS = 5000 };

void worker_task_login_init(struct worker_task *task) {
    task->logins = malloc(sizeof(*task->logins));
    if (!task->logins)
        abort();
    *task->logins = WORKER_LOGIN_CACHE_INIT;
    task->watch_ms = clock_mono_ms() + WATCH_MS;
}

void worker_task_login_done(struct worker_task *task) {
    worker_login_cache_done(task->logins);
    free(task->logins);
    task->logins = NULL;
}

static struct worker_login login_of(const struct worker_task *task) {
    return (struct worker_login){.row = "job",
                                 .id = task->run->job,
                                 .spec = task->spec,
                                 .sealed = buf_str(&task->sealed),
                                 .lease_epoch = (int64_t)task->run->lease,
                                 .cache = task->logins};
}

/* The stricter share of both ends goes on top of the job's own limits. */
static void heed_shares(struct worker_task *task) {
    uint64_t rps = 0, bytes = 0;

    for (int i = 0; i < 2; i++) {
        rps = throttle_stricter(rps, task->logins->end[i].rps);
        bytes = throttle_stricter(bytes, task->logins->end[i].bytes_per_second);
    }
    if (rps != task->pace.role_rps || bytes != task->pace.role_bytes)
        task->pace.due_ms = 0;
    task->pace.role_rps = rps;
    task->pace.role_bytes = bytes;
    task->run->progress.role_rps = (int64_t)rps;
    task->run->progress.role_bytes_per_second = (int64_t)bytes;
}

void worker_task_login(struct worker *worker, struct worker_task *task, enum task_duty duty) {
    const struct worker_login who = login_of(task);
    struct err why = ERR_INIT;
    json_t *object = NULL;

    if (!worker_login(worker, &who, task->run->child[duty].login_end, &object, &why))
        log_event(LOG_LEVEL_ERROR, "task.no-credentials", LOG_TEXT("job", task->run->job),
                  LOG_ERR(&why));
    heed_shares(task);
    task_run_login(task->run, duty, object, &why);
    json_decref(object);
}

bool worker_task_login_watch_due(const struct worker_task *task) {
    return clock_mono_ms() >= task->watch_ms && task->run->outcome == TASK_GOING &&
           worker_login_is_shared(task->spec);
}

bool worker_task_login_watch(struct worker *worker, struct worker_task *task, struct err *err) {
    const struct worker_login who = login_of(task);
    struct err why = ERR_INIT;
    bool allowed = true;

    if (!worker_task_login_watch_due(task))
        return true;
    if (!worker_login_watch(worker, &who, &allowed, &why, err))
        return false;
    task->watch_ms = clock_mono_ms() + WATCH_MS;
    task->run->progress.role_until_ms = task->logins->roles_until_ms;
    heed_shares(task);
    if (!allowed)
        task_run_block(task->run, &why);
    return true;
}

bool worker_task_login_end(struct worker *worker, struct worker_task *task, struct err *err) {
    const struct worker_login who = login_of(task);

    return worker_login_end(worker, &who, err);
}
