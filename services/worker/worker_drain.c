#include "services/worker/worker_drain.h"

#include <stdio.h>
#include <string.h>

#include "services/common/log.h"
#include "services/flow/receiver.h"

/* The smallest backlog that servers keep by default is 1 MiB; some are set to as little as this. */
enum { LAG_BYTES = 16 * 1024, SHOWN_MAX = 200 };

const char *worker_drain_why(enum job_state state, bool is_forgetting, bool has_begun,
                             const struct store_progress *progress) {
    /* Half of the backlog is left for what is written until the next one has connected. */
    int64_t reach = progress->backlog_bytes / 2;

    if (is_forgetting || (state != JOB_QUEUED && state != JOB_STARTING && state != JOB_RUNNING &&
                          state != JOB_RETRYING))
        return "ending";
    if (!has_begun)
        return NULL;
    if (strcmp(progress->position_state, "tail") != 0)
        return "copying";
    if (receive_is_sync_history(progress->replid))
        return "cannot_resume";
    return progress->lag_bytes > (reach > LAG_BYTES ? reach : LAG_BYTES) ? "catching_up" : NULL;
}

static const char *why_of(const struct worker_task *task) {
    return worker_drain_why(task->state, task->is_forgetting, task_run_has_begun(task->run),
                            &task->run->progress);
}

void worker_drain(struct worker_task **tasks, size_t count, const struct store_worker_wish *wish) {
    int64_t places = wish->places;

    if (!wish->drain)
        return;
    for (size_t i = 0; i < count; i++)
        places -= tasks[i]->is_leaving;
    for (size_t i = 0; i < count && places > 0; i++) {
        struct worker_task *task = tasks[i];

        if (task->is_leaving || task->is_gone || !task->is_state_known ||
            task->run->outcome != TASK_GOING || why_of(task))
            continue;
        log_event(LOG_LEVEL_INFO, "task.hands-over", LOG_TEXT("job", task->run->job));
        task->is_leaving = true;
        task_run_aim(task->run, TASK_GOAL_PAUSE);
        places--;
    }
}

json_t *worker_drain_staying(struct worker_task *const *tasks, size_t count,
                             const struct store_worker_wish *wish) {
    json_t *staying;

    if (!wish->drain)
        return NULL;
    staying = json_object();
    for (size_t i = 0; i < count && json_object_size(staying) < SHOWN_MAX; i++) {
        const char *why = why_of(tasks[i]);
        char key[STORE_ID_SIZE + 16];

        if (tasks[i]->is_leaving || tasks[i]->is_gone || (!why && wish->places > 0))
            continue;
        snprintf(key, sizeof(key), "%s:%u", tasks[i]->run->job, tasks[i]->run->task);
        json_object_set_new(staying, key, json_string(why ? why : "no_place"));
    }
    return staying;
}
