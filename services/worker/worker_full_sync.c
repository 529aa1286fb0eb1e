#include "services/worker/worker_full_sync.h"

#include <limits.h>
#include <stdio.h>

#include "services/common/failpoint.h"
#include "services/common/log.h"
#include "services/common/metric.h"

/* Counted by the address, and by the server that answers there: under another name it is the
 * same one, and one that was restarted, or replaced, is at the same address. */
static bool take_full_sync(struct worker *worker, const struct task_run *run, bool *ret_allowed,
                           int64_t *ret_retry_after_ms, struct err *err) {
    /* A person who answered needs_recopy has asked for this very one. It counts all the same. */
    int per_hour = run->is_sync_granted ? INT_MAX : (int)worker->config->full_syncs_per_hour;
    /* So has whoever started a job of which nothing is copied yet. */
    bool is_first = run->progress.generation == 0;
    char server[48];

    if (!store_task_full_sync(worker->store, run->source_server, run->job, per_hour, is_first,
                              ret_allowed, ret_retry_after_ms, err))
        return false;
    if (!*ret_allowed || !run->asks.full_sync_of[0])
        return true;
    snprintf(server, sizeof(server), "run:%s", run->asks.full_sync_of);
    if (!store_task_full_sync(worker->store, server, run->job, per_hour, is_first, ret_allowed,
                              ret_retry_after_ms, err))
        return false;
    return *ret_allowed ||
           store_task_full_sync_unused(worker->store, run->source_server, run->job, err);
}

bool worker_full_sync_answer(struct worker *worker, struct task_run *run, struct err *err) {
    int64_t retry_after = 0;
    bool allowed = false;

    if (!take_full_sync(worker, run, &allowed, &retry_after, err))
        return false;
    failpoint_pass(FAILPOINT_WORKER_FULL_SYNC_NOTED);
    if (allowed) {
        metric_add(METRIC_FULL_SYNCS, 1);
        run->is_sync_granted = false;
    }
    log_event(LOG_LEVEL_INFO, "task.full-sync", LOG_TEXT("job", run->job),
              LOG_TEXT("allowed", allowed ? "yes" : "no"), LOG_INT("retry_after_ms", retry_after));
    task_run_full_sync(run, allowed, retry_after);
    return true;
}
