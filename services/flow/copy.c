#include <poll.h>

#include "services/common/failpoint.h"

#include "services/common/clock.h"
#include "services/flow/copy_parts.h"

enum { UNIT_OWN_MAX = 640 * 1024 * 1024 }; /* one value of the largest size and its neighbours */

/* ---- the lane ------------------------------------------------------------------------ */

/* Wait for a reply, or for more of the snapshot when `for_bytes`. */
static void rest(struct copy *c, bool for_bytes, int timeout_ms) {
    struct control_block *control = c->a->control;
    struct pollfd fds[2] = {
        {.fd = lane_fd(&c->lane), .events = lane_events(&c->lane)},
        {.fd = c->a->bell, .events = POLLIN},
    };

    if (!for_bytes) {
        (void)poll(fds, 1, timeout_ms);
        return;
    }
    control_bell_arm(&control->apply_sleeps);
    if (atomic_load(&control->snapshot_bytes) <= c->seen_end || c->in_flight)
        (void)poll(fds, 2, timeout_ms);
    control_bell_clear(c->a->bell, &control->apply_sleeps);
}

static void note_acknowledged(struct copy *c) {
    struct applier *a = c->a;
    const struct copy_mark *mark = &c->flying->end;

    failpoint_pass(FAILPOINT_COPY_UNIT_ACKNOWLEDGED);
    c->in_flight = false;
    applier_note_answer(a, c->lane.took_us);
    if (c->unit_bytes < COPY_UNIT_BYTES_MAX)
        c->unit_bytes *= 2;
    a->position.next = mark->at.offset;
    copy_mark_format(mark, a->position.mark);
    CONTROL_SET(a, keys_done, mark->keys_done);
    CONTROL_SET(a, copy_database, (uint64_t)mark->at.db + 1);
    CONTROL_SET(a, keys_expired, mark->keys_expired);
    CONTROL_SET(a, keys_conflict, mark->keys_conflict);
    CONTROL_SET(a, field_expiries_dropped, mark->field_expiries_dropped);
    CONTROL_SET(a, copy_bytes_done, mark->at.offset);
    unit_clear(&c->flying->unit, a->spec.lowest_database);
    copy_forget_kept(c, mark->at.offset);
    copy_pass(c, mark->at.offset);
    spool_reader_release(&c->reader, mark->at.offset);
}

static bool pump(struct copy *c, struct err *err) {
    if (!lane_pump(&c->lane, err))
        return false;
    if (c->in_flight && c->lane.state == LANE_READY)
        note_acknowledged(c);
    return true;
}

static bool wait_ready(struct copy *c, struct err *err) {
    for (;;) {
        if (!pump(c, err))
            return false;
        if (c->lane.state == LANE_READY)
            return true;
        rest(c, false, COPY_WAIT_MS);
    }
}

bool copy_send_alone(struct copy *c, struct unit *unit, uint64_t next, bool stops,
                     struct err *err) {
    struct lane_position end = {.next = next, .by_unit = true, .stops = stops};

    return lane_send(&c->lane, unit, &c->a->position, &end, err) && wait_ready(c, err);
}

bool copy_send_aside(struct copy *c, struct unit *unit, struct err *err) {
    struct lane_position end = {.mark = c->a->position.mark, .next = c->a->position.next};

    return lane_send(&c->lane, unit, &c->a->position, &end, err) && wait_ready(c, err);
}

bool copy_send(struct copy *c, struct err *err) {
    struct copy_unit *u = c->filling;
    char text[POSITION_MARK_MAX];
    struct lane_position end = {.mark = text};

    if (!copy_encoder_flush(&c->encoder, &u->unit, err))
        return false;
    /* Of a value in pieces nothing counts before all of it does. */
    if (copy_encoder_in_pieces(&c->encoder))
        u->end = c->before;
    else
        u->end = (struct copy_mark){
            .at = c->ended ? c->end : rdb_parser_mark(&c->parser),
            .keys_done = c->keys_done,
            .keys_expired = c->keys_expired,
            .keys_conflict = c->keys_conflict,
            .field_expiries_dropped = c->encoder.field_expiries_dropped,
            .stream_db = c->stream_db,
            .temporary = COPY_TEMPORARY_NONE,
        };
    if (!failpoint(FAILPOINT_COPY_UNIT_FILLED, err))
        return false;
    /* Never behind the mark: what a later life does not parse again is in the file. */
    if (c->keys_seen.fd >= 0 && !key_set_flush(&c->keys_seen, err))
        return false;
    copy_mark_format(&u->end, text);
    end.next = c->sent_until = u->end.at.offset;
    c->filling = c->flying;
    c->flying = u;
    c->in_flight = true;
    return lane_send(&c->lane, &u->unit, &c->a->position, &end, err);
}

