#include "services/flow/tail.h"

#include <inttypes.h>
#include <poll.h>

#include "services/common/clock.h"
#include "services/common/failpoint.h"
#include "services/flow/child.h"
#include "services/flow/destination_gauge.h"
#include "services/flow/spool_meta.h"
#include "services/flow/spool_reader.h"
#include "services/flow/stream_units.h"
#include "services/flow/tail_records.h"
#include "services/flow/throttle.h"

enum {
    WAIT_MS = 200,         /* whatever has no bell is looked at this often at least */
    CALM_MS = 2000,        /* … when nothing of that kind is waited for */
    EMPTY_EVERY_MS = 1500, /* a position that only passed a PING is written so often; the heartbeat
                              of every second takes it along */
    TURNS_PER_TICK = 64,
    NEAR_UNIT_COMMANDS = 2000,
    WINDOW_BYTES = 64 * 1024 * 1024,
    UNIT_OWN_SPARE = 176 * 1024 * 1024, /* what a rewritten transaction is longer by */
};

struct tail {
    struct applier *a;
    struct lane lane;
    struct spool_reader reader;
    struct stream_units units;
    uint64_t seen_end; /* of the stream, when take() last looked */
    uint64_t window;   /* bytes looked at in one go; grows for a transaction that is longer */
    struct stream_unit buffers[2];
    struct stream_unit *filling, *flying;
    bool in_flight;
    int64_t sent_at_ms;

    uint64_t replid_seen; /* control.replid_changes that `replid` reflects */
    char replid[41];      /* newest name of the history */
    bool replid_pending;  /* not yet in the position */
    bool replid_flying;

    bool said_caught_up;
    uint32_t turns;
    struct throttle bytes, commands;
    bool is_free; /* `filling` was begun before the limits were lowered */
    struct destination_gauge gauge;
    int64_t waits_since_us; /* for one of them; 0 = it does not */
    uint64_t replayed_upto; /* of control.replay_wanted */
};

/* ---- acknowledged ------------------------------------------------------------------ */

static void note_latency(struct tail *t, double heartbeat_ms) {
    double now = (double)clock_wall_us() / 1000.0;

    if (heartbeat_ms <= 0)
        return;
    CONTROL_SET(t->a, latency_us,
                now > heartbeat_ms ? (uint64_t)((now - heartbeat_ms) * 1000.0) : 0);
    CONTROL_SET(t->a, latency_at_ms, (uint64_t)now);
}

static void note_counts(struct tail *t, const struct stream_unit *u) {
    for (uint32_t i = 0; i < u->touched_count; i++) {
        uint16_t id = u->touched[i];

        for (int c = 0; c < STREAM_COUNTERS; c++)
            if (u->counts[id][c] > 0)
                CONTROL_ADD(t->a, by_command[id][c], u->counts[id][c]);
    }
}

static bool note_acknowledged(struct tail *t, struct err *err) {
    struct applier *a = t->a;
    struct stream_unit *u = t->flying;

    failpoint_pass(FAILPOINT_TAIL_UNIT_ACKNOWLEDGED);
    t->in_flight = false;
    a->position.next = u->next;
    a->position.source_db = u->source_db;
    a->position.seq++;
    if (t->replid_flying)
        memcpy(a->position.replid, t->replid, sizeof(a->position.replid));
    CONTROL_SET(a, applied_offset, u->next);
    CONTROL_ADD(a, commands_applied, u->commands);
    CONTROL_ADD(a, commands_skipped, u->skipped);
    CONTROL_ADD(a, commands_rejected, u->rejected);
    note_counts(t, u);
    CONTROL_ADD(a, bytes_applied, u->unit.bytes);
    CONTROL_ADD(a, units_applied, 1);
    applier_note_answer(a, t->lane.took_us);
    note_latency(t, u->heartbeat_ms);
    t->gauge.is_calm = u->unit.commands == 0;
    stream_unit_clear(u, a);
    spool_reader_release(&t->reader, a->position.next);
    if (!t->replid_flying)
        return true;
    /* A receive that starts anew must ask for the history by its present name. */
    t->replid_flying = false;
    return failpoint(FAILPOINT_TAIL_NEW_NAME_STORED, err) && applier_say_start(a, err);
}

/* The spool was begun anew under another number: its offsets are not ours any more. */
static bool superseded(const struct applier *a) {
    uint64_t generation =
        atomic_load_explicit(&a->control->snapshot_generation, memory_order_acquire);

    return generation != 0 && generation != a->position.generation;
}

