/* What a destination is: writable, empty, large enough, not the source. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "services/precheck/check_shards.h"
#include "services/redis/redis_scan.h"

/* What the server complains about when it refuses a write. */
static void remedy_for(const struct resp_value *reply, struct check_finding *f) {
    static const struct {
        enum resp_error class;
        const char *remedy;
    } rows[] = {
        {RESP_ERROR_READONLY, "Give the primary: this server is a read-only replica"},
        {RESP_ERROR_MISCONF, "Repair its persistence (disk full?): it refuses writes since a "
                             "snapshot failed"},
        {RESP_ERROR_NOREPLICAS, "Attach the replicas that min-replicas-to-write asks for"},
        {RESP_ERROR_OOM, "Raise maxmemory or choose a larger instance"},
        {RESP_ERROR_CLUSTERDOWN, "Repair the cluster"},
        {RESP_ERROR_MOVED, "Slots have just moved: run the precheck again"},
        {RESP_ERROR_LOADING, "Wait until the destination has loaded its data"},
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        if (check_reply_is(reply, rows[i].class))
            check_remedy(f, "%s", rows[i].remedy);
}

static bool select_database(struct check_run *run, int number, struct arena *arena,
                            const struct resp_value **ret, struct err *err) {
    char text[12];

    snprintf(text, sizeof(text), "%d", number);
    return check_ask(run, &run->destination, arena, ret, err, "SELECT", text);
}

/* Write the probe key and take it away again. */
static bool probe_write(struct check_run *run, struct arena *arena, struct check_finding *f,
                        struct err *err) {
    const struct resp_value *reply, *gone;
    char shown[160];

    if (!check_ask(run, &run->destination, arena, &reply, err, "SET", run->probe_key, "1", "PX",
                   CHECK_PROBE_TTL))
        return false;
    if (resp_value_is(reply, "OK")) {
        run->destination.probe_keys++;
        if (!check_ask(run, &run->destination, arena, &gone, err, "DEL", run->probe_key))
            return false;
        return check_pass(f, "A key can be written");
    }
    if (check_is_refused(reply))
        return check_skip(f, "The account may not write: see dst.permission");
    remedy_for(reply, f);
    check_observed(f, "%s", check_show(reply, shown));
    return check_fail(f, "The destination refuses a write: %s", shown);
}

bool check_dst_writable(struct check_run *run, struct check_finding *ret, struct err *err) {
    const struct check_end *end = &run->destination;
    struct arena arena = ARENA_INIT;
    bool ok;

    if (end->is_sentinel)
        return check_fail(ret, "This is a Sentinel, not a server with data");
    if (end->info.cluster_enabled == 1 && !end->slots) {
        check_remedy(ret, "Name it as a cluster: redis+cluster://, or the topology cluster");
        return check_fail(ret, "This is a member of a cluster, and is named as a single server");
    }
    check_observed(ret, "%s", end->info.role[0] ? end->info.role : "role unknown");
    if (strcmp(end->info.role, "slave") == 0) {
        check_remedy(ret, "Give the primary: this server is a replica");
        return check_fail(ret, "The destination is a replica: what is written to it would be "
                               "refused or lost");
    }
    if (end->info.loading == 1)
        return check_fail(ret, "The destination is loading its data");
    if (!run->may_write)
        return check_pass(ret, "The destination is a primary (nothing was written to try it)");
    ok = probe_write(run, &arena, ret, err);
    arena_done(&arena);
    return ok;
}

/* Keys of ours that do not make a destination "not empty". */
static bool is_ours(const struct check_run *run, struct str key) {
    struct str tmp = key, tag;

    if (str_starts_with(key, STR_LIT("{kf}:")) ||
        str_starts_with(key, STR_LIT(CHECK_PROBE_PREFIX)) ||
        str_starts_with(key, str_from(run->heartbeat_prefix)))
        return true;
    return str_starts_with(key, STR_LIT("{")) && str_cut(&tmp, '}', &tag) &&
           str_starts_with(tmp, STR_LIT("kf:tmp:"));
}

enum {
    EMPTY_SCAN_MAX = 20,     /* calls; enough to pass over what can be ours */
    SELECTED_SCAN_MAX = 500, /* calls; a job's first claim of the destination looks at all keys */
};

/* Where a job selects prefixes, keys beside them are in nobody's way: how many are not. */
static bool count_selected(struct check_run *run, int source_db, struct arena *arena,
                           int64_t *ret_foreign, const struct resp_value **ret_refusal,
                           struct err *err) {
    const struct resp_value *reply, *keys;
    char cursor[REDIS_SCAN_CURSOR_SIZE] = "0";

    *ret_refusal = NULL;
    *ret_foreign = 0;
    for (int call = 0; call < SELECTED_SCAN_MAX; call++) {
        struct arena step = ARENA_INIT;
        bool over;

        if (!check_ask(run, &run->destination, &step, &reply, err, "SCAN", cursor, "COUNT",
                       "10000")) {
            arena_done(&step);
            return false;
        }
        if (!redis_scan_reply(reply, cursor, &keys)) {
            arena_done(&step);
            return check_ask(run, &run->destination, arena, ret_refusal, err, "SCAN", cursor);
        }
        for (size_t i = 0; i < keys->count; i++) {
            struct str key = keys->items[i].str;

            *ret_foreign += check_selects(run, source_db, key) && !is_ours(run, key);
        }
        over = redis_scan_is_over(cursor);
        arena_done(&step);
        if (over)
            break;
    }
    return true;
}

/* How many keys of the selected database are not ours, at least; and whether a job of ours left
 * its position there. */
static bool count_foreign(struct check_run *run, int number, struct arena *arena,
                          int64_t *ret_foreign, bool *ret_guarded,
                          const struct resp_value **ret_refusal, struct err *err) {
    int source_db = number;
    const struct resp_value *reply, *keys;
    char cursor[REDIS_SCAN_CURSOR_SIZE] = "0";
    int64_t total, ours = 0;

    for (int db = 0; !run->map_all && db < CHECK_DATABASES_MAX; db++)
        if (run->database_map[db] == number)
            source_db = db;
    if (check_has_prefixes(run, source_db))
        return count_selected(run, source_db, arena, ret_foreign, ret_refusal, err);
    *ret_refusal = NULL;
    if (!check_ask(run, &run->destination, arena, &reply, err, "DBSIZE"))
        return false;
    if (reply->type != RESP_INTEGER) {
        *ret_refusal = reply;
        return true;
    }
    total = reply->integer;
    for (int call = 0; total > 0 && call < EMPTY_SCAN_MAX; call++) {
        if (!check_ask(run, &run->destination, arena, &reply, err, "SCAN", cursor, "COUNT", "1000"))
            return false;
        if (!redis_scan_reply(reply, cursor, &keys))
            break; /* then every key counts as the user's */
        for (size_t i = 0; i < keys->count; i++) {
            ours += is_ours(run, keys->items[i].str);
            *ret_guarded |= str_starts_with(keys->items[i].str, STR_LIT("{kf}:"));
        }
        if (redis_scan_is_over(cursor))
            break;
    }
    *ret_foreign = total > ours ? total - ours : 0;
    return true;
}

/* The databases to look into: the targets, or whatever the destination has. */
static size_t databases_to_count(const struct check_run *run, int numbers[CHECK_DATABASES_MAX]) {
    const struct redis_info *info = &run->destination.info;
    size_t count = 0;

    if (!run->conflict_instance || !info->has_keyspace)
        return check_target_databases(run, numbers);
    for (uint32_t i = 0; i < info->database_count && count < CHECK_DATABASES_MAX; i++)
        numbers[count++] = info->databases[i].number;
    return count;
}

/* What the mode makes of keys that are there. */
static bool judge_keys(const struct check_run *run, int64_t keys, bool guarded, const char *where,
                       struct check_finding *f) {
    const char *noun = keys == 1 ? "key" : "keys";

    if (run->conflict == TASK_CONFLICT_FLUSH && guarded) {
        check_remedy(f, "End and forget the job whose key begins with {kf}:, or choose another "
                        "conflict_mode");
        return check_fail(f, "The destination carries the position or the seal of another job: "
                             "it is not emptied");
    }
    if (keys == 0)
        return check_pass(f, "The destination is empty");
    switch (run->conflict) {
    case TASK_CONFLICT_EMPTY:
        break;
    case TASK_CONFLICT_OVERWRITE:
        return check_warn(f,
                          "The destination holds %" PRId64 " %s (%s): what has a name of the "
                          "source is overwritten, the rest stays",
                          keys, noun, where);
    case TASK_CONFLICT_SKIP:
        return check_pass(f,
                          "The destination holds %" PRId64 " %s (%s): they are kept, also where "
                          "the source has the name",
                          keys, noun, where);
    case TASK_CONFLICT_FAIL:
        return check_pass(f,
                          "The destination holds %" PRId64 " %s (%s): the job stops before the "
                          "first that has a name of the source",
                          keys, noun, where);
    case TASK_CONFLICT_FLUSH:
        return check_pass(f,
                          "The destination holds %" PRId64 " %s (%s): all of them are removed "
                          "when the copy begins, as was confirmed",
                          keys, noun, where);
    }
    return check_fail(f, "The destination holds %" PRId64 " %s (%s)", keys, noun, where);
}

bool check_dst_empty(struct check_run *run, struct check_finding *ret, struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply, *refusal = NULL;
    int numbers[CHECK_DATABASES_MAX];
    size_t count = databases_to_count(run, numbers), used = 0;
    int64_t keys = 0;
    char where[120] = "", shown[160];
    bool ok = true, guarded = false;

    for (size_t i = 0; ok && !refusal && i < count; i++) {
        int64_t foreign = 0;

        ok = select_database(run, numbers[i], &arena, &reply, err);
        if (!ok || !resp_value_is(reply, "OK"))
            continue; /* what is out of range holds nothing */
        ok = count_foreign(run, numbers[i], &arena, &foreign, &guarded, &refusal, err);
        keys += foreign;
        if (foreign > 0 && used < sizeof(where) - 24)
            used += (size_t)snprintf(where + used, sizeof(where) - used, "%sdb%d: %" PRId64,
                                     used ? ", " : "", numbers[i], foreign);
    }
    ok = ok && select_database(run, 0, &arena, &reply, err);
    if (refusal)
        check_show(refusal, shown);
    arena_done(&arena);
    if (!ok)
        return false;
    check_threshold(ret, "0 keys");
    if (refusal) {
        check_observed(ret, "%s", shown);
        check_remedy(ret, "ACL SETUSER %s +dbsize +scan", check_user(&run->destination));
        return check_warn(ret, "The account may not count the destination's keys");
    }
    check_observed(ret, "%s", keys ? where : "0 keys");
    return judge_keys(run, keys, guarded, where, ret);
}

/* Does `replica` follow the server at the address of `primary`? */
static bool follows(const struct check_end *replica, const struct check_end *primary) {
    return replica->info.master_host[0] &&
           strcmp(replica->info.master_host, primary->ep.host) == 0 &&
           replica->info.master_port == primary->ep.port;
}

/* Why the two are one data set, or NULL. */
static const char *same_because(const struct check_end *a, const struct check_end *b) {
    const struct redis_info *from = &a->info, *to = &b->info;
    char source[300], destination[300];

    if (from->run_id[0] && strcmp(from->run_id, to->run_id) == 0)
        return "Source and destination are the same server";
    endpoint_server(&a->ep, source);
    endpoint_server(&b->ep, destination);
    if (strcmp(source, destination) == 0)
        return "Source and destination are the same address";
    if (from->replid[0] && strcmp(from->replid, to->replid) == 0)
        return "Source and destination are of one replication set: one is the other's replica, or "
               "both have the same primary";
    return follows(a, b) || follows(b, a) ? "One end is configured as the other's replica" : NULL;
}

/* The servers of an end: its shards, or itself. */
static const struct check_end *nth_server(const struct check_end *end, size_t i) {
    if (!check_has_shards(end))
        return i == 0 ? end : NULL;
    return i < end->cluster->count ? end->cluster->shards[i].end : NULL;
}

static bool tells_identity(const struct check_end *end) {
    const struct check_end *one;

    for (size_t i = 0; (one = nth_server(end, i)); i++)
        if (!one->info.run_id[0])
            return false;
    return true;
}

bool check_dst_same_instance(struct check_run *run, struct check_finding *ret, struct err *err) {
    const struct check_end *from, *to;

    (void)err;
    for (size_t i = 0; (from = nth_server(&run->source, i)); i++) {
        for (size_t k = 0; (to = nth_server(&run->destination, k)); k++) {
            const char *why = same_because(from, to);

            if (!why)
                continue;
            snprintf(ret->shard, sizeof(ret->shard), "%s", to->slots ? to->label : "");
            return check_fail(ret, to->slots ? "%s (%.150s)" : "%s", why, to->label);
        }
    }
    if (!tells_identity(&run->source) || !tells_identity(&run->destination)) {
        check_remedy_info(run, !tells_identity(&run->source), !tells_identity(&run->destination),
                          ret);
        return check_warn(ret, "One of the servers does not tell its identity (INFO)");
    }
    return check_pass(ret, check_has_shards(&run->source) || check_has_shards(&run->destination)
                               ? "No server is part of both ends"
                               : "Two different servers");
}

enum { MEMORY_FACTOR_PERCENT = 120, MEMORY_WARN_PERCENT = 85 };

bool check_dst_memory(struct check_run *run, struct check_finding *ret, struct err *err) {
    const struct redis_info *from = &run->source.info, *to = &run->destination.info;
    int64_t data = from->used_memory_dataset, need, have;
    char need_text[32], have_text[32];
    bool limited = to->maxmemory > 0;

    (void)err;
    if (data == REDIS_INFO_UNKNOWN)
        data = from->used_memory;
    have = limited ? to->maxmemory : to->total_system_memory;
    if (data < 0 || to->used_memory < 0 || have <= 0 || data > INT64_MAX / 200) {
        check_remedy_info(run, data < 0, to->used_memory < 0 || have <= 0, ret);
        return check_warn(ret, "One of the servers does not tell its memory (INFO)");
    }
    /* Encodings and allocators differ between servers. */
    need = data / 100 * check_selected_percent(run) * MEMORY_FACTOR_PERCENT / 100;
    need = need / 1000 * check_share_permille(run);
    have = have > to->used_memory ? have - to->used_memory : 0;
    check_observed(ret, "%s free%s", check_bytes(have, have_text),
                   limited ? "" : " (no maxmemory; of the machine)");
    check_threshold(ret, "%s", check_bytes(need, need_text));
    if (have >= need)
        return check_pass(ret, "About %s are needed, %s are free", need_text, have_text);
    /* Without a limit of its own the machine's memory is only a hint. */
    if (!limited || have >= need * MEMORY_WARN_PERCENT / 100)
        return check_warn(ret, "About %s are needed, %s are free: it may not fit", need_text,
                          have_text);
    return check_fail(ret, "About %s are needed, only %s are free", need_text, have_text);
}

bool check_dst_eviction(struct check_run *run, struct check_finding *ret, struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    char policy[32];

    snprintf(policy, sizeof(policy), "%s", run->destination.info.maxmemory_policy);
    if (!policy[0]) {
        if (!check_ask(run, &run->destination, &arena, &reply, err, "CONFIG", "GET",
                       "maxmemory-policy"))
            return false;
        if (reply->type == RESP_ARRAY && reply->count == 2)
            str_escape(str_first(reply->items[1].str, sizeof(policy) - 1), policy, sizeof(policy));
        arena_done(&arena);
    }
    check_threshold(ret, "noeviction");
    check_observed(ret, "%s", policy[0] ? policy : "unknown");
    if (!policy[0]) {
        check_remedy(ret,
                     "ACL SETUSER %s +info, or make sure by hand that maxmemory-policy is "
                     "noeviction",
                     check_user(&run->destination));
        return check_warn(ret, "The destination does not tell its eviction policy");
    }
    if (strcmp(policy, "noeviction") != 0)
        return check_warn(
            ret, "maxmemory-policy is %s: a job that follows stops when keys are evicted", policy);
    return check_pass(ret, "Nothing is evicted");
}
