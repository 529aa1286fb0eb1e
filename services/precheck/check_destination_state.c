/* What else a destination is: who writes to it, its limits, positions of ours. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "services/flow/position.h"
#include "services/precheck/check_run.h"
#include "services/redis/redis_scan.h"

enum {
    WORKER_CONNECTIONS = 8, /* what a job opens at most, and some more */
    QUERY_BUFFER_MIN = 8 * 1024 * 1024,
    POSITION_SCANS = 20,
    POSITIONS_SHOWN = 4,
};

/* Counted over the first second, before the precheck writes anything itself. */
bool check_dst_live(struct check_run *run, struct check_finding *ret, struct err *err) {
    struct check_end *end = &run->destination;
    struct redis_info now;
    int64_t before = end->info.changes_since_save, rate;
    const char *live = check_live_instance(run);
    bool refused;

    if (live) {
        check_observed(ret, "%s", live);
        check_remedy(ret, "When no application uses it any more: POST /v1/instances/%s/clear-live",
                     live);
        return check_fail(ret, "The destination is marked as in use by applications (%s)", live);
    }
    if (before == REDIS_INFO_UNKNOWN)
        return check_skip(ret, "The account may not ask for the count of writes (INFO)");
    check_wait_since(end, CHECK_WRITE_SAMPLE_MS);
    if (!end->client.conn)
        return err_set(err, ERR_CLOSED, "the connection to the destination was lost");
    end->client.timeout_ms = check_time_left(end);
    if (!redis_client_info(&end->client, &now, &refused, err)) {
        redis_client_close(&end->client);
        return false;
    }
    if (now.changes_since_save < before)
        return check_skip(ret, "The destination saved its data just now; what was written "
                               "meanwhile is not known");
    rate = (now.changes_since_save - before) * 1000 / CHECK_WRITE_SAMPLE_MS;
    check_observed(ret, "%" PRId64 " writes/s", rate);
    check_threshold(ret, "0 writes/s");
    if (rate > 0)
        return check_warn(ret,
                          "Others write to the destination, %" PRId64 " times a second: what they "
                          "write and what is migrated overwrite each other",
                          rate);
    return check_pass(ret, "Nobody writes to the destination");
}

static bool number(struct check_run *run, const char *name, int64_t *ret, struct err *err) {
    char text[32];

    if (!check_config(run, &run->destination, name, text, sizeof(text), err))
        return false;
    if (!str_parse_i64(str_from(text), ret))
        *ret = REDIS_INFO_UNKNOWN;
    return true;
}

bool check_dst_limits(struct check_run *run, struct check_finding *ret, struct err *err) {
    const struct redis_info *info = &run->destination.info;
    int64_t clients, bulk, buffer, biggest = 0;
    char shown[32], most[32];

    if (!number(run, "maxclients", &clients, err) ||
        !number(run, "proto-max-bulk-len", &bulk, err) ||
        !number(run, "client-query-buffer-limit", &buffer, err))
        return false;
    if (clients < 0 && bulk < 0 && buffer < 0)
        return check_skip(ret, "The account may not ask for the destination's limits (CONFIG)");
    for (size_t i = 0; run->sample && i < run->sample->count; i++)
        biggest = run->sample->keys[i].bytes > biggest ? run->sample->keys[i].bytes : biggest;
    if (clients > 0 && info->connected_clients >= 0 &&
        clients - info->connected_clients < WORKER_CONNECTIONS) {
        check_observed(ret, "maxclients %" PRId64 ", %" PRId64 " connected", clients,
                       info->connected_clients);
        check_threshold(ret, "%d free", WORKER_CONNECTIONS);
        check_remedy(ret, "CONFIG SET maxclients %" PRId64,
                     info->connected_clients + 10 * WORKER_CONNECTIONS);
        return check_warn(ret, "The destination takes only %" PRId64 " more connections",
                          clients > info->connected_clients ? clients - info->connected_clients
                                                            : 0);
    }
    if (bulk > 0 && bulk < biggest) {
        check_observed(ret, "proto-max-bulk-len %s", check_bytes(bulk, shown));
        check_threshold(ret, "%s", check_bytes(biggest, most));
        check_remedy(ret, "CONFIG SET proto-max-bulk-len %" PRId64, biggest * 2);
        return check_warn(ret,
                          "A key of the source has about %s, the destination takes %s in one "
                          "piece",
                          most, shown);
    }
    if (buffer > 0 && buffer < QUERY_BUFFER_MIN) {
        check_observed(ret, "client-query-buffer-limit %s", check_bytes(buffer, shown));
        check_threshold(ret, "%s", check_bytes(QUERY_BUFFER_MIN, most));
        check_remedy(ret, "CONFIG SET client-query-buffer-limit 1gb");
        return check_warn(ret, "The destination cuts a connection that sends it %s at once", shown);
    }
    return check_pass(ret, "Connections and sizes have room");
}

