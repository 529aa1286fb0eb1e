#include "services/worker/worker_sweep.h"

#include <string.h>

#include "services/common/log.h"
#include "services/worker/task_spool.h"
#include "sql/store_job.h"

struct sweep {
    struct worker *worker;
    struct worker_task **tasks;
    size_t count;
};

static bool sweep_one(void *arg, const char *job_id, uint32_t task) {
    const struct sweep *s = arg;
    struct store_job job = STORE_JOB_INIT;
    struct err err = ERR_INIT;
    enum job_state state;
    bool is_over;

    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->tasks[i]->run->job, job_id) == 0)
            return true;
    }
    if (store_job_get(s->worker->store, NULL, job_id, &job, &err)) {
        is_over = job_state_parse(job.state, &state) && job_state_is_final(state);
        store_job_done(&job);
    } else {
        is_over = err.code == ERR_NOT_FOUND;
        if (!is_over)
            return false;
    }
    err_clear(&err);
    if (is_over && !task_spool_remove(s->worker->identity->spool_dir, job_id, task, &err))
        log_event(LOG_LEVEL_WARN, "worker.spool-stays", LOG_TEXT("job", job_id), LOG_ERR(&err));
    return true;
}

void worker_sweep(struct worker *worker, struct worker_task **tasks, size_t count) {
    struct sweep sweep = {.worker = worker, .tasks = tasks, .count = count};

    task_spool_list(worker->identity->spool_dir, sweep_one, &sweep);
}
