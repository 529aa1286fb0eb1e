#include <inttypes.h>
#include <stdio.h>

#include "services/flow/copy_parts.h"

bool copy_begin_tail(struct copy *c, struct err *err) {
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
        !lane_send(&c->lanes[0].lane, unit, &a->position, NULL, err) || !copy_drain(c, err))
        return false;
    a->position.state = POSITION_TAIL;
    memcpy(a->position.replid, c->meta.replid, sizeof(a->position.replid));
    a->position.next = c->meta.snapshot_offset + 1;
    a->position.source_db = c->stream_db < 0 ? 0 : c->stream_db;
    a->position.seq = 0;
    return true;
}

bool copy_begin_generation(struct copy *c, struct err *err) {
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
    if (!copy_lanes_settle_first(c, err))
        return false;
    a->position = p;
    return true;
}
