#include <inttypes.h>
#include <stdio.h>

#include "services/common/failpoint.h"

#include "services/flow/copy_parts.h"
#include "services/flow/position_others.h"
#include "services/flow/selection.h"

/* HSET of our key from `n` further names and values; counts as one command. */
static bool put_position(struct copy *c, struct unit *unit, struct str *argv, size_t n,
                         struct err *err) {
    char key[POSITION_KEY_MAX];

    position_key(&c->a->spec, key);
    argv[0] = STR_LIT("HSET");
    argv[1] = str_from(key);
    return unit_select(unit, c->a->spec.lowest_database, err) && unit_command(unit, argv, n, err);
}

bool copy_begin_tail(struct copy *c, struct err *err) {
    struct applier *a = c->a;
    struct unit *unit = &c->filling->unit;
    uint64_t first = c->meta.snapshot_offset + 1;
    char next[24], db[16];
    struct str set[18] = {STR_EMPTY};
    enum position_fresh fresh = a->position.fresh;
    size_t n = 2;

    /* All keys are of this snapshot now, or nobody can tell. */
    fresh = fresh == POSITION_SWEEPING      ? POSITION_FRESH
            : fresh == POSITION_OVERWRITING ? POSITION_SHARED
                                            : fresh;
    snprintf(next, sizeof(next), "%" PRIu64, first);
    snprintf(db, sizeof(db), "%d", c->stream_db < 0 ? 0 : c->stream_db);
    set[n++] = STR_LIT("state");
    set[n++] = STR_LIT("tail");
    set[n++] = STR_LIT("rid");
    set[n++] = str_from(c->meta.replid);
    set[n++] = STR_LIT("off");
    set[n++] = str_from(next);
    set[n++] = STR_LIT("mark");
    set[n++] = STR_EMPTY;
    set[n++] = STR_LIT("db");
    set[n++] = str_from(db);
    set[n++] = STR_LIT("seq");
    set[n++] = STR_LIT("0");
    set[n++] = STR_LIT("fresh");
    set[n++] = fresh == POSITION_FRESH ? STR_LIT("1") : STR_LIT("0");
    unit_clear(unit, a->spec.lowest_database);
    if (!put_position(c, unit, set, n, err) || !copy_send_alone(c, unit, first, false, err) ||
        !failpoint(FAILPOINT_COPY_TAIL_BEGUN, err))
        return false;
    a->position.state = POSITION_TAIL;
    a->position.fresh = fresh;
    memcpy(a->position.replid, c->meta.replid, sizeof(a->position.replid));
    a->position.next = first;
    a->position.mark[0] = '\0';
    a->position.source_db = c->stream_db < 0 ? 0 : c->stream_db;
    a->position.seq = 0;
    return true;
}

/* Keys of other jobs guard what those wrote, and a flush would take them along. */
static bool check_alone(struct applier *a, struct err *err) {
    struct redis_client client = REDIS_CLIENT_INIT;
    bool ok = applier_connect(a, &client, err) && position_is_alone(&client, &a->spec, err);

    redis_client_close(&client);
    return ok;
}

/* An earlier snapshot of ours is in an otherwise empty destination. */
static bool replace_ours(struct copy *c, enum position_fresh *fresh, bool *ret_flush,
                         struct err *err) {
    const struct applier *a = c->a;

    if (a->position.foreign_keys > c->keys_done + (c->leftover.database >= 0 ? 1 : 0) &&
        !(a->spec.faults & TASK_FAULT_COPY_UNFENCED))
        return err_set(
            err, ERR_FULL_RESYNC_NEEDED,
            "the copy was interrupted, and the destination holds more keys than it wrote: "
            "emptying it for a new copy would take somebody else's keys");
    *ret_flush = check_alone(c->a, err);
    if (*ret_flush)
        return true;
    if (err->code != ERR_DEST_IN_USE)
        return false;
    err_clear(err);
    *fresh = POSITION_SWEEPING;
    return true;
}

