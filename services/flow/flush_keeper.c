#include "services/flow/flush_keeper.h"

#include <stdio.h>
#include <string.h>

#include "proto/resp/resp_write.h"
#include "services/flow/applier.h"

static const char keep_script[] = "local s={} for i=2,#ARGV,2 do redis.call('SELECT',ARGV[i]) "
                                  "s[i]=redis.call('DUMP',ARGV[i+1]) end "
                                  "redis.call(ARGV[1]) "
                                  "for i=2,#ARGV,2 do if s[i] then redis.call('SELECT',ARGV[i]) "
                                  "redis.call('RESTORE',ARGV[i+1],'0',s[i]) end end return 1";

/* ---- looking ------------------------------------------------------------------------- */

static bool refused(const struct redis_client *client, const struct resp_value *reply,
                    struct err *err) {
    return redis_client_refused(client, reply, "looking for keys of other jobs", err);
}

static bool note(struct applier *a, int database, struct str key, struct flush_keeper *keeper,
                 struct err *err) {
    char own[POSITION_KEY_MAX];
    uint32_t at = keeper->count;

    position_key(&a->spec, own);
    if (str_equal(key, str_from(own)) || !str_starts_with(key, STR_LIT(POSITION_PREFIX)) ||
        key.len >= sizeof(keeper->kept[0].key) || memchr(key.ptr, '\0', key.len))
        return true;
    if (at == FLUSH_KEEPER_MAX)
        return err_set(err, ERR_DEST_IN_USE,
                       "more than %d jobs left a key on the destination, which a flush would "
                       "remove: forget those that are over",
                       FLUSH_KEEPER_MAX);
    for (uint32_t i = 0; i < at; i++) { /* SCAN may show a key twice */
        if (keeper->kept[i].database == database && str_equal(key, str_from(keeper->kept[i].key)))
            return true;
    }
    keeper->kept[at].database = database;
    memcpy(keeper->kept[at].key, key.ptr, key.len);
    keeper->kept[at].key[key.len] = '\0';
    keeper->count++;
    return true;
}

static bool walk(struct applier *a, struct redis_client *client, int database,
                 struct flush_keeper *keeper, struct err *err) {
    char cursor[24] = "0";
    bool ok;

    do {
        struct arena arena = ARENA_INIT;
        const struct resp_value *reply;

        ok = redis_client_call(client, &arena, &reply, err, "SCAN", cursor, "MATCH",
                               POSITION_PREFIX "*", "COUNT", "5000", NULL);
        if (ok && reply->type == RESP_ERROR)
            ok = refused(client, reply, err);
        else if (ok &&
                 (reply->type != RESP_ARRAY || reply->count != 2 ||
                  reply->items[0].type != RESP_BULK || reply->items[0].str.len >= sizeof(cursor)))
            ok = err_set(err, ERR_PROTOCOL, "SCAN answered something else");
        for (size_t i = 0; ok && i < reply->items[1].count; i++)
            ok = note(a, database, reply->items[1].items[i].str, keeper, err);
        if (ok) {
            memcpy(cursor, reply->items[0].str.ptr, reply->items[0].str.len);
            cursor[reply->items[0].str.len] = '\0';
        }
        arena_done(&arena);
    } while (ok && strcmp(cursor, "0") != 0);
    return ok;
}

bool flush_keeper_find(struct applier *a, int database, struct flush_keeper *keeper,
                       struct err *err) {
    struct redis_client client = REDIS_CLIENT_INIT;
    bool ok = applier_connect(a, &client, err);

    for (int db = 0; ok && db < TASK_DATABASES_MAX; db++) {
        struct arena arena = ARENA_INIT;
        const struct resp_value *reply;

        if ((database != FLUSH_KEEPER_ALL && db != database) ||
            !(a->database_ok[db / 8] & (1u << (db % 8))))
            continue;
        ok = redis_client_call(&client, &arena, &reply, err, "SELECT",
                               arena_printf(&arena, "%d", db), NULL);
        if (ok && reply->type == RESP_ERROR)
            ok = refused(&client, reply, err);
        ok = ok && walk(a, &client, db, keeper, err);
        arena_done(&arena);
    }
    redis_client_close(&client);
    return ok;
}

/* ---- keeping ------------------------------------------------------------------------- */

bool flush_keeper_put(const struct flush_keeper *keeper, bool all, struct unit *unit,
                      struct err *err) {
    struct str argv[4 + 2 * FLUSH_KEEPER_MAX] = {STR_LIT("EVAL"), str_from(keep_script),
                                                 STR_LIT("0"),
                                                 all ? STR_LIT("FLUSHALL") : STR_LIT("FLUSHDB")};
    char numbers[FLUSH_KEEPER_MAX][16];
    size_t n = 4;

    if (keeper->count == 0)
        return unit_command(unit, &argv[3], 1, err);
    for (uint32_t i = 0; i < keeper->count; i++) {
        snprintf(numbers[i], sizeof(numbers[i]), "%d", keeper->kept[i].database);
        argv[n++] = str_from(numbers[i]);
        argv[n++] = str_from(keeper->kept[i].key);
    }
    return unit_command(unit, argv, n, err);
}

bool flush_keeper_put_back(const struct flush_keeper *keeper, int a, int b, struct unit *unit,
                           struct err *err) {
    for (uint32_t i = 0; i < keeper->count; i++) {
        int home = keeper->kept[i].database;
        char number[16];
        struct str argv[] = {STR_LIT("MOVE"), str_from(keeper->kept[i].key), STR_EMPTY};

        if (home != a && home != b)
            continue;
        snprintf(number, sizeof(number), "%d", home);
        argv[2] = str_from(number);
        if (!unit_select(unit, home == a ? b : a, err) ||
            !unit_command(unit, argv, LENGTH_OF(argv), err))
            return false;
    }
    return true;
}