/* Say once that nothing known is outstanding. */
static void note_caught_up(struct tail *t) {
    uint64_t source = CONTROL_GET(t->a, source_offset);
    struct err ignored = ERR_INIT;
    json_t *message;

    if (t->said_caught_up || t->in_flight || source == 0 || t->a->position.next < source)
        return;
    t->said_caught_up = true;
    message = json_pack("{s:s}", "type", "caught_up");
    /* Only news: the supervisor sees the same numbers in the control block. */
    (void)!child_send(t->a->socket_fd, message, &ignored);
    json_decref(message);
}

/* ---- sending ------------------------------------------------------------------------- */

static bool refresh_replid(struct tail *t, struct err *err) {
    uint64_t changes = atomic_load_explicit(&t->a->control->replid_changes, memory_order_acquire);
    struct spool_meta meta;

    if (changes == t->replid_seen)
        return true;
    if (!spool_meta_read(t->a->spool_fd, &meta, err))
        return false;
    t->replid_seen = changes;
    if (meta.generation == 0 || strcmp(meta.replid, t->replid) == 0)
        return true;
    memcpy(t->replid, meta.replid, sizeof(t->replid));
    t->replid_pending = true;
    return failpoint(FAILPOINT_TAIL_HISTORY_RENAMED, err);
}

/* A tenth of a second's worth: a unit is never split. */
static uint64_t unit_max(uint64_t per_second, uint64_t most) {
    return per_second == 0 || per_second / 10 >= most ? most : per_second / 10 + 1;
}

/* Nothing of a unit is seen before all of it has run, so one is small where answers are quick;
 * further away it must be worth the way. */
static uint64_t most_commands(const struct tail *t) {
    uint64_t most = NEAR_UNIT_COMMANDS + t->a->answers.quickest_us;

    return most < STREAM_UNIT_COMMANDS ? most : STREAM_UNIT_COMMANDS;
}

/* What was gathered under another limit goes at once, and is not owed for a minute: a change
 * is for what comes after it. */
static void note_limits(struct tail *t, uint64_t bytes_max, uint64_t commands_max) {
    uint64_t bytes = unit_max(bytes_max, STREAM_UNIT_BYTES);
    uint64_t commands = unit_max(commands_max, most_commands(t));

    if (bytes < t->units.bytes_max / 2 || commands < t->units.commands_max / 2)
        t->is_free = t->filling->unit.commands > 0;
    t->units.bytes_max = (size_t)bytes;
    t->units.commands_max = (uint32_t)commands;
}

static int64_t throttled_us(struct tail *t) {
    uint64_t bytes_max = CONTROL_GET(t->a, tail_bytes_per_second_max);
    uint64_t commands_max = CONTROL_GET(t->a, tail_commands_per_second_max);
    int64_t bytes_us, commands_us, wait_us, now;

    note_limits(t, bytes_max, commands_max);
    if (bytes_max == 0 && commands_max == 0 && t->waits_since_us == 0) {
        throttle_lift(&t->bytes);
        throttle_lift(&t->commands);
        return 0;
    }
    now = clock_mono_us();
    bytes_us = throttle_wait_us(&t->bytes, bytes_max, now);
    commands_us = throttle_wait_us(&t->commands, commands_max, now);
    wait_us = bytes_us > commands_us ? bytes_us : commands_us;
    CONTROL_ADD(
        t->a, tail_waited_us,
        throttle_waited_us(&t->waits_since_us, wait_us > 0 && t->filling->unit.commands > 0, now));
    return wait_us;
}

static int64_t empty_due_ms(const struct tail *t) {
    return t->sent_at_ms + EMPTY_EVERY_MS - clock_mono_ms();
}

static bool worth_sending(const struct tail *t) {
    const struct stream_unit *u = t->filling;

    return u->unit.commands > 0 || u->reject_count > 0 ||
           (u->next > 0 &&
            (empty_due_ms(t) <= 0 || u->heartbeat_ms > 0 || applier_want(t->a) != CONTROL_RUN));
}

static bool send(struct tail *t, struct err *err) {
    struct stream_unit *u = t->filling;
    struct lane_position end = {
        .next = u->next,
        .source_db = u->source_db,
        .replid = t->replid_pending ? t->replid : NULL,
    };

    if (!failpoint(FAILPOINT_TAIL_UNIT_FILLED, err) ||
        (u->reject_count > 0 && !tail_records_keep(t->a, u, err)))
        return false;
    throttle_take(&t->bytes, t->is_free ? 0 : u->unit.bytes);
    throttle_take(&t->commands, t->is_free ? 0 : u->commands);
    t->is_free = false;
    t->sent_at_ms = clock_mono_ms();
    t->replid_flying = t->replid_pending;
    t->replid_pending = false;
    t->filling = t->flying;
    t->flying = u;
    t->in_flight = true;
    return lane_send(&t->lane, &u->unit, &t->a->position, &end, err);
}

