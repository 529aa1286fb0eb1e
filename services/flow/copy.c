#include "services/flow/copy.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "proto/rdb/rdb_string.h"
#include "services/common/clock.h"
#include "services/flow/copy_encode.h"
#include "services/flow/copy_mark.h"
#include "services/flow/spool_meta.h"
#include "services/flow/spool_reader.h"
#include "services/flow/throttle.h"

enum {
    UNIT_BYTES = 1024 * 1024,
    UNIT_COMMANDS = 4000,
    UNIT_OWN_MAX = 640 * 1024 * 1024, /* one value of the largest size and its neighbours */
    MARK_EVERY_BYTES = 16 * 1024 * 1024,
    MARK_EVERY_MS = 250,
    WAIT_MS = 500, /* wishes of the supervisor are looked at this often at least */
    VIEW_BYTES = 64 * 1024 * 1024,
};

/* One lane and the unit that is filled for it or on its way. */
struct copy_lane {
    struct lane lane;
    struct unit unit;
    uint64_t order;         /* of its last unit among all */
    struct copy_mark begin; /* everything before this unit */
};

struct copy {
    struct applier *a;
    struct copy_lane lanes[APPLIER_LANES];
    int filling; /* lane whose unit is being filled; -1 = none is free */
    uint64_t orders;
    struct copy_mark begin; /* of the unit being filled */
    struct copy_mark saved;
    int64_t saved_at_ms;

    struct spool_meta meta;
    struct spool_reader reader;
    struct rdb_parser parser;
    struct copy_encoder encoder;
    uint64_t keys_done, keys_expired;
    uint64_t window;   /* bytes looked at in one go; grows for a record that is longer */
    uint64_t seen_end; /* of the bytes looked at so far */
    int stream_db;
    bool ended;
    struct throttle bytes, keys;
};

/* ---- lanes --------------------------------------------------------------------- */

static bool open_lanes(struct copy *c, struct redis_client first, struct err *err) {
    for (int i = 0; i < APPLIER_LANES; i++) {
        struct redis_client client = first;

        if (i > 0 && !applier_connect(c->a, &client, err))
            return false;
        if (!lane_start(&c->lanes[i].lane, client, &c->a->position, false, err))
            return false;
    }
    return true;
}

static bool pump_lanes(struct copy *c, struct err *err) {
    for (int i = 0; i < APPLIER_LANES; i++) {
        if (!lane_pump(&c->lanes[i].lane, err))
            return false;
    }
    return true;
}

static bool all_ready(const struct copy *c) {
    for (int i = 0; i < APPLIER_LANES; i++) {
        if (c->lanes[i].lane.state != LANE_READY)
            return false;
    }
    return true;
}

static int free_lane(const struct copy *c) {
    for (int i = 0; i < APPLIER_LANES; i++) {
        if (c->lanes[i].lane.state == LANE_READY)
            return i;
    }
    return -1;
}

/* Wait for a reply, or for more of the snapshot when `for_bytes`. */
static void wait_lanes(struct copy *c, bool for_bytes, int timeout_ms) {
    struct pollfd fds[APPLIER_LANES + 1];
    int n = 0;

    for (int i = 0; i < APPLIER_LANES; i++)
        fds[n++] = (struct pollfd){.fd = lane_fd(&c->lanes[i].lane),
                                   .events = lane_events(&c->lanes[i].lane)};
    if (for_bytes)
        fds[n++] = (struct pollfd){.fd = c->a->bell, .events = POLLIN};
    (void)poll(fds, (nfds_t)n, timeout_ms);
    if (for_bytes)
        control_bell_clear(c->a->bell, &c->a->control->apply_sleeps);
}

/* ---- the mark ------------------------------------------------------------------ */

/* Everything before the oldest unit that is not acknowledged. */
static struct copy_mark acknowledged(const struct copy *c) {
    struct copy_mark mark = c->begin;
    uint64_t oldest = UINT64_MAX;

