#include "services/flow/copy_parts.h"

enum { UNIT_OWN_MAX = 640 * 1024 * 1024 }; /* one value of the largest size and its neighbours */

/* A newer full sync has begun: the bytes under work are no more. */
static bool superseded(const struct copy *c) {
    return atomic_load_explicit(&c->a->control->snapshot_generation, memory_order_acquire) !=
           c->meta.generation;
}

static bool step(struct copy *c, struct err *err) {
    bool starved = false;

    if (!copy_lanes_pump(c, err))
        return false;
    if (c->filling < 0) {
        c->filling = copy_lanes_free(c);
        if (c->filling >= 0)
            unit_clear(&c->lanes[c->filling].unit, c->a->spec.lowest_database);
    }
    if (c->filling < 0) {
        copy_lanes_wait(c, false, COPY_WAIT_MS);
    } else {
        struct unit *unit = &c->lanes[c->filling].unit;

        if (!copy_fill(c, &starved, err))
            return false;
        /* What is half full goes out when there is nothing to add to it. */
        if ((starved || c->ended || unit->bytes >= COPY_UNIT_BYTES ||
             unit->commands >= COPY_UNIT_COMMANDS) &&
            !copy_send(c, err))
            return false;
        if (c->filling >= 0 && copy_throttled_us(c) > 0) {
            copy_lanes_wait(c, false, (int)(copy_throttled_us(c) / 1000) + 1);
        } else if (starved) {
            control_bell_arm(&c->a->control->apply_sleeps);
            if (CONTROL_GET(c->a, snapshot_bytes) <= c->seen_end || !copy_lanes_ready(c))
                copy_lanes_wait(c, true, COPY_WAIT_MS);
            else
                control_bell_clear(c->a->bell, &c->a->control->apply_sleeps);
        }
    }
    if (!copy_save_mark(c, false, err))
        return false;
    spool_reader_release(&c->reader, copy_acknowledged(c).at.offset);
    return true;
}

static bool prepare(struct copy *c, struct redis_client client, struct err *err) {
    struct applier *a = c->a;
    struct copy_mark mark;

    for (int i = 0; i < APPLIER_LANES; i++) {
        lane_init(&c->lanes[i].lane, &a->spec, LANE_COPY);
        unit_init(&c->lanes[i].unit, UNIT_OWN_MAX);
    }
    copy_encoder_init(&c->encoder, &a->target, a->has_lfu_hints);
    c->lanes[0].lane.client = client; /* closed with the lane if what follows fails */
    rdb_parser_init(&c->parser);
    if (!spool_meta_read(a->spool_fd, &c->meta, err) || !copy_mark_read(a->spool_fd, &mark, err) ||
        !copy_lanes_open_first(c, client, err) ||
        (c->meta.generation != a->position.generation && !copy_begin_generation(c, err)) ||
        !copy_lanes_open_others(c, err))
        return false;
    if (mark.generation == c->meta.generation && mark.at.offset > 0) {
        rdb_parser_resume(&c->parser, &mark.at);
        c->keys_done = mark.keys_done;
        c->keys_expired = mark.keys_expired;
        c->stream_db = mark.stream_db;
    }
    c->begin = c->saved = copy_mark_here(c);
    return spool_reader_open(&c->reader, a->spool_fd, "snapshot", c->parser.offset, err);
}

static void finish(struct copy *c) {
    for (int i = 0; i < APPLIER_LANES; i++) {
        lane_close(&c->lanes[i].lane);
        unit_done(&c->lanes[i].unit);
    }
    copy_encoder_done(&c->encoder);
    spool_reader_close(&c->reader);
}

static bool run(struct copy *c, enum applier_next *ret_next, struct err *err) {
    while (!c->ended) {
        enum control_want want = applier_want(c->a);

        if (superseded(c)) {
            *ret_next = APPLIER_RESTART;
            return true;
        }
        if (want != CONTROL_RUN) {
            if (c->filling >= 0 && !copy_send(c, err))
                return false;
            *ret_next = want == CONTROL_PAUSE ? APPLIER_PAUSED : APPLIER_STOP;
            return copy_drain(c, err);
        }
        if (!step(c, err))
            return false;
    }
    *ret_next = APPLIER_ON;
    if (c->filling >= 0 && !copy_send(c, err))
        return false;
    return copy_drain(c, err) && (!c->a->spec.incremental || copy_begin_tail(c, err));
}

bool copy_run(struct applier *a, struct redis_client client, enum applier_next *ret_next,
              struct redis_client *ret_client, struct err *err) {
    struct copy c = {.a = a,
                     .filling = -1,
                     .window = COPY_VIEW_BYTES,
                     .stream_db = -1,
                     .reader = SPOOL_READER_INIT};
    bool ok;

    CONTROL_SET(a, phase, CONTROL_FULL);
    ok = prepare(&c, client, err) && run(&c, ret_next, err);
    if (!ok && !c.ended && superseded(&c)) {
        /* The files went away under us because a new snapshot begins. */
        err_clear(err);
        *ret_next = APPLIER_RESTART;
        ok = true;
    } else if (ok && *ret_next != APPLIER_RESTART) {
        ok = lane_leave(&c.lanes[0].lane, ret_client, err);
    }
    finish(&c);
    return ok;
}