/* ---- the loop --------------------------------------------------------------------------- */

static bool take(struct tail *t, struct err *err) {
    uint64_t end = atomic_load_explicit(&t->a->control->stream_end, memory_order_acquire);
    uint64_t start = t->units.start;
    struct str view;

    t->seen_end = end;
    if (end <= t->units.at)
        return true;
    if (end - start > t->window)
        end = t->seen_end = start + t->window;
    if (spool_reader_exhausted(&t->reader, end) && !t->in_flight && t->filling->unit.bytes == 0 &&
        !spool_reader_rebase(&t->reader, start, err))
        return false;
    failpoint_pass(FAILPOINT_TAIL_TAKES);
    /* The name of the history comes before its bytes. */
    if (!refresh_replid(t, err) || !spool_reader_view(&t->reader, start, end, &view, err) ||
        !stream_units_take(&t->units, view, t->filling, err))
        return false;
    if (t->units.start > start)
        t->window = WINDOW_BYTES;
    else if (view.len == t->window && !stream_units_full(&t->units, t->filling))
        t->window *= 2;
    return true;
}

/* There is a beginning of something, and nothing else to be done. */
static void note_waiting(struct tail *t) {
    if (!t->in_flight && t->filling->next == 0 && t->units.start < t->seen_end)
        atomic_store_explicit(&t->a->control->tail_waits_at, t->seen_end, memory_order_release);
}

/* Bytes, limits, and what is wanted come with the bell. Beyond that there is a place that only
 * passed a PING, unless a limit holds it, and the end of anything but running. */
static int most_ms(const struct tail *t, enum control_want want, int64_t wait_us) {
    int64_t due_ms = CALM_MS;

    if (want != CONTROL_RUN || !t->said_caught_up || t->in_flight || t->lane.state != LANE_READY)
        return WAIT_MS;
    if (wait_us == 0 && t->filling->next > 0 && empty_due_ms(t) < due_ms)
        due_ms = empty_due_ms(t);
    return due_ms > 0 ? (int)due_ms : 0;
}

/* `want` is what the loop has heeded: a newer one is not slept over. */
static void rest(struct tail *t, enum control_want want, int64_t wait_us) {
    struct pollfd fds[2] = {
        {.fd = lane_fd(&t->lane), .events = lane_events(&t->lane)},
        {.fd = t->a->bell, .events = POLLIN},
    };
    struct control_block *control = t->a->control;
    int most = most_ms(t, want, wait_us);
    int timeout_ms = wait_us > 0 && wait_us / 1000 < most ? (int)(wait_us / 1000) + 1 : most;

    if (t->in_flight && stream_units_full(&t->units, t->filling)) {
        (void)poll(fds, 1, timeout_ms); /* more bytes would find no room: let the bell be */
        return;
    }
    control_bell_arm(&control->apply_sleeps);
    /* There is something to do at once only when bytes came since the last look and a
     * unit of them may go. */
    if ((wait_us > 0 || t->lane.state != LANE_READY ||
         atomic_load(&control->stream_end) <= t->seen_end) &&
        atomic_load(&control->want) == want)
        (void)poll(fds, 2, timeout_ms);
    control_bell_clear(t->a->bell, &control->apply_sleeps);
}

/* What comes in is applied. */
static bool applies(enum control_want want) {
    return want == CONTROL_RUN || want == CONTROL_STOP_DRAIN || want == CONTROL_CUTOVER;
}

/* Everything that may still be applied has been, and nothing is on its way. */
static bool finished(const struct tail *t, enum control_want want) {
    uint64_t goal = CONTROL_GET(t->a, drain_offset);

    if (t->in_flight || t->lane.state != LANE_READY)
        return false;
    if (want == CONTROL_CUTOVER)
        return CONTROL_GET(t->a, cutover_goal) != 0 &&
               t->a->position.next >= CONTROL_GET(t->a, cutover_goal) && applier_may_seal(t->a);
    if (want != CONTROL_STOP_DRAIN)
        return want != CONTROL_RUN;
    return goal != 0 && t->a->position.next >= goal;
}