    for (int i = 0; i < APPLIER_LANES; i++) {
        if (c->lanes[i].lane.state == LANE_BUSY && c->lanes[i].order < oldest) {
            oldest = c->lanes[i].order;
            mark = c->lanes[i].begin;
        }
    }
    return mark;
}

static bool save_mark(struct copy *c, bool always, struct err *err) {
    struct copy_mark mark = acknowledged(c);
    int64_t now = clock_mono_ms();

    CONTROL_SET(c->a, keys_done, mark.keys_done);
    CONTROL_SET(c->a, keys_expired, mark.keys_expired);
    if (!always && mark.at.offset - c->saved.at.offset < MARK_EVERY_BYTES &&
        now - c->saved_at_ms < MARK_EVERY_MS)
        return true;
    c->saved_at_ms = now;
    if (mark.at.offset == c->saved.at.offset && !always)
        return true;
    if (!copy_mark_write(c->a->spool_fd, &mark, err))
        return false;
    c->saved = mark;
    /* Only now may the writer of the spool drop what lies before it. */
    CONTROL_SET(c->a, copy_bytes_done, mark.at.offset);
    return true;
}

static struct copy_mark mark_here(const struct copy *c) {
    return (struct copy_mark){
        .generation = c->meta.generation,
        .at = rdb_parser_mark(&c->parser),
        .keys_done = c->keys_done,
        .keys_expired = c->keys_expired,
        .stream_db = c->stream_db,
    };
}

/* ---- filling ------------------------------------------------------------------- */

static bool send_filled(struct copy *c, struct err *err) {
    struct copy_lane *l = &c->lanes[c->filling];

    if (!copy_encoder_flush(&c->encoder, &l->unit, err))
        return false;
    if (l->unit.commands == 0)
        return true;
    l->order = ++c->orders;
    l->begin = c->begin;
    c->begin = mark_here(c);
    c->filling = -1;
    return lane_send(&l->lane, &l->unit, &c->a->position, NULL, err);
}

static bool is_ours(const struct applier *a, struct str key) {
    return str_starts_with(key, STR_LIT(POSITION_PREFIX)) ||
           str_starts_with(key, str_from(a->spec.heartbeat_prefix));
}

static bool take_key(struct copy *c, const struct rdb_event *ev, struct unit *unit,
                     struct err *err) {
    struct str key;
    int database;

    if (!applier_map_database(c->a, ev->key.db, &database, err) ||
        !copy_encoder_key(&c->encoder, ev, &key, err))
        return false;
    c->keys_done++;
    throttle_take(&c->keys, 1);
    throttle_take(&c->bytes, ev->size);
    if (database < 0 || is_ours(c->a, key)) {
        CONTROL_ADD(c->a, keys_filtered, 1);
        return true;
    }
    /* A copy without a tail writes true expiries, and what is past is gone. */
    if (!c->a->spec.incremental && ev->key.expire_at_ms >= 0 &&
        ev->key.expire_at_ms <= clock_wall_ms()) {
        c->keys_expired++;
        return true;
    }
    return copy_encoder_put(&c->encoder, ev, database, unit, err);
}

static bool take_aux(struct copy *c, const struct rdb_event *ev, struct unit *unit,
                     struct err *err) {
    struct buf scratch = BUF_INIT(64);
    struct str value;
    uint64_t db;
    bool ok = true;

    if (str_equal(str_skip(ev->aux.key, 1), STR_LIT("repl-stream-db"))) {
        ok = rdb_string_decode(ev->aux.value, &scratch, &value, err);
        if (ok && str_parse_u64(value, &db) && db < TASK_DATABASES_MAX)
            c->stream_db = (int)db;
    } else if (str_equal(str_skip(ev->aux.key, 1), STR_LIT("lua"))) {
        /* Sources up to 6.2 may stream EVALSHA of what they had cached. */
        ok = copy_encoder_put_code(&c->encoder, "SCRIPT", "LOAD", NULL, ev->aux.value, unit, err);
    }
    buf_done(&scratch);
    return ok;
}

