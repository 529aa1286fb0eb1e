#include "services/worker/worker_series.h"

#include <stdio.h>
#include <stdlib.h>

#include "services/common/clock.h"
#include "services/job/job_health.h"
#include "sql/store_series.h"

enum {
    WRITE_MS = 1000,
    WRITE_TURNS = 10, /* a tenth of the tasks at a time */
    FULL_MAX = 20000, /* buckets that wait for a database; about 5 KB each */
};

static void keep(void *ctx, const char *job, int step, const struct series_bucket *b) {
    struct worker_series *w = ctx;
    struct store_series_row *row;

    if (w->count == w->room) {
        size_t room = w->room ? w->room * 2 : 64;
        struct store_series_row *rows =
            room > FULL_MAX ? NULL : realloc(w->rows, room * sizeof(*rows));

        if (!rows)
            return; /* a gap in a chart */
        w->rows = rows;
        w->room = room;
    }
    row = &w->rows[w->count++];
    snprintf(row->job, sizeof(row->job), "%s", job);
    row->step = step;
    row->bucket = *b;
}

struct full_of {
    struct worker_series *to;
    const char *job;
};

static void keep_full(void *ctx, int step, const struct series_bucket *b) {
    const struct full_of *f = ctx;

    keep(f->to, f->job, step, b);
}

/* What the job shows, also while no heartbeat arrives: the last one's would look well. */
static int64_t latency_us(const struct worker_task *task) {
    const struct store_progress *p = &task->run->progress;
    const struct job_seen seen = {.state = task->state, .progress = p, .now_ms = p->sampled_at_ms};
    struct job_latency latency = job_health_latency(&seen);

    if (latency.ms < 0)
        return SERIES_UNKNOWN;
    return latency.ms == p->latency_us / 1000 ? p->latency_us : latency.ms * 1000;
}

void worker_series_take(struct worker *worker, struct worker_task *task) {
    const struct store_progress *p = &task->run->progress;
    struct full_of full = {.to = &worker->series, .job = task->run->job};
    int64_t values[SERIES_COUNT] = {
        [SERIES_latency_us] = latency_us(task),
        [SERIES_lag_bytes] = p->lag_bytes,
        [SERIES_keys_per_second] = p->keys_per_second,
        [SERIES_commands_per_second] = p->commands_per_second,
        [SERIES_bytes_per_second] = p->bytes_per_second,
        [SERIES_spool_bytes] = p->spool_bytes,
        [SERIES_destination_memory_bytes] =
            p->destination_memory_bytes > 0 ? p->destination_memory_bytes : SERIES_UNKNOWN,
        [SERIES_destination_latency_us] = p->destination_latency_us,
        [SERIES_waited_us] = p->source_waited_us + p->full_waited_us + p->tail_waited_us,
        [SERIES_reconnects] = p->reconnects,
    };

    if (!task->series) {
        task->series = calloc(1, sizeof(*task->series));
        if (!task->series)
            abort();
    }
    series_take(task->series, clock_wall_ms() / 1000, values, keep_full, &full);
}

/* What is open and has changed goes with what is full. */
static void keep_open(struct worker_series *to, struct worker_task *task) {
    struct series *s = task->series;

    for (int i = 0; s && i < SERIES_STEPS; i++) {
        if (!s->is_changed[i])
            continue;
        keep(to, task->run->job, series_steps[i], &s->open[i]);
        s->is_changed[i] = false;
    }
}

void worker_series_leave(struct worker *worker, struct worker_task *task) {
    keep_open(&worker->series, task);
    worker->series.due_ms = 0;
}

bool worker_series_write(struct worker *worker, struct worker_task **tasks, size_t count,
                         bool at_once, struct err *err) {
    struct worker_series *w = &worker->series;
    int64_t now = clock_mono_ms();

    if (!at_once && now < w->due_ms)
        return true;
    w->due_ms = now + WRITE_MS;
    w->turn = (w->turn + 1) % WRITE_TURNS;
    for (size_t i = 0; i < count; i++) {
        if (at_once || i % WRITE_TURNS == w->turn)
            keep_open(w, tasks[i]);
    }
    if (w->count == 0)
        return true;
    if (!store_series_put(worker->store, w->rows, w->count, err))
        return false; /* they stay */
    w->count = 0;
    return true;
}

void worker_series_done(struct worker *worker) {
    free(worker->series.rows);
    worker->series = (struct worker_series){.rows = NULL};
}