/* Not with every turn: a busy tail takes thousands a second. */
static void tick(struct tail *t) {
    if (++t->turns % TURNS_PER_TICK == 0 || !t->in_flight)
        destination_gauge_tick(&t->gauge);
}

static bool replay(struct tail *t, struct err *err) {
    return CONTROL_GET(t->a, replay_wanted) <= t->replayed_upto ||
           tail_records_replay(t->a, &t->lane, &t->units, t->flying, &t->replayed_upto, err);
}

static bool loop(struct tail *t, enum applier_next *ret_next, struct err *err) {
    for (;;) {
        enum control_want want = applier_want(t->a);
        bool may_send = applies(want);
        int64_t wait_us = throttled_us(t); /* before units grow: it limits them too */

        if (!lane_pump(&t->lane, err))
            return false;
        if (t->in_flight && t->lane.state == LANE_READY && !note_acknowledged(t, err))
            return false;
        if (superseded(t->a))
            return err_set(err, ERR_SPOOL_MOVED, "the spool went on to another snapshot");
        note_caught_up(t);
        tick(t);
        if (finished(t, want)) {
            failpoint_pass(FAILPOINT_TAIL_FINISHED);
            *ret_next = want == CONTROL_PAUSE     ? APPLIER_PAUSED
                        : want == CONTROL_CUTOVER ? APPLIER_SEAL
                                                  : APPLIER_STOP;
            return true;
        }
        if (may_send && t->lane.state == LANE_READY && !replay(t, err))
            return false;
        if (may_send && !take(t, err))
            return false;
        if (may_send && t->lane.state == LANE_READY && worth_sending(t) && wait_us == 0) {
            if (!send(t, err))
                return false;
            continue;
        }
        if (may_send)
            note_waiting(t);
        rest(t, want, wait_us);
    }
}

static uint64_t received(void *ctx, uint64_t offset) {
    return spool_reader_received_ms(ctx, offset);
}

/* The spool must hold what comes next before it can be read. */
static bool wait_for_stream(struct applier *a) {
    struct control_block *control = a->control;

    while (applies(applier_want(a))) {
        control_bell_arm(&control->apply_sleeps);
        if (!superseded(a) && atomic_load(&control->stream_end) >= a->position.next &&
            atomic_load(&control->stream_start) <= a->position.next) {
            control_bell_clear(a->bell, &control->apply_sleeps);
            return true;
        }
        control_bell_wait(a->bell, &control->apply_sleeps, WAIT_MS);
    }
    return false;
}

bool tail_run(struct applier *a, struct redis_client client, enum applier_next *ret_next,
              struct redis_client *ret_client, struct err *err) {
    struct tail t = {.a = a, .reader = SPOOL_READER_INIT, .window = WINDOW_BYTES};
    bool ok;

    CONTROL_SET(a, applied_offset, a->position.next);
    CONTROL_SET(a, durable_offset, 0);
    CONTROL_SET(a, phase, CONTROL_INCREMENTAL);
    failpoint_pass(FAILPOINT_TAIL_WAITS_FOR_STREAM);
    if (!wait_for_stream(a)) {
        *ret_next = applier_want(a) == CONTROL_PAUSE ? APPLIER_PAUSED : APPLIER_STOP;
        *ret_client = client;
        return true;
    }
    t.filling = &t.buffers[0];
    t.flying = &t.buffers[1];
    for (int i = 0; i < 2; i++)
        stream_unit_init(&t.buffers[i], a->spec.transaction_bytes + UNIT_OWN_SPARE, a);
    memcpy(t.replid, a->position.replid, sizeof(t.replid));
    t.replid_seen = UINT64_MAX; /* look once in any case */
    stream_units_init(&t.units, a, a->position.next, a->position.source_db);
    t.units.received = received;
    t.units.received_ctx = &t.reader;
    t.units.keeps_others = true;
    lane_init(&t.lane, &a->spec, LANE_TAIL);
    destination_gauge_init(&t.gauge, a);
    ok = lane_start(&t.lane, client, &a->position, a->can_seal ? NULL : &a->names, err) &&
         spool_reader_open(&t.reader, a->spool_fd, "stream", a->position.next, err) &&
         loop(&t, ret_next, err) && lane_leave(&t.lane, ret_client, err);
    lane_close(&t.lane);
    if (!ok && err->code == ERR_DIVERGED)
        destination_gauge_last_look(&t.gauge);
    destination_gauge_done(&t.gauge);
    spool_reader_close(&t.reader);
    stream_unit_done(&t.buffers[0]);
    stream_unit_done(&t.buffers[1]);
    return ok;
}
