/* copy_parts.h - the parts of a full copy and what they share. Private to copy*.c;
 * see copy.h. */
#pragma once

#include "services/flow/copy.h"
#include "services/flow/copy_encode.h"
#include "services/flow/copy_mark.h"
#include "services/flow/spool_meta.h"
#include "services/flow/spool_reader.h"
#include "services/flow/throttle.h"

enum {
    COPY_UNIT_BYTES = 1024 * 1024,
    COPY_UNIT_COMMANDS = 4000,
    COPY_WAIT_MS = 500, /* wishes of the supervisor are looked at this often at least */
    COPY_VIEW_BYTES = 64 * 1024 * 1024,
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

/* ---- copy_lanes.c: the connections, and how far they are acknowledged ----------------- */

/* The claimed client becomes the first lane; the others are dialled when nothing
 * writes the position any more: a gate that watches it while a new generation begins
 * would refuse its first unit, as if another owner had come. Each returns when its lanes
 * are READY; settle_first waits for the first one alone. */
MUST_CHECK bool copy_lanes_open_first(struct copy *c, struct redis_client client, struct err *err);
MUST_CHECK bool copy_lanes_open_others(struct copy *c, struct err *err);
MUST_CHECK bool copy_lanes_settle_first(struct copy *c, struct err *err);
MUST_CHECK bool copy_lanes_pump(struct copy *c, struct err *err);
bool copy_lanes_ready(const struct copy *c); /* nothing is out */
int copy_lanes_free(const struct copy *c);   /* a lane that may send; -1 = none */

/* Wait for a reply, or for more of the snapshot when `for_bytes`. */
void copy_lanes_wait(struct copy *c, bool for_bytes, int timeout_ms);

/* Wait until nothing is out, and keep the mark. Errors: of lane_pump; IO. */
MUST_CHECK bool copy_drain(struct copy *c, struct err *err);

/* Everything before the oldest unit that is not acknowledged. */
struct copy_mark copy_acknowledged(const struct copy *c);
struct copy_mark copy_mark_here(const struct copy *c);

/* Keep it now and then, or `always`. Errors: IO. */
MUST_CHECK bool copy_save_mark(struct copy *c, bool always, struct err *err);

/* ---- copy_fill.c: records into the unit being filled ----------------------------------- */

/* Until it is full, the bytes or the records are at an end (*ret_starved: more bytes
 * are needed), or the throttle says stop. */
MUST_CHECK bool copy_fill(struct copy *c, bool *ret_starved, struct err *err);

/* Send what is filled; nothing when it is empty. */
MUST_CHECK bool copy_send(struct copy *c, struct err *err);

int64_t copy_throttled_us(struct copy *c); /* 0 = go on */

/* ---- copy_begin.c: what a copy writes beside keys --------------------------------------- */

/* A second snapshot lacks what was deleted since the first: what the first one
 * wrote has to go, which only an otherwise empty destination allows.
 * Errors: FULL_RESYNC_NEEDED; of the lanes. */
MUST_CHECK bool copy_begin_generation(struct copy *c, struct err *err);

/* The position begins where the snapshot was taken: one more fenced unit. */
MUST_CHECK bool copy_begin_tail(struct copy *c, struct err *err);
