/* What our account may do on the source. */
#include <stdio.h>
#include <string.h>

#include "proto/resp/resp_write.h"
#include "services/common/clock.h"
#include "services/common/ulid.h"
#include "services/precheck/check_run.h"

#define NO_REPLICATION_ID "0000000000000000000000000000000000000000"

/* From 6.2 on PSYNC with FAILOVER is refused by a primary and by a replica each in its
 * words, after the account's rights were looked at and before anything is started.
 * Older servers refuse the third argument before they look at rights. */
static bool probe_psync(struct redis_client *client, struct arena *arena,
                        const struct resp_value **ret, struct err *err) {
    return redis_client_call(client, arena, ret, err, "PSYNC", NO_REPLICATION_ID, "1", "FAILOVER",
                             NULL);
}

static bool judge_psync(const struct check_run *run, const struct resp_value *reply,
                        struct check_finding *f) {
    char shown[160];

    check_show(reply, shown);
    check_observed(f, "%s", shown);
    if (reply->type != RESP_ERROR)
        return check_pass(f, "The account may replicate");
    switch (resp_error_class(reply->str)) {
    case RESP_ERROR_NOPERM:
        check_remedy(f, "ACL SETUSER %s +psync +replconf +ping", check_user(&run->source));
        return check_fail(f, "The account %s may not run PSYNC", check_user(&run->source));
    case RESP_ERROR_UNKNOWN_COMMAND:
        check_remedy(f, "PSYNC is renamed or switched off, as managed services do; ask the "
                        "provider for replication, or use a self-managed replica as the source");
        return check_fail(f, "The source does not know PSYNC");
    case RESP_ERROR_LOADING:
    case RESP_ERROR_MASTERDOWN:
    case RESP_ERROR_NOMASTERLINK:
    case RESP_ERROR_BUSY:
        check_remedy(f, "Wait until the source is ready");
        return check_fail(f, "The source cannot replicate now: %s", shown);
    default:
        return check_pass(f, "The account may replicate");
    }
}

/* 6.0 has rights but no FAILOVER branch: inside MULTI the command is only queued. (7.0 refuses it
 * there before it looks at rights.) */
static bool probe_psync_before_62(struct redis_client *client, struct arena *arena,
                                  const struct resp_value **ret, struct err *err) {
    const struct resp_value *ignored;

    return redis_client_call(client, arena, &ignored, err, "MULTI", NULL) &&
           redis_client_call(client, arena, ret, err, "PSYNC", "?", "-1", NULL) &&
           redis_client_call(client, arena, &ignored, err, "DISCARD", NULL);
}

bool check_src_psync_permission(struct check_run *run, struct check_finding *ret, struct err *err) {
    struct redis_client client = REDIS_CLIENT_INIT;
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    bool ok = check_end_dial(run, &run->source, &client, err) &&
              probe_psync(&client, &arena, &reply, err);

    if (ok && reply->type == RESP_ERROR &&
        memmem(reply->str.ptr, reply->str.len, "number of arguments", 19))
        ok = probe_psync_before_62(&client, &arena, &reply, err);
    ok = ok && judge_psync(run, reply, ret);
    redis_client_close(&client);
    arena_done(&arena);
    return ok;
}

bool check_src_replconf_permission(struct check_run *run, struct check_finding *ret,
                                   struct err *err) {
    static const char *const words[][5] = {
        {"PING", NULL},
        {"REPLCONF", "listening-port", "0", NULL},
        {"REPLCONF", "capa", "psync2", NULL},
    };
    struct redis_client client = REDIS_CLIENT_INIT;
    struct arena arena = ARENA_INIT;
    char shown[160];
    bool ok = check_end_dial(run, &run->source, &client, err);

    check_pass(ret, "The account may run REPLCONF and PING");
    for (size_t i = 0; ok && i < LENGTH_OF(words); i++) {
        const struct resp_value *reply;

        ok = redis_client_call(&client, &arena, &reply, err, words[i][0], words[i][1], words[i][2],
                               NULL);
        if (!ok || !check_is_refused(reply))
            continue; /* a replica's other complaints do not concern rights */
        check_observed(ret, "%s", check_show(reply, shown));
        check_remedy(ret, "ACL SETUSER %s +replconf +ping", check_user(&run->source));
        check_fail(ret, "The account %s may not run %s", check_user(&run->source), words[i][0]);
    }
    redis_client_close(&client);
    arena_done(&arena);
    return ok;
}

/* The stream of a replica needs no right to read keys; comparing and showing do. */
bool check_src_read_permission(struct check_run *run, struct check_finding *ret, struct err *err) {
    static const char *const words[][4] = {
        {"SELECT", "0", NULL},
        {"SCAN", "0", NULL},
        {"TYPE", CHECK_PROBE_PREFIX, NULL},
        {"PTTL", CHECK_PROBE_PREFIX, NULL},
        {"DUMP", CHECK_PROBE_PREFIX, NULL},
    };
    struct arena arena = ARENA_INIT;
    char lacking[120] = "";
    size_t used = 0;
    bool ok = true;

    for (size_t i = 0; ok && i < LENGTH_OF(words); i++) {
        const struct resp_value *reply;

        ok = check_command(run, &run->source, words[i], &arena, &reply, err);
        if (ok && check_is_refused(reply))
            used += (size_t)snprintf(lacking + used, sizeof(lacking) - used, "%s%s",
                                     used ? ", " : "", words[i][0]);
    }
    arena_done(&arena);
    if (!ok)
        return false;
    if (!used)
        return check_pass(ret, "The account may read");
    check_observed(ret, "refused: %s", lacking);
    check_remedy(ret, "ACL SETUSER %s +@read +select ~*", check_user(&run->source));
    return check_warn(ret,
                      "The account %s lacks %s: the copy does not need it, a comparison of both "
                      "ends would",
                      check_user(&run->source), lacking);
}

bool check_src_setex_permission(struct check_run *run, struct check_finding *ret, struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply, *gone;
    char key[160], id[ULID_ID_SIZE], shown[160];
    bool ok, written;

    if (!run->heartbeat || !run->incremental)
        return check_skip(ret, "No heartbeat is wanted");
    if (!run->may_write)
        return check_skip(ret, "probe is read_only: nothing is written to try it");
    /* First the count of the source's own writes, which this one would add to. */
    if (!check_sample_writes(run, err))
        return false;
    ulid_make("p", id);
    snprintf(key, sizeof(key), "%s:probe:%s", run->heartbeat_prefix, id);
    ok = check_ask(run, &run->source, &arena, &reply, err, "SET", key, "1", "PX", CHECK_PROBE_TTL);
    written = ok && resp_value_is(reply, "OK");
    if (written)
        ok = check_ask(run, &run->source, &arena, &gone, err, "DEL", key);
    if (ok)
        check_show(written ? gone : reply, shown);
    written = written && ok && gone->type == RESP_INTEGER;
    arena_done(&arena);
    if (!ok)
        return false;
    if (written)
        return check_pass(ret, "The heartbeat can be written");
    check_observed(ret, "%s", shown);
    if (strcmp(run->source.info.role, "slave") == 0)
        check_remedy(ret, "A replica cannot be written: set heartbeat.mode to off, or give the "
                          "primary");
    else
        check_remedy(ret, "ACL SETUSER %s +set +del ~%s*, or set heartbeat.mode to off",
                     check_user(&run->source), run->heartbeat_prefix);
    return check_warn(ret,
                      "The heartbeat cannot be written (%s): latency is estimated from the "
                      "offset",
                      shown);
}
