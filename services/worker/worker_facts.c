#include "services/worker/worker_facts.h"

#include <stdio.h>

#include "services/common/clock.h"
#include "services/common/log.h"
#include "services/worker/drift.h"
#include "sql/store_event.h"

static const char *const ends[] = {"source", "destination"};

static bool tell(struct worker *worker, const struct worker_task *task, int at, struct str what,
                 struct err *err) {
    char detail[600], actor[STORE_ID_SIZE + 8];

    snprintf(detail, sizeof(detail), "%s: " STR_FMT, ends[at], STR_ARG(what));
    snprintf(actor, sizeof(actor), "worker:%s", worker->identity->id);
    log_event(LOG_LEVEL_WARN, "task.drift", LOG_TEXT("job", task->run->job),
              LOG_TEXT("what", detail));
    return store_event_add(worker->store, task->run->job, "config_drift",
                           "An end is not what it was", detail, actor, err);
}

bool worker_facts_flush(struct worker *worker, struct worker_task *task, struct err *err) {
    struct task_asks *asks = &task->run->asks;
    struct store_lease lease = worker_task_lease(worker, task);

    for (int i = 0; i < 2; i++) {
        struct buf changed = BUF_INIT(512);
        char now[CLOCK_RFC3339_SIZE];
        bool ok;

        if (!asks->facts[i])
            continue;
        clock_rfc3339(clock_wall_ms(), now);
        drift_note(task->facts[i], asks->facts[i], now, &changed);
        ok = store_task_facts(worker->store, &lease, ends[i], asks->facts[i], err) &&
             (changed.len == 0 || tell(worker, task, i, buf_str(&changed), err));
        buf_done(&changed);
        if (!ok)
            return false;
        json_decref(task->facts[i]);
        task->facts[i] = asks->facts[i];
        asks->facts[i] = NULL;
    }
    return true;
}
