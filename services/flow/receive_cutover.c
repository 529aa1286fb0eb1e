#include "services/flow/receive_cutover.h"

#include <inttypes.h>

#include "services/common/clock.h"
#include "services/flow/child.h"
#include "services/flow/receiver.h"

enum {
    QUIET_MS = 700,         /* a source that nobody writes is watched for so long */
    LOOK_MS = 100,          /* between questions to it */
    LAG_WAIT_MS = 600000,   /* until the destination is near */
    DRAIN_WAIT_MS = 600000, /* without a pause; with one, its own time limits it */
    SLICE_MS = 2000,        /* of a pause */
    RENEW_MS = 400,
    MARGIN_MS = 500, /* a seal that is begun so long before a slice ends is set within it */
    TICK_MS = 2,
};

static uint64_t limit(const _Atomic uint64_t *value) {
    return atomic_load_explicit(value, memory_order_relaxed);
}

static bool pauses(const struct receiver *r) {
    return atomic_load_explicit(&r->control->cutover_pauses, memory_order_relaxed) != 0;
}

static void go_to(struct receiver *r, enum control_cutover step) {
    r->cutover.step = step;
    r->cutover.look_at_ms = 0;
    atomic_store_explicit(&r->control->cutover_step, step, memory_order_release);
    control_bell_ring(r->apply_bell, &r->control->apply_sleeps);
}

static void unpause(struct receiver *r) {
    struct receive_cutover *c = &r->cutover;
    struct err ignored = ERR_INIT;
    int64_t waited;

    if (!c->is_paused)
        return;
    /* One that cannot be said is over when its slice is. */
    (void)!source_side_unpause(&r->side, &ignored);
    waited = clock_mono_ms() - c->paused_at_ms;
    atomic_store_explicit(&r->control->cutover_write_pause_ms, (uint64_t)waited,
                          memory_order_relaxed);
    atomic_store_explicit(&r->control->cutover_paused_at_ms, 0, memory_order_relaxed);
    c->is_paused = false;
}

static void give_up(struct receiver *r, const char *because, const char *detail) {
    json_t *message;
    struct err ignored = ERR_INIT;

    unpause(r);
    r->side.is_quiet = false;
    go_to(r, CUTOVER_GIVEN_UP);
    message =
        json_pack("{s:s, s:s, s:s}", "type", "cutover_over", "because", because, "detail", detail);
    /* A supervisor that is gone ends us anyway. */
    (void)!child_send(r->socket_fd, message, &ignored);
    json_decref(message);
}

static void give_up_for(struct receiver *r, const char *because, const struct err *why) {
    char text[400];

    err_format(why, text, sizeof(text));
    give_up(r, because ? because : err_slug(why->code), text);
}

/* Ask the source where it is. False: the cutover was given up. */
static bool look(struct receiver *r, uint64_t *ret_end) {
    struct err why = ERR_INIT;

    if (r->main_link.stage != LINK_STREAM) {
        give_up(r, "source_connection_lost", "the replication link is down");
        return false;
    }
    if (r->main_link.options.sync) {
        give_up(r, "source_position_unknown",
                "a source that is read by SYNC does not tell where it is: stop the writers, then "
                "the job");
        return false;
    }
    if (source_side_sample(&r->side, r->meta.replid, ret_end, &why))
        return true;
    give_up_for(r, NULL, &why);
    return false;
}

/* Nobody has written since `before`? *ret_again: that cannot be told, take a new goal. */
static bool stands_still(struct receiver *r, uint64_t end, bool *ret_again) {
    const struct receive_cutover *c = &r->cutover;
    bool is_known;
    uint64_t writes = source_writes_between(&c->before, &r->side.writes, &is_known);
    char detail[120];

    *ret_again = !is_known && (r->side.writes.count >= 0 || end != c->goal);
    if (writes == 0)
        return true;
    snprintf(detail, sizeof(detail), "%" PRIu64 " writes within %" PRId64 " ms", writes,
             clock_mono_ms() - c->began_ms);
    give_up(r, c->is_paused ? "pause_not_kept" : "source_still_written", detail);
    return false;
}