/* How what is there goes. *fresh becomes what it is once the generation has begun. */
static bool decide_clearing(struct copy *c, enum position_fresh *fresh, bool *ret_flush,
                            struct err *err) {
    *ret_flush = false;
    if (!position_may_recopy(&c->a->position))
        return err_set(err, ERR_FULL_RESYNC_NEEDED, POSITION_NO_RECOPY);
    switch (*fresh) {
    case POSITION_SHARED:
    case POSITION_OVERWRITING:
        return true;
    case POSITION_FRESH:
        return c->a->position.generation == 0 || replace_ours(c, fresh, ret_flush, err);
    case POSITION_OVERWRITE_ONCE:
        *fresh = POSITION_OVERWRITING;
        return true;
    case POSITION_FLUSH_ONCE:
        *ret_flush = true;
        *fresh = POSITION_FRESH;
        return check_alone(c->a, err);
    case POSITION_SWEEP_ONCE:
    case POSITION_SWEEPING:
        *fresh = POSITION_SWEEPING;
        return true;
    }
    return true;
}

static bool put_flush(struct copy *c, struct unit *unit, struct err *err) {
    const struct applier *a = c->a;
    struct str all[] = {STR_LIT("FLUSHALL")};

    /* The instance only where the mode says so and nothing was written yet: from then on
     * others may use the databases that are not ours. */
    if (a->spec.conflict_instance && a->position.generation == 0)
        return unit_command(unit, all, LENGTH_OF(all), err);
    for (int db = 0; db < TASK_DATABASES_MAX; db++) {
        if (task_spec_source_of(&a->spec, db) >= 0 && (a->database_ok[db / 8] & (1u << (db % 8))) &&
            (!unit_select(unit, db, err) || !selection_put_flush(&a->spec, db, unit, err)))
            return false;
    }
    return true;
}

bool copy_begin_generation(struct copy *c, struct err *err) {
    struct applier *a = c->a;
    struct unit *unit = &c->filling->unit;
    struct position p = a->position;
    char generation[24], lease[24], epoch[24], snapshot[24], fresh[8];
    struct str set[26] = {STR_EMPTY};
    size_t n = 2;
    bool flush;

    if (!decide_clearing(c, &p.fresh, &flush, err))
        return false;
    unit_clear(unit, a->spec.lowest_database);
    if (!copy_pieces_put_removal(&c->leftover, &a->target, &a->spec, unit, err) ||
        (flush && !put_flush(c, unit, err)))
        return false;
    p.generation = c->meta.generation;
    p.snapshot_offset = c->meta.snapshot_offset;
    memcpy(p.replid, c->meta.replid, sizeof(p.replid));
    p.next = 0;
    p.mark[0] = '\0';
    p.tried_until = 0;
    snprintf(generation, sizeof(generation), "%" PRIu64, p.generation);
    snprintf(lease, sizeof(lease), "%" PRIu64, p.lease);
    snprintf(epoch, sizeof(epoch), "%" PRIu64, p.epoch);
    snprintf(snapshot, sizeof(snapshot), "%" PRIu64, p.snapshot_offset);
    snprintf(fresh, sizeof(fresh), "%d", (int)p.fresh);
    set[n++] = STR_LIT("v");
    set[n++] = STR_LIT("1");
    set[n++] = STR_LIT("state");
    set[n++] = STR_LIT("copy");
    set[n++] = STR_LIT("lease");
    set[n++] = str_from(lease);
    set[n++] = STR_LIT("epoch");
    set[n++] = str_from(epoch);
    set[n++] = STR_LIT("gen");
    set[n++] = str_from(generation);
    set[n++] = STR_LIT("fresh");
    set[n++] = str_from(fresh);
    set[n++] = STR_LIT("rid");
    set[n++] = str_from(p.replid);
    set[n++] = STR_LIT("snap");
    set[n++] = str_from(snapshot);
    set[n++] = STR_LIT("off");
    set[n++] = STR_LIT("0");
    set[n++] = STR_LIT("mark");
    set[n++] = STR_EMPTY;
    set[n++] = STR_LIT("tried");
    set[n++] = STR_LIT("0");
    set[n++] = STR_LIT("gone");
    set[n++] = STR_LIT("0");
    /* What was to be emptied is empty, or the position does not say that this one has begun. */
    if (!put_position(c, unit, set, n, err) || !failpoint(FAILPOINT_COPY_GENERATION_BEGINS, err) ||
        !copy_send_alone(c, unit, 0, flush, err) ||
        !failpoint(FAILPOINT_COPY_GENERATION_BEGUN, err))
        return false;
    unit_clear(unit, a->spec.lowest_database);
    a->position = p;
    a->by_commands_until = 0; /* places in another snapshot */
    buf_clear(&a->kept);
    return true;
}
