#include "services/worker/worker_pace.h"

#include "services/common/clock.h"
#include "services/flow/throttle.h"

enum { LOOK_MS = 500, STEP_MS = 1000, CAP_LOWEST = 100, UNUSED_MAX = 10 };

void worker_pace_step(struct pace *pace, bool is_slow, uint64_t rate) {
    if (is_slow) {
        uint64_t used = pace->cap > 0 && pace->cap < rate ? pace->cap : rate;

        pace->cap = used / 2 > CAP_LOWEST ? used / 2 : CAP_LOWEST;
        pace->unused = 0;
        return;
    }
    if (pace->cap == 0)
        return;
    pace->unused = rate < pace->cap / 2 ? pace->unused + 1 : 0;
    pace->cap += pace->cap / 4 + 1;
    if (pace->unused >= UNUSED_MAX)
        pace->cap = 0;
}

static uint64_t above_us(const json_t *adaptive, const char *name, uint64_t latency_us) {
    uint64_t most_us = (uint64_t)json_integer_value(json_object_get(adaptive, name)) * 1000;

    return latency_us > most_us ? latency_us - most_us : 0;
}

/* The source is asked for much by a copy alone: a tail takes what comes. */
static void adapt(struct pace *pace, const json_t *adaptive, struct control_block *block,
                  struct throttle_limits *limits) {
    bool copies = atomic_load(&block->phase) < CONTROL_INCREMENTAL;
    uint64_t moved = atomic_load(copies ? &block->keys_done : &block->commands_applied);
    int64_t now = clock_mono_ms(), passed_ms = now - pace->moved_ms;

    if (pace->moved_ms == 0 || pace->copies != copies || moved < pace->moved) {
        pace->cap = 0;
    } else if (passed_ms < STEP_MS) {
        passed_ms = 0;
    } else {
        uint64_t rate = (moved - pace->moved) * 1000 / (uint64_t)passed_ms;
        uint64_t destination_us = atomic_load(&block->destination_latency_us);
        uint64_t source_us = atomic_load(&block->source_latency_us);

        /* What was asked nothing has its last answer from another time. */
        worker_pace_step(
            pace,
            (rate > 0 && above_us(adaptive, "destination_latency_ms", destination_us)) ||
                (copies && above_us(adaptive, "source_latency_ms", source_us)),
            rate);
    }
    if (passed_ms > 0) {
        pace->copies = copies;
        pace->moved = moved;
        pace->moved_ms = now;
    }
    if (copies)
        limits->full_keys = throttle_stricter(limits->full_keys, pace->cap);
    else
        limits->tail_commands = throttle_stricter(limits->tail_commands, pace->cap);
}

void worker_pace(struct pace *pace, const json_t *throttle, struct task_run *run) {
    const json_t *adaptive = json_object_get(throttle, "adaptive");
    struct throttle_limits limits;
    int window;

    if (clock_mono_ms() < pace->due_ms)
        return;
    pace->due_ms = clock_mono_ms() + LOOK_MS;
    throttle_plan_at(throttle, clock_wall_ms(), &limits, &window);
    limits.tail_commands = throttle_stricter(limits.tail_commands, pace->class_cap);
    throttle_plan_cap(&limits, pace->role_rps, pace->role_bytes);
    if (json_is_true(json_object_get(adaptive, "enabled")))
        adapt(pace, adaptive, run->control, &limits);
    else
        pace->cap = 0;
    task_run_limit(run, &limits);
}