static bool take_end(struct copy *c, const struct rdb_event *ev, struct err *err) {
    if (ev->eof.checksum == RDB_CHECKSUM_WRONG)
        return err_set(err, ERR_RDB_CORRUPT, "the snapshot does not match its checksum");
    c->ended = true;
    return true;
}

static bool take_event(struct copy *c, const struct rdb_event *ev, struct unit *unit,
                       struct err *err) {
    switch (ev->kind) {
    case RDB_EV_VERSION:
        return true;
    case RDB_EV_KEY:
        c->encoder.vendor = c->parser.vendor;
        return take_key(c, ev, unit, err);
    case RDB_EV_AUX:
        return take_aux(c, ev, unit, err);
    case RDB_EV_FUNCTION:
        if (!c->a->has_functions)
            return err_set(
                err, ERR_DEST_UNKNOWN_COMMAND,
                "the source holds function libraries, which the destination does not know");
        if (ev->function.pre_ga)
            return err_set(err, ERR_RDB_UNSUPPORTED,
                           "a function library of a release candidate of 7.0");
        return copy_encoder_put_code(&c->encoder, "FUNCTION", "LOAD", "REPLACE",
                                     ev->function.source, unit, err);
    case RDB_EV_MODULE_AUX:
        return err_set(err, ERR_RDB_UNSUPPORTED,
                       "data of module %s beside the keys, which no command can load",
                       ev->module_aux.name);
    case RDB_EV_EOF:
        return take_end(c, ev, err);
    case RDB_EV_SELECTDB:
    case RDB_EV_RESIZEDB:
    case RDB_EV_SLOT_INFO:
    case RDB_EV_SLOT_IMPORT:
    case RDB_EV_HASH_TEMPLATE:
        return true;
    }
    return true;
}

static int64_t throttled_us(struct copy *c) {
    uint64_t bytes_max = CONTROL_GET(c->a, full_bytes_per_second_max);
    uint64_t keys_max = CONTROL_GET(c->a, full_keys_per_second_max);
    int64_t bytes_us, keys_us, now;

    if (bytes_max == 0 && keys_max == 0)
        return 0; /* asked per record: not even the clock then */
    now = clock_mono_us();
    bytes_us = throttle_wait_us(&c->bytes, bytes_max, now);
    keys_us = throttle_wait_us(&c->keys, keys_max, now);
    return bytes_us > keys_us ? bytes_us : keys_us;
}

/* Parse what is there into the unit being filled, until it is full, the bytes or
 * the records are at an end, or the throttle says stop. */
static bool fill(struct copy *c, bool *ret_starved, struct err *err) {
    struct unit *unit = &c->lanes[c->filling].unit;
    uint64_t end = atomic_load_explicit(&c->a->control->snapshot_bytes, memory_order_acquire);
    uint64_t from = c->parser.offset;
    bool cut = end - from > c->window;
    struct str view;

    *ret_starved = false;

    if (cut)
        end = from + c->window;
    c->seen_end = end;
    if (!spool_reader_view(&c->reader, from, end, &view, err))
        return false;
    while (!c->ended && unit->bytes < UNIT_BYTES && unit->commands < UNIT_COMMANDS) {
        struct rdb_event ev;
        struct str rest = str_skip(view, c->parser.offset - from);

        if (throttled_us(c) > 0)
            return true;
        switch (rdb_parser_next(&c->parser, rest, &ev, err)) {
        case RDB_WRONG:
            return false;
        case RDB_NEED_MORE:
            if (cut)
                c->window *= c->parser.offset == from ? 2 : 1;
            *ret_starved = !cut;
            return true;
        case RDB_EVENT:
            c->window = VIEW_BYTES;
            if (!take_event(c, &ev, unit, err))
                return false;
            break;
        }
    }
    return true;
}

/* ---- the run ------------------------------------------------------------------- */

