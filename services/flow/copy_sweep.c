#include <string.h>

#include "services/flow/copy_parts.h"
#include "services/flow/selection.h"
#include "services/redis/redis_scan.h"

/* A sweep looks at so many keys between two looks at what is wanted. */
#define SCAN_STEP "1000"

bool copy_sweep_open(struct copy *c, bool is_new, struct err *err) {
    struct applier *a = c->a;

    if (a->position.fresh != POSITION_SWEEPING)
        return true;
    return is_new ? key_set_create(&c->keys_seen, a->spool_fd, c->meta.generation, err)
                  : key_set_resume(&c->keys_seen, a->spool_fd, c->meta.generation, err);
}

/* UNLINK of what is stale among the keys of one step. */
static bool put_stale(struct copy *c, int database, const struct resp_value *keys,
                      struct unit *unit, struct err *err) {
    const struct command_prefixes *selected = selection_of(&c->a->spec, database);
    struct str argv[2] = {c->a->target.has_unlink ? STR_LIT("UNLINK") : STR_LIT("DEL")};

    unit_clear(unit, c->a->spec.lowest_database);
    for (size_t i = 0; i < keys->count; i++) {
        struct str key = keys->items[i].str;

        if (keys->items[i].type != RESP_BULK || copy_is_ours(c->a, key) ||
            !command_prefixes_take(selected, key) || key_set_has(&c->keys_seen, database, key))
            continue;
        argv[1] = key;
        if (!unit_select(unit, database, err) || !unit_command(unit, argv, LENGTH_OF(argv), err))
            return false;
    }
    return true;
}

static bool step(struct copy *c, struct redis_client *client, int database,
                 char cursor[REDIS_SCAN_CURSOR_SIZE], struct err *err) {
    struct unit *unit = &c->filling->unit;
    struct arena arena = ARENA_INIT; /* the keys live until the unit is acknowledged */
    const struct resp_value *keys;
    bool ok = redis_scan_step(client, &arena, cursor, NULL, SCAN_STEP, "looking for stale keys",
                              &keys, err) &&
              put_stale(c, database, keys, unit, err);

    ok = ok && (unit->commands == 0 || copy_send_aside(c, unit, err));
    unit_clear(unit, c->a->spec.lowest_database);
    arena_done(&arena);
    return ok;
}

static bool sweep_database(struct copy *c, struct redis_client *client, int database,
                           enum applier_next *ret_next, struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    char cursor[REDIS_SCAN_CURSOR_SIZE] = "0";
    bool ok = redis_client_call(client, &arena, &reply, err, "SELECT",
                                arena_printf(&arena, "%d", database), NULL) &&
              (reply->type != RESP_ERROR ||
               redis_client_refused(client, reply, "looking for stale keys", err));

    arena_done(&arena);
    while (ok && *ret_next == APPLIER_ON) {
        enum control_want want = applier_want(c->a);

        ok = step(c, client, database, cursor, err);
        if (redis_scan_is_over(cursor))
            break;
        if (want == CONTROL_PAUSE || want == CONTROL_STOP_NOW)
            *ret_next = want == CONTROL_PAUSE ? APPLIER_PAUSED : APPLIER_STOP;
    }
    return ok;
}

bool copy_sweep(struct copy *c, enum applier_next *ret_next, struct err *err) {
    struct applier *a = c->a;
    struct redis_client client = REDIS_CLIENT_INIT;
    bool ok = true;

    if (a->position.fresh != POSITION_SWEEPING || a->spec.faults & TASK_FAULT_SWEEP_LEFT_OUT)
        return true;
    ok = key_set_sort(&c->keys_seen, a->spool_fd, err) && applier_connect(a, &client, err);
    for (int db = 0; ok && *ret_next == APPLIER_ON && db < TASK_DATABASES_MAX; db++) {
        if (task_spec_source_of(&a->spec, db) >= 0 && (a->database_ok[db / 8] & (1u << (db % 8))))
            ok = sweep_database(c, &client, db, ret_next, err);
    }
    redis_client_close(&client);
    return ok;
}
