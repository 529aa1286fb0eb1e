#include <inttypes.h>
#include <stdio.h>

#include "services/common/failpoint.h"

#include "services/flow/copy_parts.h"
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
    struct str set[16] = {STR_EMPTY};
    size_t n = 2;

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
    unit_clear(unit, a->spec.lowest_database);
    if (!put_position(c, unit, set, n, err) || !copy_send_alone(c, unit, first, err) ||
        !failpoint(FAILPOINT_COPY_TAIL_BEGUN, err))
        return false;
    a->position.state = POSITION_TAIL;
    memcpy(a->position.replid, c->meta.replid, sizeof(a->position.replid));
    a->position.next = first;
    a->position.mark[0] = '\0';
    a->position.source_db = c->stream_db < 0 ? 0 : c->stream_db;
    a->position.seq = 0;
    return true;
}

static bool is_mapped(const struct applier *a, int db) {
    if (!(a->database_ok[db / 8] & (1u << (db % 8))))
        return false;
    for (int i = 0; !a->spec.map_all && i < TASK_DATABASES_MAX; i++) {
        if (a->spec.database_map[i] == db)
            return true;
    }
    return a->spec.map_all;
}

bool copy_begin_generation(struct copy *c, struct err *err) {
    struct applier *a = c->a;
    struct unit *unit = &c->filling->unit;
    struct position p = a->position;
    bool again = p.generation > 0; /* an earlier one may have written keys */
    char generation[24], lease[24], epoch[24], snapshot[24];
    struct str set[24] = {STR_EMPTY};
    size_t n = 2;

    if (again && p.fresh == POSITION_SHARED)
        return err_set(err, ERR_FULL_RESYNC_NEEDED,
                       "the copy was interrupted and the destination was not empty before it: keys "
                       "deleted on the source since then cannot be told from keys that were there");
    if (again && p.fresh == POSITION_FRESH &&
        p.foreign_keys > c->keys_done + (c->leftover.database >= 0 ? 1 : 0) &&
        !(a->spec.faults & TASK_FAULT_COPY_UNFENCED))
        return err_set(
            err, ERR_FULL_RESYNC_NEEDED,
            "the copy was interrupted, and the destination holds more keys than it wrote: "
            "emptying it for a new copy would take somebody else's keys");
    unit_clear(unit, a->spec.lowest_database);
    if (!copy_pieces_put_removal(&c->leftover, &a->target, &a->spec, unit, err))
        return false;
    for (int db = 0; again && p.fresh == POSITION_FRESH && db < TASK_DATABASES_MAX; db++) {
        if (is_mapped(a, db) &&
            (!unit_select(unit, db, err) || !selection_put_flush(&a->spec, db, unit, err)))
            return false;
    }
    p.generation = c->meta.generation;
    p.snapshot_offset = c->meta.snapshot_offset;
    memcpy(p.replid, c->meta.replid, sizeof(p.replid));
    if (p.fresh == POSITION_OVERWRITE_ONCE)
        p.fresh = POSITION_SHARED;
    p.next = 0;
    p.mark[0] = '\0';
    snprintf(generation, sizeof(generation), "%" PRIu64, p.generation);
    snprintf(lease, sizeof(lease), "%" PRIu64, p.lease);
    snprintf(epoch, sizeof(epoch), "%" PRIu64, p.epoch);
    snprintf(snapshot, sizeof(snapshot), "%" PRIu64, p.snapshot_offset);
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
    set[n++] = p.fresh == POSITION_FRESH ? STR_LIT("1") : STR_LIT("0");
    set[n++] = STR_LIT("rid");
    set[n++] = str_from(p.replid);
    set[n++] = STR_LIT("snap");
    set[n++] = str_from(snapshot);
    set[n++] = STR_LIT("off");
    set[n++] = STR_LIT("0");
    set[n++] = STR_LIT("mark");
    set[n++] = STR_EMPTY;
    if (!put_position(c, unit, set, n, err) || !failpoint(FAILPOINT_COPY_GENERATION_BEGINS, err) ||
        !copy_send_alone(c, unit, 0, err) || !failpoint(FAILPOINT_COPY_GENERATION_BEGUN, err))
        return false;
    unit_clear(unit, a->spec.lowest_database);
    a->position = p;
    return true;
}