/* A newer full sync has begun: the bytes under work are no more. */
static bool superseded(const struct copy *c) {
    return atomic_load_explicit(&c->a->control->snapshot_generation, memory_order_acquire) !=
           c->meta.generation;
}

static bool step(struct copy *c, struct err *err) {
    bool starved = false;

    if (!pump_lanes(c, err))
        return false;
    if (c->filling < 0) {
        c->filling = free_lane(c);
        if (c->filling >= 0)
            unit_clear(&c->lanes[c->filling].unit, c->a->spec.lowest_database);
    }
    if (c->filling < 0) {
        wait_lanes(c, false, WAIT_MS);
    } else {
        struct unit *unit = &c->lanes[c->filling].unit;

        if (!fill(c, &starved, err))
            return false;
        /* What is half full goes out when there is nothing to add to it. */
        if ((starved || c->ended || unit->bytes >= UNIT_BYTES || unit->commands >= UNIT_COMMANDS) &&
            !send_filled(c, err))
            return false;
        if (c->filling >= 0 && throttled_us(c) > 0) {
            wait_lanes(c, false, (int)(throttled_us(c) / 1000) + 1);
        } else if (starved) {
            control_bell_arm(&c->a->control->apply_sleeps);
            if (CONTROL_GET(c->a, snapshot_bytes) <= c->seen_end || !all_ready(c))
                wait_lanes(c, true, WAIT_MS);
            else
                control_bell_clear(c->a->bell, &c->a->control->apply_sleeps);
        }
    }
    if (!save_mark(c, false, err))
        return false;
    spool_reader_release(&c->reader, acknowledged(c).at.offset);
    return true;
}

/* Everything that is out is acknowledged. */
static bool drain(struct copy *c, struct err *err) {
    while (!all_ready(c)) {
        if (!pump_lanes(c, err))
            return false;
        if (!all_ready(c))
            wait_lanes(c, false, WAIT_MS);
    }
    return save_mark(c, true, err);
}

/* The position begins where the snapshot was taken: one more fenced unit. */
static bool begin_tail(struct copy *c, struct err *err) {
    struct applier *a = c->a;
    struct unit *unit = &c->lanes[0].unit;
    char key[POSITION_KEY_MAX], next[24], db[16];
    struct str set[] = {STR_LIT("HSET"), STR_EMPTY,   STR_LIT("state"), STR_LIT("tail"),
                        STR_LIT("rid"),  STR_EMPTY,   STR_LIT("off"),   STR_EMPTY,
                        STR_LIT("db"),   STR_EMPTY,   STR_LIT("seq"),   STR_LIT("0"),
                        STR_LIT("err"),  STR_LIT("0")};

    position_key(&a->spec, key);
    snprintf(next, sizeof(next), "%" PRIu64, c->meta.snapshot_offset + 1);
    snprintf(db, sizeof(db), "%d", c->stream_db < 0 ? 0 : c->stream_db);
    set[1] = str_from(key);
    set[5] = str_from(c->meta.replid);
    set[7] = str_from(next);
    set[9] = str_from(db);
    unit_clear(unit, a->spec.lowest_database);
    if (!unit_command(unit, set, LENGTH_OF(set), err) ||
        !lane_send(&c->lanes[0].lane, unit, &a->position, NULL, err) || !drain(c, err))
        return false;
    a->position.state = POSITION_TAIL;
    memcpy(a->position.replid, c->meta.replid, sizeof(a->position.replid));
    a->position.next = c->meta.snapshot_offset + 1;
    a->position.source_db = c->stream_db < 0 ? 0 : c->stream_db;
    a->position.seq = 0;
    return true;
}

/* A second snapshot lacks what was deleted since the first: what the first one
 * wrote has to go, which only an otherwise empty destination allows. */