static void begin(struct receiver *r) {
    struct receive_cutover *c = &r->cutover;
    uint64_t end;

    *c = (struct receive_cutover){.began_ms = clock_mono_ms()};
    r->side.is_quiet = true; /* what we write would look like a writer */
    atomic_store_explicit(&r->control->cutover_goal, 0, memory_order_relaxed);
    atomic_store_explicit(&r->control->cutover_seal_until_ms, 0, memory_order_relaxed);
    atomic_store_explicit(&r->control->cutover_write_pause_ms, 0, memory_order_relaxed);
    atomic_store_explicit(&r->control->cutover_stray_writes, 0, memory_order_relaxed);
    c->step = CUTOVER_PREPARING;
    if (!look(r, &end))
        return;
    c->before = r->side.writes;
    c->goal = end;
    go_to(r, pauses(r) ? CUTOVER_LAG : CUTOVER_PREPARING);
    c->look_at_ms = clock_mono_ms() + LOOK_MS;
}

static bool is_due(struct receive_cutover *c, int64_t now, int64_t every_ms) {
    if (now < c->look_at_ms)
        return false;
    c->look_at_ms = now + every_ms;
    return true;
}

static void prepare(struct receiver *r, int64_t now) {
    struct receive_cutover *c = &r->cutover;
    bool again;
    uint64_t end;

    if (!is_due(c, now, LOOK_MS) || !look(r, &end) || !stands_still(r, end, &again))
        return;
    if (again && r->side.writes.count < 0) {
        give_up(r, "source_still_written", "its offset moves, and it does not tell its writes");
    } else if (again) {
        c->before = r->side.writes;
        c->began_ms = now;
    } else if (now - c->began_ms >= QUIET_MS) {
        go_to(r, CUTOVER_LAG);
    }
}

/* The next slice; false: the cutover was given up. */
static bool hold(struct receiver *r, int64_t now) {
    struct receive_cutover *c = &r->cutover;
    int64_t most = (int64_t)limit(&r->control->cutover_pause_ms_max);
    int64_t left = c->is_paused ? c->paused_at_ms + most - now : most;
    struct err why = ERR_INIT;

    if (left <= 0) {
        give_up(r, "pause_timeout", "the destination had not taken over in that time");
        return false;
    }
    if (c->is_paused && c->held_until_ms - now > SLICE_MS - RENEW_MS)
        return true;
    if (left > SLICE_MS)
        left = SLICE_MS;
    if (!c->is_paused) {
        c->paused_at_ms = now;
        atomic_store_explicit(&r->control->cutover_paused_at_ms, (uint64_t)clock_wall_ms(),
                              memory_order_relaxed);
    }
    if (!source_side_pause(&r->side, left, &why)) {
        bool is_first = !c->is_paused;

        c->is_paused = true; /* it may have been heard */
        give_up_for(r, is_first ? "pause_refused" : NULL, &why);
        return false;
    }
    c->is_paused = true;
    c->held_until_ms = now + left;
    return true;
}

/* From here on nobody writes: what the source has is the goal. */
static void take_goal(struct receiver *r, int64_t now) {
    struct receive_cutover *c = &r->cutover;
    uint64_t end;

    if ((pauses(r) && !hold(r, now)) || !look(r, &end))
        return;
    if (pauses(r))
        c->before = r->side.writes;
    c->goal = end;
    atomic_store_explicit(&r->control->cutover_goal, end, memory_order_release);
    go_to(r, CUTOVER_DRAINING);
}

static void come_near(struct receiver *r, int64_t now) {
    struct receive_cutover *c = &r->cutover;
    uint64_t applied = atomic_load_explicit(&r->control->applied_offset, memory_order_relaxed);
    uint64_t end;

    if (now - c->began_ms > LAG_WAIT_MS) {
        give_up(r, "lag_timeout", "the destination did not come near enough in ten minutes");
        return;
    }
    if (!is_due(c, now, LOOK_MS) || !look(r, &end))
        return;
    if (end <= applied || end - applied <= limit(&r->control->cutover_lag_bytes_max))
        take_goal(r, now);
}