bool check_dst_persistence_risk(struct check_run *run, struct check_finding *ret, struct err *err) {
    char fsync[16];

    if (!check_config(run, &run->destination, "appendfsync", fsync, sizeof(fsync), err))
        return false;
    if (run->destination.info.aof_enabled == REDIS_INFO_UNKNOWN || !fsync[0])
        return check_skip(ret, "The account may not ask how the destination saves (INFO, CONFIG)");
    check_observed(ret, "appendonly %s, appendfsync %s",
                   run->destination.info.aof_enabled == 1 ? "yes" : "no", fsync);
    if (run->destination.info.aof_enabled == 1 && strcmp(fsync, "always") == 0)
        return check_warn(ret, "The destination writes each command to its disk before it "
                               "answers: the copy takes longer");
    return check_pass(ret, "Saving does not hold up the copy");
}

/* ---- positions of ours ---- */

struct positions {
    char names[200];
    size_t used;
    int live, sealed, of_this_job;
    bool refused;
};

/* One hash of ours: {kf}:<job>:<task>. */
static bool look_at(struct check_run *run, struct str key, struct positions *p, struct err *err) {
    const char *job = json_string_value(json_object_get(run->message, "job"));
    struct str rest = str_skip(key, strlen(POSITION_PREFIX)), owner;
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    char name[POSITION_KEY_MAX + 1], state[16] = "", shown[48];
    bool ok;

    if (key.len >= sizeof(name) || !str_cut(&rest, ':', &owner))
        return true;
    snprintf(name, sizeof(name), STR_FMT, STR_ARG(key));
    ok = check_ask(run, &run->destination, &arena, &reply, err, "HGET", name, "state");
    if (ok && reply->type == RESP_BULK)
        str_escape(str_first(reply->str, sizeof(state) - 1), state, sizeof(state));
    p->refused = p->refused || (ok && check_is_refused(reply));
    arena_done(&arena);
    if (!ok || !state[0])
        return ok;
    if (job && str_equal(owner, str_from(job)))
        p->of_this_job++;
    else if (strcmp(state, "stopped") == 0 || strcmp(state, "done") == 0)
        p->sealed++;
    else
        p->live++;
    str_escape(str_first(owner, 40), shown, sizeof(shown));
    if (p->used < sizeof(p->names) - 70)
        p->used += (size_t)snprintf(p->names + p->used, sizeof(p->names) - p->used, "%s%s (%s)",
                                    p->used ? ", " : "", shown, state);
    return true;
}

static bool find_positions(struct check_run *run, struct positions *p, struct err *err) {
    char cursor[REDIS_SCAN_CURSOR_SIZE] = "0";
    int seen = 0;

    for (int call = 0; call < POSITION_SCANS; call++) {
        struct arena arena = ARENA_INIT;
        const struct resp_value *reply, *keys = NULL;
        bool ok = check_ask(run, &run->destination, &arena, &reply, err, "SCAN", cursor, "MATCH",
                            POSITION_PREFIX "*", "COUNT", "1000");
        bool is_list = ok && redis_scan_reply(reply, cursor, &keys);

        p->refused = p->refused || (ok && !is_list);
        for (size_t i = 0; ok && is_list && i < keys->count; i++)
            if (seen++ < POSITIONS_SHOWN)
                ok = look_at(run, keys->items[i].str, p, err);
        arena_done(&arena);
        if (!ok || !is_list || redis_scan_is_over(cursor))
            return ok;
    }
    return true;
}

bool check_dst_position(struct check_run *run, struct check_finding *ret, struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    struct positions p = {.used = 0};
    int numbers[CHECK_DATABASES_MAX];
    size_t count = check_target_databases(run, numbers);
    char text[12];
    bool ok = true;

    for (size_t i = 0; ok && i < count; i++) {
        snprintf(text, sizeof(text), "%d", numbers[i]);
        ok = check_ask(run, &run->destination, &arena, &reply, err, "SELECT", text);
        if (ok && resp_value_is(reply, "OK"))
            ok = find_positions(run, &p, err);
    }
    ok = ok && check_ask(run, &run->destination, &arena, &reply, err, "SELECT", "0");
    arena_done(&arena);
    if (!ok)
        return false;
    if (p.refused && !p.used)
        return check_skip(ret, "The account may not SCAN and HGET: see dst.permission");
    check_observed(ret, "%s", p.used ? p.names : "none");
    if (p.live)
        return check_warn(ret,
                          "The destination carries the position of a migration that is not over: "
                          "%s. It may still write there, and holds expiries back",
                          p.names);
    if (p.of_this_job)
        return check_pass(ret, "The position there is this job's: it goes on from it");
    if (p.sealed)
        return check_pass(ret,
                          "The destination carries the seal of a migration that is over: %s. "
                          "Nothing of it can write; the key may be deleted",
                          p.names);
    return check_pass(ret, "No migration has left a position there");
}