/* ---- the run --------------------------------------------------------------------------- */

/* A newer full sync has begun: the bytes under work are no more. */
static bool superseded(const struct copy *c) {
    return atomic_load_explicit(&c->a->control->snapshot_generation, memory_order_acquire) !=
           c->meta.generation;
}

static bool step(struct copy *c, struct err *err) {
    bool starved = false;
    int64_t wait_us;

    if (!pump(c, err) || (!copy_is_full(c) && !c->ended && !copy_fill(c, &starved, err)))
        return false;
    destination_gauge_tick(&c->gauge);
    wait_us = copy_throttled_us(c);
    if (wait_us > 0 || c->waits_since_us)
        CONTROL_ADD(c->a, full_waited_us,
                    throttle_waited_us(&c->waits_since_us, wait_us > 0, clock_mono_us()));
    /* What is half full goes out when there is nothing to add to it. */
    if (!c->in_flight && (copy_is_full(c) || starved || c->ended || wait_us > 0) &&
        (c->filling->unit.commands > 0 || c->encoder.group_count > 0 ||
         (copy_is_full(c) && !c->ended)))
        return copy_send(c, err);
    if (c->ended && !c->in_flight)
        return true;
    if (starved && !c->in_flight)
        atomic_store_explicit(&c->a->control->copy_waits_at, c->seen_end, memory_order_release);
    if (starved || c->in_flight || wait_us > 0)
        rest(c, starved,
             wait_us > 0 && wait_us / 1000 < COPY_WAIT_MS ? (int)(wait_us / 1000) + 1
                                                          : COPY_WAIT_MS);
    return true;
}

static bool finished(const struct copy *c) {
    return c->ended && !c->in_flight && c->filling->unit.commands == 0 &&
           c->encoder.group_count == 0;
}

static bool same_snapshot(const struct copy *c) {
    const struct position *p = &c->a->position;

    return c->meta.snapshot_offset == p->snapshot_offset &&
           spool_meta_is_history(&c->meta, p->replid);
}

/* A copy that a person let go over everything asks for nothing. */
static bool asks_first(const struct applier *a) {
    enum position_fresh fresh = a->position.fresh;

    return (a->spec.conflict == TASK_CONFLICT_SKIP || a->spec.conflict == TASK_CONFLICT_FAIL) &&
           (fresh == POSITION_SHARED || fresh == POSITION_FRESH);
}

/* The position is of this snapshot, or becomes so. */
static bool take_up(struct copy *c, struct err *err) {
    const struct applier *a = c->a;
    bool is_ours = c->meta.generation == a->position.generation;

    if (is_ours && !same_snapshot(c))
        return err_set(err, ERR_SPOOL_MOVED, "the spool holds another snapshot of that number");
    if (is_ours && !position_is_to_begin(&a->position))
        return copy_sweep_open(c, false, err) &&
               copy_pieces_put_removal(&c->leftover, &a->target, &a->spec, &c->filling->unit, err);
    if (!copy_begin_generation(c, err))
        return false;
    c->keys_done = 0;
    return copy_sweep_open(c, true, err);
}

static bool prepare(struct copy *c, struct redis_client client, struct err *err) {
    struct applier *a = c->a;
    struct copy_mark mark;

    c->lane.client = client; /* closed with the lane if what follows fails */
    if (!spool_meta_read(a->spool_fd, &c->meta, err) ||
        !lane_start(&c->lane, client, &a->position, a->can_seal ? NULL : &a->names, err) ||
        !wait_ready(c, err))
        return false;
    if (a->position.mark[0]) {
        if (!copy_mark_parse(str_from(a->position.mark), &mark, err))
            return false;
        c->keys_done = mark.keys_done;
        c->leftover = mark.temporary;
    }
    if (!take_up(c, err) || !failpoint(FAILPOINT_COPY_PREPARED, err))
        return false;
    rdb_parser_init(&c->parser);
    if (a->position.mark[0]) {
        rdb_parser_resume(&c->parser, &mark.at);
        c->keys_expired = mark.keys_expired;
        c->keys_conflict = mark.keys_conflict;
        c->encoder.field_expiries_dropped = mark.field_expiries_dropped;
        c->stream_db = mark.stream_db;
        copy_encoder_set_source(&c->encoder, c->parser.vendor, &c->templates);
        if (!copy_read_templates(c, &mark.at, err))
            return false;
    }
    rdb_parser_use_templates(&c->parser, &c->templates);
    if (asks_first(a) && !copy_scout_open(&c->scout, a, err))
        return false;
    c->sent_until = c->parser.offset;
    CONTROL_SET(a, copy_bytes_done, c->parser.offset);
    atomic_store_explicit(&a->control->copy_waits_at, 0, memory_order_release);
    atomic_store_explicit(&a->control->copy_generation, c->meta.generation, memory_order_release);
    return spool_reader_open(&c->reader, a->spool_fd, "snapshot", c->parser.offset, err);
}

