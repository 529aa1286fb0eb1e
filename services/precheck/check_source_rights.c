/* What our account may do on the source. */
#include <stdio.h>
#include <string.h>

#include "proto/resp/resp_write.h"
#include "services/common/clock.h"
#include "services/common/ulid.h"
#include "services/precheck/check_run.h"
#include "services/redis/psync_probe.h"

static bool judge_psync(const struct check_run *run, const struct resp_value *reply,
                        struct check_finding *f) {
    char shown[160];

    check_show(reply, shown);
    check_observed(f, "%s", shown);
    if (reply->type != RESP_ERROR)
        return check_pass(f, "The account may replicate");
    if (psync_probe_is_silent(reply)) {
        check_remedy(f, "ACL SETUSER %s +multi +discard, for the precheck alone",
                     check_user(&run->source));
        return check_warn(f,
                          "Whether the account %s may run PSYNC cannot be asked without "
                          "starting it",
                          check_user(&run->source));
    }
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

/* No replica, then: a copy alone can do without being one. */
static bool scan_instead(struct check_run *run, const char *word, const struct resp_value *reply,
                         struct check_finding *f) {
    char shown[160];

    run->scans = true;
    check_observed(f, "%s", check_show(reply, shown));
    return check_skip(f, "The account %s may not run %s: the copy reads with SCAN and DUMP",
                      check_user(&run->source), word);
}

/* Asked for, or PSYNC is not there. */
static bool judge_sync(struct check_run *run, bool knows_sync, struct check_finding *f) {
    if (!knows_sync) {
        check_remedy(f, "SYNC is renamed or switched off: leave migration.read_mode auto");
        return check_fail(f, "The source does not know SYNC");
    }
    run->syncs = true;
    return check_pass(f, run->read_mode == TASK_READ_SYNC
                             ? "The source knows SYNC"
                             : "The source knows no PSYNC: it is read by SYNC");
}

bool check_src_psync_permission(struct check_run *run, struct check_finding *ret, struct err *err) {
    struct redis_client client = REDIS_CLIENT_INIT;
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply = NULL;
    bool knows_sync = false, ok;

    if (run->scans)
        return check_skip(ret, "The copy reads with SCAN and DUMP");
    ok = check_end_dial(run, &run->source, &client, err) &&
         (run->syncs || psync_probe(&client, &arena, &reply, err)) &&
         (run->read_mode == TASK_READ_PSYNC || (reply && !psync_probe_is_unknown(reply)) ||
          psync_probe_sync(&client, &arena, &knows_sync, err));
    if (ok)
        ok = run->syncs || knows_sync ? judge_sync(run, knows_sync, ret)
             : check_may_scan(run) && psync_probe_is_refusal(reply)
                 ? scan_instead(run, "PSYNC", reply, ret)
                 : judge_psync(run, reply, ret);
    redis_client_close(&client);
    arena_done(&arena);
    return ok;
}

bool check_src_replconf_permission(struct check_run *run, struct check_finding *ret,
                                   struct err *err) {
    struct redis_client client = REDIS_CLIENT_INIT;
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    const char *word;
    char shown[160];
    bool ok;

    if (run->scans)
        return check_skip(ret, "The copy reads with SCAN and DUMP");
    if (run->syncs)
        return check_skip(ret, "SYNC goes without REPLCONF");
    ok = check_end_dial(run, &run->source, &client, err) &&
         psync_probe_beside(&client, &arena, &reply, &word, err);
    if (ok && !reply) {
        check_pass(ret, "The account may run REPLCONF and PING");
    } else if (ok && check_may_scan(run)) {
        scan_instead(run, word, reply, ret);
    } else if (ok) {
        check_observed(ret, "%s", check_show(reply, shown));
        check_remedy(ret, "ACL SETUSER %s +replconf +ping", check_user(&run->source));
        check_fail(ret, "The account %s may not run %s", check_user(&run->source), word);
    }
    redis_client_close(&client);
    arena_done(&arena);
    return ok;
}

/* Which of these the account may not run, as a list; "" = none. */
static bool list_refused(struct check_run *run, const char *const (*words)[4], size_t count,
                         char dst[120], struct err *err) {
    struct arena arena = ARENA_INIT;
    size_t used = 0;
    bool ok = true;

    dst[0] = '\0';
    for (size_t i = 0; ok && i < count; i++) {
        const struct resp_value *reply;

        ok = check_command(run, &run->source, words[i], &arena, &reply, err);
        if (ok && check_is_refused(reply))
            used += (size_t)snprintf(dst + used, 120 - used, "%s%s", used ? ", " : "", words[i][0]);
    }
    arena_done(&arena);
    return ok;
}

/* What a copy by SCAN can do without, at a price. */
static bool judge_scan_extras(struct check_run *run, struct check_finding *f, struct err *err) {
    static const char *const functions[][4] = {{"FUNCTION", "DUMP", NULL}};
    char lacking[120] = "";

    if (run->source.info.redis_compat >= 70000 &&
        !list_refused(run, functions, LENGTH_OF(functions), lacking, err))
        return false;
    if (lacking[0]) {
        check_observed(f, "refused: FUNCTION DUMP");
        check_remedy(f, "ACL SETUSER %s +function|dump", check_user(&run->source));
        return check_warn(f,
                          "The account %s may not run FUNCTION DUMP: function libraries are "
                          "left out",
                          check_user(&run->source));
    }
    if (run->source.info_refused) {
        check_observed(f, "refused: INFO");
        check_remedy(f, "ACL SETUSER %s +info", check_user(&run->source));
        return check_warn(f,
                          "The account %s may not run INFO: whether a source it connects to "
                          "again is the same is not known, so a lost connection means that the "
                          "copy begins again",
                          check_user(&run->source));
    }
    return check_pass(f, "The account may read what a copy by SCAN needs");
}

/* The stream of a replica needs no right to read keys; a copy by SCAN does, and so do
 * comparing and showing. */
bool check_src_read_permission(struct check_run *run, struct check_finding *ret, struct err *err) {
    static const char *const words[][4] = {
        {"SELECT", "0", NULL},
        {"SCAN", "0", NULL},
        {"TYPE", CHECK_PROBE_PREFIX, NULL},
        {"PTTL", CHECK_PROBE_PREFIX, NULL},
        {"DUMP", CHECK_PROBE_PREFIX, NULL},
    };
    static const char *const needed[][4] = {
        {"SELECT", "0", NULL},
        {"SCAN", "0", NULL},
        {"DUMP", CHECK_PROBE_PREFIX, NULL},
        {"PTTL", CHECK_PROBE_PREFIX, NULL},
        {"TIME", NULL},
    };
    char lacking[120];

    if (!(run->scans ? list_refused(run, needed, LENGTH_OF(needed), lacking, err)
                     : list_refused(run, words, LENGTH_OF(words), lacking, err)))
        return false;
    if (!lacking[0])
        return run->scans ? judge_scan_extras(run, ret, err)
                          : check_pass(ret, "The account may read");
    check_observed(ret, "refused: %s", lacking);
    run->all_keys_named = true;
    if (run->scans) {
        check_remedy(ret, "ACL SETUSER %s +scan +dump +pttl +select +time +info%s ~*",
                     check_user(&run->source),
                     check_knows_functions(&run->source) ? " +pexpiretime +function|dump" : "");
        return check_fail(ret, "The account %s lacks %s, which a copy by SCAN needs",
                          check_user(&run->source), lacking);
    }
    check_remedy(ret, "ACL SETUSER %s +@read +select ~*", check_user(&run->source));
    return check_warn(ret,
                      "The account %s lacks %s: the copy does not need it, a comparison of both "
                      "ends would",
                      check_user(&run->source), lacking);
}

/* An account that may touch every key is refused one more pattern, and the rest of the line with
 * it: the pattern is named alone, where it is what is missing. */
static void remedy_heartbeat(const struct check_run *run, bool for_keys, struct check_finding *f) {
    const char *user = check_user(&run->source);

    if (!for_keys)
        check_remedy(f, "ACL SETUSER %s +psetex +del, or set heartbeat.mode to off", user);
    else if (run->all_keys_named)
        check_remedy(f, "ACL SETUSER %s ~*, or set heartbeat.mode to off", user);
    else
        check_remedy(f, "ACL SETUSER %s ~%s*, or set heartbeat.mode to off", user,
                     run->heartbeat_prefix);
}

bool check_src_setex_permission(struct check_run *run, struct check_finding *ret, struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply, *gone;
    char key[160], id[ULID_ID_SIZE], shown[160];
    bool ok, written, for_keys = false;

    if (!run->heartbeat || !run->incremental)
        return check_skip(ret, "No heartbeat is wanted");
    if (!run->may_write)
        return check_skip(ret, "probe is read_only: nothing is written to try it");
    /* First the count of the source's own writes, which this one would add to. */
    if (!check_sample_writes(run, err))
        return false;
    ulid_make("p", id);
    snprintf(key, sizeof(key), "%s:probe:%s%s", run->heartbeat_prefix, run->slot_tag, id);
    ok = check_ask(run, &run->source, &arena, &reply, err, "PSETEX", key, CHECK_PROBE_TTL, "1");
    written = ok && resp_value_is(reply, "OK");
    run->source.probe_keys += written;
    if (written)
        ok = check_ask(run, &run->source, &arena, &gone, err, "DEL", key);
    if (ok) {
        check_show(written ? gone : reply, shown);
        for_keys = check_is_about_keys(written ? gone : reply);
    }
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
        remedy_heartbeat(run, for_keys, ret);
    return check_warn(ret,
                      run->syncs ? "The heartbeat cannot be written (%s): nothing else says where "
                                   "a source is that is read by SYNC, so the job can neither be "
                                   "seen to catch up nor be drained"
                                 : "The heartbeat cannot be written (%s): latency is estimated "
                                   "from the offset",
                      shown);
}
