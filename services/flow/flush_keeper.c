#include "services/flow/flush_keeper.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/resp/resp_write.h"
#include "services/flow/applier.h"
#include "services/redis/redis_scan.h"

enum { REQUEST_MAX = 64 * 1024, ASKED_MAX = 3 + 3 * (FLUSH_KEEPER_MAX + 1) };

/* ARGV: how many words the command has, those, then database and key of each that is kept. The
 * command comes before anything is written: refused, it has changed nothing. A swap takes keys
 * along, and they are removed from where they went before any is put back. */
static const char keep_script[] =
    "local n,s,call=tonumber(ARGV[1]),{},redis.call "
    "for i=n+2,#ARGV,2 do call('SELECT',ARGV[i]) s[i]=call('DUMP',ARGV[i+1]) end "
    "call(unpack(ARGV,2,n+1)) "
    "if n==3 then for i=n+2,#ARGV,2 do if s[i] then "
    "call('SELECT',ARGV[i]==ARGV[3] and ARGV[4] or ARGV[3]) call('DEL',ARGV[i+1]) end end end "
    "for i=n+2,#ARGV,2 do if s[i] then "
    "call('SELECT',ARGV[i]) call('RESTORE',ARGV[i+1],'0',s[i]) end end return 1";

/* ---- looking ------------------------------------------------------------------------- */

static const char looking[] = "looking for keys of other jobs";

static void keep(struct flush_keeper *keeper, int database, struct str key) {
    uint32_t at = keeper->count++;

    keeper->kept[at].database = database;
    memcpy(keeper->kept[at].key, key.ptr, key.len);
    keeper->kept[at].key[key.len] = '\0';
}

static bool note(struct flush_keeper *keeper, const struct applier *a, int database, struct str key,
                 struct err *err) {
    char own[POSITION_KEY_MAX];

    position_key(&a->spec, own);
    if (str_equal(key, str_from(own)) || !str_starts_with(key, STR_LIT(POSITION_PREFIX)) ||
        key.len >= sizeof(keeper->kept[0].key) || memchr(key.ptr, '\0', key.len))
        return true;
    for (uint32_t i = 0; i < keeper->count; i++) { /* SCAN may show a key twice */
        if (keeper->kept[i].database == database && str_equal(key, str_from(keeper->kept[i].key)))
            return true;
    }
    if (keeper->count == LENGTH_OF(keeper->kept))
        return err_set(err, ERR_DEST_IN_USE,
                       "more than %d jobs left a key on the destination, which a flush would "
                       "remove: forget those that are over",
                       FLUSH_KEEPER_MAX);
    keep(keeper, database, key);
    return true;
}

void flush_keeper_own(struct flush_keeper *keeper, const struct applier *a, int database) {
    char own[POSITION_KEY_MAX];

    if (database != a->spec.lowest_database && database != FLUSH_KEEPER_ALL)
        return;
    position_key(&a->spec, own);
    keep(keeper, a->spec.lowest_database, str_from(own));
}

static bool walk(struct flush_keeper *keeper, const struct applier *a, struct redis_client *client,
                 int database, struct err *err) {
    char cursor[REDIS_SCAN_CURSOR_SIZE] = "0";
    bool ok;

    do {
        struct arena arena = ARENA_INIT;
        const struct resp_value *keys;

        ok = redis_scan_step(client, &arena, cursor, POSITION_PREFIX "*", "5000", looking, &keys,
                             err);
        for (size_t i = 0; ok && i < keys->count; i++)
            ok = note(keeper, a, database, keys->items[i].str, err);
        arena_done(&arena);
    } while (ok && !redis_scan_is_over(cursor));
    return ok;
}

/* All that the script calls. A transaction that is given up tells it: each command is judged when
 * it is queued. */
static bool ask_rights(const struct flush_keeper *keeper, struct redis_client *client,
                       struct err *err) {
    struct arena arena = ARENA_INIT;
    struct buf commands = BUF_INIT(REQUEST_MAX);
    const struct resp_value *replies[ASKED_MAX];
    size_t asked = 3;
    bool ok = resp_put_words(&commands, err, "MULTI", NULL) &&
              resp_put_command(&commands, keeper->word_count, keeper->words, err);

    for (uint32_t i = 0; ok && i < keeper->count; i++, asked += 3) {
        const char *key = keeper->kept[i].key;

        ok = resp_put_words(&commands, err, "DUMP", key, NULL) &&
             resp_put_words(&commands, err, "DEL", key, NULL) &&
             resp_put_words(&commands, err, "RESTORE", key, "0", "", NULL);
    }
    ok = ok && resp_put_words(&commands, err, "DISCARD", NULL) &&
         redis_client_pipeline(client, buf_str(&commands), asked, &arena, replies, err);
    for (size_t i = 0; ok && i < asked; i++) {
        if (replies[i]->type == RESP_ERROR)
            ok = redis_client_refused(client, replies[i], "what the source ran", err);
    }
    buf_done(&commands);
    arena_done(&arena);
    return ok;
}

bool flush_keeper_find(struct flush_keeper *keeper, struct applier *a, int database,
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
            ok = redis_client_refused(&client, reply, looking, err);
        ok = ok && walk(keeper, a, &client, db, err);
        arena_done(&arena);
    }
    ok = ok && ask_rights(keeper, &client, err);
    redis_client_close(&client);
    return ok;
}

/* ---- keeping ------------------------------------------------------------------------- */

bool flush_keeper_put(const struct flush_keeper *keeper, struct unit *unit, struct err *err) {
    struct str argv[4 + FLUSH_KEEPER_WORDS + 2 * LENGTH_OF(keeper->kept)] = {
        STR_LIT("EVAL"), str_from(keep_script), STR_LIT("0")};
    char count[16], numbers[LENGTH_OF(keeper->kept)][16];
    size_t n = 4;

    if (keeper->count == 0)
        return unit_command(unit, keeper->words, keeper->word_count, err);
    snprintf(count, sizeof(count), "%" PRIu32, keeper->word_count);
    argv[3] = str_from(count);
    for (uint32_t i = 0; i < keeper->word_count; i++)
        argv[n++] = keeper->words[i];
    for (uint32_t i = 0; i < keeper->count; i++) {
        snprintf(numbers[i], sizeof(numbers[i]), "%d", keeper->kept[i].database);
        argv[n++] = str_from(numbers[i]);
        argv[n++] = str_from(keeper->kept[i].key);
    }
    return unit_command(unit, argv, n, err);
}
