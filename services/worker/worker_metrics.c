#include "services/worker/worker_metrics.h"

#include "services/common/metric.h"

/* A copy that begins anew counts from 0: that is nothing undone. */
static void add(enum metric metric, int64_t *last, int64_t now) {
    if (now > *last)
        metric_add(metric, now - *last);
    *last = now;
}

static void take_one(struct worker_task *task) {
    const struct store_progress *p = &task->run->progress;
    struct worker_told *told = &task->told;

    /* What the worker before did is its own. */
    if (!told->is_known)
        *told = (struct worker_told){.is_known = true,
                                     .commands = p->commands_applied,
                                     .bytes = p->bytes_applied,
                                     .keys = p->keys_done,
                                     .copy_bytes = p->bytes_done};
    add(METRIC_WORKER_COMMANDS, &told->commands, p->commands_applied);
    add(METRIC_WORKER_BYTES, &told->bytes, p->bytes_applied);
    add(METRIC_WORKER_KEYS, &told->keys, p->keys_done);
    add(METRIC_WORKER_COPY_BYTES, &told->copy_bytes, p->bytes_done);
}

void worker_metrics_take(struct worker_task **tasks, size_t count, int64_t took_us) {
    int64_t spool_bytes = 0, children = 0;

    for (size_t i = 0; i < count; i++) {
        take_one(tasks[i]);
        spool_bytes += tasks[i]->run->progress.spool_bytes;
        for (int duty = 0; duty < TASK_DUTIES; duty++)
            children += tasks[i]->run->child[duty].process.pid != 0;
    }
    metric_set(METRIC_WORKER_SPOOL_BYTES, spool_bytes);
    metric_set(METRIC_CHILDREN, children);
    metric_add(METRIC_WORKER_REPORTS, 1);
    metric_add(METRIC_WORKER_REPORT_TIME, took_us);
}