static bool run(struct copy *c, enum applier_next *ret_next, struct err *err) {
    while (!finished(c)) {
        enum control_want want = applier_want(c->a);

        if (superseded(c)) {
            failpoint_pass(FAILPOINT_COPY_SUPERSEDED);
            *ret_next = APPLIER_RESTART;
            return true;
        }
        /* A drain goes on: what the source holds now includes the rest of the snapshot. */
        if (want == CONTROL_PAUSE || want == CONTROL_STOP_NOW) {
            *ret_next = want == CONTROL_PAUSE ? APPLIER_PAUSED : APPLIER_STOP;
            return wait_ready(c, err); /* what is not sent yet will be read again */
        }
        if (!step(c, err))
            return false;
    }
    if (superseded(c)) {
        *ret_next = APPLIER_RESTART;
        return true;
    }
    /* What came behind the last key that was written. */
    CONTROL_SET(c->a, keys_expired, c->keys_expired);
    CONTROL_SET(c->a, keys_conflict, c->keys_conflict);
    *ret_next = APPLIER_ON;
    if (!failpoint(FAILPOINT_COPY_ENDED, err) || !copy_sweep(c, ret_next, err))
        return false;
    if (superseded(c))
        *ret_next = APPLIER_RESTART;
    return !c->a->spec.incremental || *ret_next != APPLIER_ON || copy_begin_tail(c, err);
}

bool copy_run(struct applier *a, struct redis_client client, enum applier_next *ret_next,
              struct redis_client *ret_client, struct err *err) {
    struct copy c = {.a = a,
                     .window = COPY_VIEW_BYTES,
                     .unit_bytes = COPY_UNIT_BYTES_FIRST,
                     .stream_db = -1,
                     .leftover = COPY_TEMPORARY_NONE,
                     .reader = SPOOL_READER_INIT};
    bool ok;

    CONTROL_SET(a, phase, CONTROL_FULL);
    c.filling = &c.buffers[0];
    c.flying = &c.buffers[1];
    for (int i = 0; i < 2; i++) {
        unit_init(&c.buffers[i].unit, UNIT_OWN_MAX);
        unit_clear(&c.buffers[i].unit, a->spec.lowest_database);
    }
    lane_init(&c.lane, &a->spec, LANE_COPY);
    destination_gauge_init(&c.gauge, a);
    rdb_templates_init(&c.templates, COPY_TEMPLATES_BYTES);
    copy_encoder_init(&c.encoder, &(struct copy_writing){
                                      .target = &a->target,
                                      .spec = &a->spec,
                                      .destination = a->destination,
                                      .bulk_max = a->bulk_max,
                                      .piece_min = a->spec.piece_bytes,
                                      .keeps_idle = a->keeps_idle,
                                      .keeps_freq = a->keeps_freq,
                                      .drops_field_expiry = a->spec.drops_field_expiry,
                                  });
    copy_scout_init(&c.scout);
    key_set_init(&c.keys_seen);
    ok = prepare(&c, client, err) && run(&c, ret_next, err);
    if (!ok && c.in_flight && c.lane.state == LANE_READY) {
        ok = copy_take_back(&c, err);
        *ret_next = APPLIER_RESTART;
    }
    if (!ok && !c.ended && superseded(&c)) {
        /* The files went away under us because a new snapshot begins. */
        err_clear(err);
        *ret_next = APPLIER_RESTART;
        ok = true;
    } else if (ok && *ret_next != APPLIER_RESTART) {
        ok = lane_leave(&c.lane, ret_client, err);
    }
    lane_close(&c.lane);
    destination_gauge_done(&c.gauge);
    unit_done(&c.buffers[0].unit);
    unit_done(&c.buffers[1].unit);
    copy_encoder_done(&c.encoder);
    rdb_templates_done(&c.templates);
    copy_scout_done(&c.scout);
    key_set_close(&c.keys_seen);
    spool_reader_close(&c.reader);
    return ok;
}
