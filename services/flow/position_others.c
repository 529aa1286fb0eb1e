#include "services/flow/position_others.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "services/flow/position.h"
#include "services/flow/selection.h"
#include "services/redis/redis_scan.h"

enum { FEW_KEYS = 1000, OTHER_MAX = 4 * POSITION_KEY_MAX };
#define SCAN_STEP "1000"

/* *ret_exists is false past the last database; using one is refused when it is met. */
static bool enter(struct redis_client *client, int db, struct arena *arena, bool *ret_exists,
                  uint64_t *ret_size, struct err *err) {
    const struct resp_value *selected, *size;

    if (!redis_client_call(client, arena, &selected, err, "SELECT", arena_printf(arena, "%d", db),
                           NULL))
        return false;
    /* Taken for the end it would make an empty destination of a full one. */
    if (redis_client_not_now(selected))
        return redis_client_unexpected(client, selected, "choosing a database", err);
    *ret_exists = selected->type != RESP_ERROR;
    if (!*ret_exists)
        return true;
    if (!redis_client_call(client, arena, &size, err, "DBSIZE", NULL))
        return false;
    if (size->type != RESP_INTEGER || size->integer < 0)
        return redis_client_unexpected(client, size, "counting the destination's keys", err);
    *ret_size = (uint64_t)size->integer;
    return true;
}

/* Positions in the selected database: all are counted; the first that is not `mine` is
 * copied to `ret_other` when that is wanted, and ends the search. */
static bool find_positions(struct redis_client *client, const char *mine, uint64_t *ret_count,
                           char ret_other[OTHER_MAX], struct err *err) {
    char cursor[REDIS_SCAN_CURSOR_SIZE] = "0";
    bool ok;

    *ret_count = 0;
    do {
        struct arena arena = ARENA_INIT; /* of one step: the keyspace may be large */
        const struct resp_value *keys;

        ok = redis_scan_step(client, &arena, cursor, POSITION_PREFIX "*", SCAN_STEP,
                             "looking for positions", &keys, err);
        for (size_t i = 0; ok && i < keys->count; i++) {
            struct str key = keys->items[i].str;

            (*ret_count)++;
            if (ret_other && !ret_other[0] && !str_equal(key, str_from(mine)))
                str_escape(str_first(key, POSITION_KEY_MAX - 1), ret_other, OTHER_MAX);
        }
        arena_done(&arena);
    } while (ok && !redis_scan_is_over(cursor) && !(ret_other && ret_other[0]));
    return ok;
}

bool position_count_keys(struct redis_client *client, const struct task_spec *spec, bool instance,
                         struct arena *arena, uint64_t *ret_keys, struct err *err) {
    char key[POSITION_KEY_MAX];
    uint64_t keys = 0;

    position_key(spec, key);
    for (int db = 0; db < TASK_DATABASES_MAX; db++) {
        const struct resp_value *reply;
        uint64_t size, ours;
        bool exists;

        if (!instance && task_spec_source_of(spec, db) < 0)
            continue;
        if (!enter(client, db, arena, &exists, &size, err))
            return false;
        if (!exists)
            break;
        if (!instance && selection_of(spec, db)) {
            if (!selection_count(client, spec, db, &size, err))
                return false;
            ours = 0;
        } else if (size > FEW_KEYS) {
            if (!redis_client_call(client, arena, &reply, err, "EXISTS", key, NULL))
                return false;
            ours = reply->type == RESP_INTEGER && reply->integer == 1;
        } else if (size == 0) {
            continue;
        } else if (!find_positions(client, key, &ours, NULL, err)) {
            return false;
        }
        keys += size > ours ? size - ours : 0;
    }
    *ret_keys = keys;
    return true;
}

bool position_is_alone(struct redis_client *client, const struct task_spec *spec, struct err *err) {
    char key[POSITION_KEY_MAX], other[OTHER_MAX] = "";
    struct arena arena = ARENA_INIT;
    bool ok = true, exists = true;

    position_key(spec, key);
    for (int db = 0; ok && exists && db < TASK_DATABASES_MAX; db++) {
        uint64_t size = 0, count;

        ok = enter(client, db, &arena, &exists, &size, err) &&
             (!exists || size == 0 || find_positions(client, key, &count, other, err));
        if (ok && other[0])
            ok = err_set(err, ERR_DEST_IN_USE,
                         "database %d of the destination holds \"%s\" of another job: nothing "
                         "there is removed",
                         db, other);
    }
    arena_done(&arena);
    return ok;
}
