/* What a source is: its state, version, role and how much it writes. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "services/precheck/check_run.h"

enum {
    VERSION_MIN = 20800,       /* PSYNC, and SCAN */
    VERSION_MIN_SYNC = 20600,  /* a snapshot that we read, PSETEX for the heartbeat */
    VERSION_MIN_TYPES = 60000, /* SCAN … TYPE */
    VERSION_GOOD = 40000,      /* a history that survives a failover */
    /* A reconnect takes about this long with the first step of the backoff; below, every lost
     * connection is a new full copy. */
    BACKLOG_WARN_SECONDS = 1,
    BACKLOG_GOOD_SECONDS = 60,
};

bool check_src_loading(struct check_run *run, struct check_finding *ret, struct err *err) {
    const struct redis_info *info = &run->source.info;
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    bool ok, loading = info->loading == 1 || info->async_loading == 1;

    if (info->loading == REDIS_INFO_UNKNOWN) {
        ok = check_ask(run, &run->source, &arena, &reply, err, "PING");
        loading = ok && check_reply_is(reply, RESP_ERROR_LOADING);
        arena_done(&arena);
        if (!ok)
            return false;
    }
    if (loading)
        return check_fail(ret, "The source is loading its data");
    return check_pass(ret, "The source is ready");
}

bool check_src_version(struct check_run *run, struct check_finding *ret, struct err *err) {
    const struct redis_info *info = &run->source.info;

    bool may_sync = run->syncs || run->read_mode == TASK_READ_AUTO;
    uint32_t lowest = run->selects_types ? VERSION_MIN_TYPES
                      : may_sync         ? VERSION_MIN_SYNC
                                         : VERSION_MIN;

    (void)err;
    check_threshold(ret, "Redis %u.%u or newer (before 4.0 with a warning), Valkey",
                    (unsigned)lowest / 10000, (unsigned)lowest / 100 % 100);
    if (info->version_number == 0) {
        check_remedy(ret, "ACL SETUSER %s +info", check_user(&run->source));
        return check_warn(ret, "The source does not tell its version");
    }
    check_observed(ret, "%s %s", redis_product_name(info->product), info->version);
    if (info->product == REDIS_PRODUCT_REDIS && info->version_number < lowest)
        return check_fail(ret, "%s %s is not supported as a source",
                          redis_product_name(info->product), info->version);
    check_remedy(ret, "Accept it, or upgrade the source");
    if (info->product == REDIS_PRODUCT_REDIS && info->version_number < VERSION_MIN)
        return check_warn(ret,
                          "%s %s knows no PSYNC: every lost connection means another full copy, "
                          "and scripts run again on the destination",
                          redis_product_name(info->product), info->version);
    if (info->product == REDIS_PRODUCT_REDIS && info->version_number < VERSION_GOOD)
        return check_warn(ret,
                          "%s %s forgets its history with every restart and failover, which then "
                          "means another full copy, and scripts run again on the destination",
                          redis_product_name(info->product), info->version);
    check_remedy(ret, "%s", "");
    return check_pass(ret, "%s %s is supported", redis_product_name(info->product), info->version);
}

bool check_src_role(struct check_run *run, struct check_finding *ret, struct err *err) {
    const struct redis_info *info = &run->source.info;

    (void)err;
    check_observed(ret, "%s", info->role[0] ? info->role : "unknown");
    if (strcmp(info->role, "slave") != 0)
        return check_pass(ret, info->role[0] ? "The source is a primary"
                                             : "The source does not tell its role");
    if (info->master_link_status[0] && strcmp(info->master_link_status, "up") != 0)
        return check_fail(ret, "The source is a replica whose link to its primary is %s",
                          info->master_link_status);
    check_remedy(ret, "Nothing, if it is meant: a replica bears the load of the snapshot for its "
                      "primary");
    return check_warn(ret, "The source is a replica: what its primary has not sent it arrives "
                           "later, and the heartbeat cannot be written");
}

/* Megabytes for `seconds` at the measured rate, as a power of two. */
static int64_t backlog_for(int64_t bytes_per_second, int64_t seconds) {
    int64_t size = 16;

    while (size < 65536 && size * 1024 * 1024 < bytes_per_second * seconds)
        size *= 2;
    return size;
}

