#include "services/flow/apply_facts.h"

#include <string.h>

#include "services/redis/redis_hello.h"

enum { BULK_MAX = 512 * 1024 * 1024 }; /* what servers take unless told otherwise */

/* Which SELECT n work: found out while nothing is at stake, because a SELECT that
 * fails inside a transaction lets the rest of it run in the wrong database. */
static bool learn_databases(struct applier *a, struct redis_client *client, struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    bool ok = true;

    memset(a->database_ok, 0, sizeof(a->database_ok));
    for (int db = 0; ok && db < TASK_DATABASES_MAX; db++) {
        ok = redis_client_call(client, &arena, &reply, err, "SELECT",
                               arena_printf(&arena, "%d", db), NULL);
        if (ok && redis_client_not_now(reply))
            ok = redis_client_refused(client, reply, "counting the databases", err);
        if (!ok || reply->type == RESP_ERROR)
            break;
        a->database_ok[db / 8] |= (uint8_t)(1u << (db % 8));
    }
    ok = ok && redis_client_call(client, &arena, &reply, err, "SELECT",
                                 arena_printf(&arena, "%d", a->spec.lowest_database), NULL);
    arena_done(&arena);
    return ok;
}

static uint32_t packed_version(uint32_t decimal) {
    return (decimal / 10000) << 16 | (decimal / 100 % 100) << 8 | decimal % 100;
}

/* When a key was used last and how often are worth a RESTORE each only where the policy
 * of the destination looks at it; one that is not told may. */
static void learn_hints(struct applier *a, const struct redis_info *info) {
    bool knows = info->redis_compat >= 50000;
    bool lfu = strstr(info->maxmemory_policy, "lfu") != NULL;

    a->keeps_freq = knows && (lfu || info->maxmemory_policy[0] == '\0');
    a->keeps_idle = knows && !lfu;
}

/* The longest argument it takes. Not every account may ask. */
static bool learn_bulk_max(struct applier *a, struct redis_client *client, struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    uint64_t bytes;
    bool ok =
        redis_client_call(client, &arena, &reply, err, "CONFIG", "GET", "proto-max-bulk-len", NULL);

    a->bulk_max = BULK_MAX;
    if (ok && reply->type == RESP_ARRAY && reply->count == 2 && reply->items[1].type == RESP_BULK &&
        str_parse_u64(reply->items[1].str, &bytes) && bytes > 0)
        a->bulk_max = bytes;
    arena_done(&arena);
    return ok;
}

/* A command that failed while we died would go unseen, so units become scripts. */
static bool learn_script(struct applier *a, struct redis_client *client, struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    bool ok = redis_client_call(client, &arena, &reply, err, "EVAL", "return 1", "0", NULL);

    if (ok && reply->type == RESP_ERROR)
        ok = redis_client_refused(
            client, reply, "EVAL, without which errors of the destination could go unseen", err);
    arena_done(&arena);
    return ok && lane_script_learn(&a->names, client, err);
}

bool apply_facts_learn(struct applier *a, struct redis_client *client, struct redis_info *info,
                       struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply, *inside;
    bool ok;

    redis_info_init(info);
    ok = redis_client_call(client, &arena, &reply, err, "INFO", NULL) &&
         redis_client_call(client, &arena, &inside, err, "EVAL",
                           "return redis.call('INFO','stats')", "0", NULL);
    if (ok && reply->type == RESP_BULK)
        redis_info_parse(reply->str, info);
    /* Whoever loads its data or is busy says nothing of what it can do. */
    if (ok && redis_client_not_now(inside))
        ok = redis_client_refused(client, inside, "asking what the destination can do", err);
    ok = ok && redis_hello_ask(client, info, err);
    if (ok) {
        a->can_seal = inside->type == RESP_BULK && info->total_error_replies >= 0;
        if (!a->can_seal)
            ok = learn_script(a, client, err);
        a->has_functions = info->redis_compat >= 70000;
        learn_hints(a, info);
    }
    arena_done(&arena);
    return ok && learn_bulk_max(a, client, err) && learn_databases(a, client, err);
}

/* The version its own payloads carry: what RESTORE accepts from us. */
bool apply_facts_payload(struct applier *a, struct redis_client *client,
                         const struct redis_info *info, struct err *err) {
    struct arena arena = ARENA_INIT;
    char key[POSITION_KEY_MAX];
    const struct resp_value *reply;
    uint16_t version = 0;
    bool ok;

    position_key(&a->spec, key);
    ok = redis_client_call(client, &arena, &reply, err, "DUMP", key, NULL);
    if (ok && reply->type == RESP_ERROR)
        ok = redis_client_refused(client, reply, "reading our key", err);
    else if (ok && (reply->type != RESP_BULK || reply->str.len < 11))
        ok = err_set(err, ERR_POSITION_MISSING, "our key on the destination is gone");
    if (ok) {
        const unsigned char *footer = (const unsigned char *)reply->str.ptr + reply->str.len - 10;

        version = (uint16_t)(footer[0] | footer[1] << 8);
        a->target = command_target(info->product == REDIS_PRODUCT_VALKEY,
                                   packed_version(info->version_number), version,
                                   a->spec.held_expiry && a->spec.incremental);
        a->target.drops_hash_expiry = a->spec.drops_field_expiry && !a->target.has_hash_expiry;
        if (info->version_number != 0)
            a->destination = (struct rdb_destination){
                .vendor = info->product == REDIS_PRODUCT_VALKEY ? RDB_VALKEY : RDB_REDIS,
                .version = info->version_number,
            };
        else if (!rdb_destination_of_footer(version, &a->destination))
            a->destination = (struct rdb_destination){.version = 0};
        a->destination.held = a->target.held;
        a->destination.extends = a->spec.extend_ttl_ms > 0;
    }
    arena_done(&arena);
    return ok;
}

struct position_server apply_facts_server(const struct applier *a, const struct redis_info *info) {
    struct position_server server = {.run_id = a->can_seal ? info->run_id : ""};

    if (info->evicted_keys > 0)
        server.evicted = (uint64_t)info->evicted_keys;
    if (info->server_time_us > 0)
        server.clock_ms = (uint64_t)info->server_time_us / 1000;
    if (info->uptime_sec >= 0 && (uint64_t)info->uptime_sec < server.clock_ms / 1000)
        server.began_ms = server.clock_ms - (uint64_t)info->uptime_sec * 1000;
    return server;
}