static bool begin_generation(struct copy *c, struct err *err) {
    struct applier *a = c->a;
    struct unit *unit = &c->lanes[0].unit;
    char key[POSITION_KEY_MAX], number[24];
    struct str flush[] = {STR_LIT("FLUSHDB")};
    struct str set[] = {STR_LIT("HSET"), STR_EMPTY};
    struct position p = a->position;
    bool flushed_all = a->spec.map_all;

    if (!p.fresh && a->spec.recopy != TASK_RECOPY_OVERWRITE)
        return err_set(err, ERR_FULL_RESYNC_NEEDED,
                       "the copy was interrupted and the destination was not empty before it: keys "
                       "deleted on the source since then cannot be told from keys that were there");
    unit_clear(unit, a->spec.lowest_database);
    for (int db = 0; p.fresh && db < TASK_DATABASES_MAX; db++) {
        bool mapped = flushed_all;

        for (int i = 0; !mapped && i < TASK_DATABASES_MAX; i++)
            mapped = a->spec.database_map[i] == db;
        if (!mapped || !(a->database_ok[db / 8] & (1u << (db % 8))))
            continue;
        if (!unit_select(unit, db, err) || !unit_command(unit, flush, LENGTH_OF(flush), err))
            return false;
    }
    position_key(&a->spec, key);
    set[1] = str_from(key);
    p.generation = c->meta.generation;
    {
        char lease[24], epoch[24];
        struct str all[] = {set[0],           set[1],          STR_LIT("v"),     STR_LIT("1"),
                            STR_LIT("state"), STR_LIT("copy"), STR_LIT("lease"), STR_EMPTY,
                            STR_LIT("epoch"), STR_EMPTY,       STR_LIT("gen"),   STR_EMPTY,
                            STR_LIT("fresh"), STR_EMPTY};

        snprintf(number, sizeof(number), "%" PRIu64, p.generation);
        snprintf(lease, sizeof(lease), "%" PRIu64, p.lease);
        snprintf(epoch, sizeof(epoch), "%" PRIu64, p.epoch);
        all[7] = str_from(lease);
        all[9] = str_from(epoch);
        all[11] = str_from(number);
        all[13] = p.fresh ? STR_LIT("1") : STR_LIT("0");
        if (!unit_select(unit, a->spec.lowest_database, err) ||
            !unit_command(unit, all, LENGTH_OF(all), err) ||
            !lane_send(&c->lanes[0].lane, unit, &a->position, NULL, err))
            return false;
    }
    while (c->lanes[0].lane.state != LANE_READY) {
        if (!lane_pump(&c->lanes[0].lane, err))
            return false;
        if (c->lanes[0].lane.state != LANE_READY)
            wait_lanes(c, false, WAIT_MS);
    }
    a->position = p;
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
        !open_lanes(c, client, err))
        return false;
    while (!all_ready(c)) {
        if (!pump_lanes(c, err))
            return false;
        if (!all_ready(c))
            wait_lanes(c, false, WAIT_MS);
    }
    if (c->meta.generation != a->position.generation && !begin_generation(c, err))
        return false;
    if (mark.generation == c->meta.generation && mark.at.offset > 0) {
        rdb_parser_resume(&c->parser, &mark.at);
        c->keys_done = mark.keys_done;
        c->keys_expired = mark.keys_expired;
        c->stream_db = mark.stream_db;
    }
    c->begin = c->saved = mark_here(c);
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
            if (c->filling >= 0 && !send_filled(c, err))
                return false;
            *ret_next = want == CONTROL_PAUSE ? APPLIER_PAUSED : APPLIER_STOP;
            return drain(c, err);
        }
        if (!step(c, err))
            return false;
    }
    *ret_next = APPLIER_ON;
    if (c->filling >= 0 && !send_filled(c, err))
        return false;
    return drain(c, err) && (!c->a->spec.incremental || begin_tail(c, err));
}

bool copy_run(struct applier *a, struct redis_client client, enum applier_next *ret_next,
              struct redis_client *ret_client, struct err *err) {
    struct copy c = {
        .a = a, .filling = -1, .window = VIEW_BYTES, .stream_db = -1, .reader = SPOOL_READER_INIT};
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