/* The seal may be set as long as nobody can have written. */
static void permit(struct receiver *r, int64_t now) {
    struct receive_cutover *c = &r->cutover;
    int64_t until = c->is_paused ? c->held_until_ms - MARGIN_MS : now + SLICE_MS - MARGIN_MS;

    atomic_store_explicit(&r->control->cutover_seal_until_ms, (uint64_t)until,
                          memory_order_relaxed);
}

static void drain(struct receiver *r, int64_t now) {
    struct receive_cutover *c = &r->cutover;
    uint64_t end;
    bool again;

    if (c->is_paused && !hold(r, now))
        return;
    if (!c->is_paused && now - c->began_ms > DRAIN_WAIT_MS) {
        give_up(r, "lag_timeout", "the rest was not applied in ten minutes");
        return;
    }
    if (atomic_load_explicit(&r->control->applied_offset, memory_order_relaxed) < c->goal)
        return;
    if (!look(r, &end) || !stands_still(r, end, &again))
        return;
    if (again) {
        c->before = r->side.writes;
        c->goal = end;
        atomic_store_explicit(&r->control->cutover_goal, end, memory_order_release);
        go_to(r, CUTOVER_DRAINING);
        return;
    }
    permit(r, now);
    go_to(r, CUTOVER_MAY_SEAL);
}

/* Behind the seal nothing can be undone: what was written too late is counted. */
static void count_strays(struct receiver *r) {
    struct err ignored = ERR_INIT;
    uint64_t end, writes;
    bool is_known;

    if (!source_side_sample(&r->side, NULL, &end, &ignored))
        return;
    writes = source_writes_between(&r->cutover.before, &r->side.writes, &is_known);
    atomic_store_explicit(&r->control->cutover_stray_writes, writes, memory_order_relaxed);
}

static void await_seal(struct receiver *r, int64_t now) {
    uint32_t seal = atomic_load(&r->control->seal);
    int64_t held_until_ms = r->cutover.held_until_ms;

    if (r->cutover.is_paused) {
        if (!hold(r, now))
            return;
        /* Renewed too late: we stood still, the source was written meanwhile, perhaps. The former
         * leave to seal has ended before that. */
        if (clock_mono_ms() >= held_until_ms)
            go_to(r, CUTOVER_DRAINING); /* look again */
        else
            permit(r, now);
    } else if (seal == SEAL_OPEN && now >= (int64_t)limit(&r->control->cutover_seal_until_ms)) {
        go_to(r, CUTOVER_DRAINING); /* apply came too late: look again */
    }
}

int receive_cutover_tick(struct receiver *r, int tick_ms) {
    struct receive_cutover *c = &r->cutover;
    int64_t now = clock_mono_ms();

    if (atomic_load(&r->control->want) != CONTROL_CUTOVER) {
        if (c->step != CUTOVER_IDLE) {
            unpause(r);
            r->side.is_quiet = false;
            go_to(r, CUTOVER_IDLE);
        }
        return tick_ms;
    }
    /* Also when it was given up at the very moment apply set the seal. */
    if (atomic_load(&r->control->seal) == SEAL_SET && c->step != CUTOVER_WRITERS_FREE) {
        count_strays(r);
        unpause(r);
        go_to(r, CUTOVER_WRITERS_FREE);
    }
    switch (c->step) {
    case CUTOVER_IDLE:
        begin(r);
        break;
    case CUTOVER_PREPARING:
        prepare(r, now);
        break;
    case CUTOVER_LAG:
        come_near(r, now);
        break;
    case CUTOVER_DRAINING:
        drain(r, now);
        break;
    case CUTOVER_MAY_SEAL:
        await_seal(r, now);
        break;
    case CUTOVER_WRITERS_FREE:
    case CUTOVER_GIVEN_UP:
        return tick_ms;
    }
    return c->step >= CUTOVER_DRAINING || tick_ms < TICK_MS ? TICK_MS
           : tick_ms < LOOK_MS                              ? tick_ms
                                                            : LOOK_MS;
}

void receive_cutover_end(struct receiver *r) {
    if (r->cutover.step != CUTOVER_IDLE)
        unpause(r);
}