bool check_src_backlog(struct check_run *run, struct check_finding *ret, struct err *err) {
    int64_t size = run->source.info.backlog_size, rate, seconds;
    char shown[32];

    if (!run->incremental)
        return check_skip(ret, "Changes are not followed");
    if (run->syncs) {
        check_remedy(ret, "Accept it, or give a source that knows PSYNC");
        return check_warn(ret, "A source that is read by SYNC keeps nothing for us: a cut of the "
                               "connection, a pause and a restart of the worker each mean a new "
                               "full copy, when somebody has decided so");
    }
    if (!check_sample_writes(run, err))
        return false;
    rate = run->bytes_per_second;
    check_threshold(ret, "%d s of writes", BACKLOG_WARN_SECONDS);
    if (size == REDIS_INFO_UNKNOWN || rate == REDIS_INFO_UNKNOWN)
        return check_skip(ret, "The account may not ask for the backlog (INFO)");
    check_bytes(size, shown);
    if (rate == 0 || (seconds = size / rate) >= BACKLOG_GOOD_SECONDS) {
        check_observed(ret, "%s, %" PRId64 " bytes/s", shown, rate);
        return check_pass(ret, "The backlog of %s holds a minute of writes or more", shown);
    }
    check_observed(ret, "%s, %" PRId64 " bytes/s: %" PRId64 " s", shown, rate, seconds);
    check_remedy(ret, "CONFIG SET repl-backlog-size %" PRId64 "mb",
                 backlog_for(rate, BACKLOG_GOOD_SECONDS));
    if (seconds >= BACKLOG_WARN_SECONDS)
        return check_pass(ret,
                          "The backlog of %s holds %" PRId64 " s of writes: a longer cut of the "
                          "connection means a new full copy",
                          shown, seconds);
    return check_warn(ret,
                      "The backlog of %s holds less than a second of writes: any cut of the "
                      "connection means a new full copy",
                      shown);
}

bool check_src_full_only_writes(struct check_run *run, struct check_finding *ret, struct err *err) {
    if (run->incremental)
        return check_skip(ret, "Changes are followed");
    if (!check_sample_writes(run, err))
        return false;
    if (run->writes_per_second == REDIS_INFO_UNKNOWN)
        return check_skip(ret, "The account may not ask for the count of writes (INFO)");
    check_observed(ret, "%" PRId64 " writes/s", run->writes_per_second);
    check_threshold(ret, "0 writes/s");
    if (run->writes_per_second > 0)
        return check_warn(ret, "The source is being written: a copy without its changes is not of "
                               "one moment for those who write on");
    return check_pass(ret, "Nobody writes to the source");
}

/* One row of MODULE LIST: its name and version. */
static bool module_row(const struct resp_value *row, struct str *ret_name, int64_t *ret_version) {
    *ret_name = STR_LIT("");
    *ret_version = 0;
    for (size_t n = 0; row->type == RESP_ARRAY && n + 1 < row->count; n += 2) {
        const struct resp_value *value = &row->items[n + 1];

        if (resp_value_is(&row->items[n], "name"))
            *ret_name = value->str;
        else if (resp_value_is(&row->items[n], "ver") && value->type == RESP_INTEGER)
            *ret_version = value->integer;
    }
    return ret_name->len > 0;
}

/* Does the list have that module, not older? `list` may be no list. */
static bool module_is_in(const struct resp_value *list, struct str name, int64_t version) {
    struct str other;
    int64_t other_version;

    for (size_t i = 0; list && list->type == RESP_ARRAY && i < list->count; i++) {
        if (module_row(&list->items[i], &other, &other_version) && str_equal(other, name))
            return other_version >= version;
    }
    return false;
}

bool check_src_modules(struct check_run *run, struct check_finding *ret, struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct redis_info *from = &run->source.info, *to = &run->destination.info;
    /* Built-in modules do not count their versions: Redis 8.0 has the vector sets of 8.6 by name
     * and number, and does not read them. */
    bool older = from->product == to->product && from->version_number > to->version_number;
    const struct resp_value *reply = NULL, *there = NULL;
    char names[120] = "";
    size_t used = 0;
    bool unknown = false;
    bool ok = check_ask(run, &run->source, &arena, &reply, err, "MODULE", "LIST") &&
              (run->destination.reached != CHECK_STAGE_LOGGED_IN ||
               check_ask(run, &run->destination, &arena, &there, err, "MODULE", "LIST"));

    if (!ok || reply->type != RESP_ARRAY) {
        arena_done(&arena);
        return ok && check_skip(ret, "The account may not list modules");
    }
    for (size_t i = 0; i < reply->count && used < sizeof(names) - 20; i++) {
        struct str name;
        int64_t version;
        char shown[40];

        /* Valkey 9's built-in Lua has no values. */
        if (!module_row(&reply->items[i], &name, &version) || str_equal(name, STR_LIT("lua")) ||
            (!older && module_is_in(there, name, version)))
            continue;
        str_escape(name, shown, sizeof(shown));
        used +=
            (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "", shown);
        used = used < sizeof(names) ? used : sizeof(names) - 1;
    }
    unknown = there && check_reply_is(there, RESP_ERROR_NOPERM);
    arena_done(&arena);
    if (!used)
        return check_pass(ret, "The destination has every module of the source");
    check_observed(ret, "%s", names);
    if (unknown) {
        check_remedy(ret, "ACL SETUSER %s +module|list on the destination",
                     check_user(&run->destination));
        return check_warn(ret,
                          "The account of the destination may not list modules: whether it has "
                          "those of the source (%s) is not known",
                          names);
    }
    return check_warn(
        ret,
        "The destination lacks modules of the source, or has older ones (%s): a value "
        "of such a type stops the copy",
        names);
}
