/* Commands that the source's clients use and the destination may not know or take. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/command/command.h"
#include "proto/resp/resp_write.h"
#include "services/precheck/check_run.h"

/* These travel as others, which every destination knows. */
static bool is_sent_otherwise(const char *name) {
    static const char *const names[] = {
        "getdel",     "getex",    "hgetdel",     "hgetex",         "delex",    "delifeq",
        "expire",     "pexpire",  "expireat",    "hexpire",        "hpexpire", "hexpireat",
        "hpexpireat", "hpersist", "incrbyfloat", "hincrbyfloat",   "eval",     "evalsha",
        "fcall",      "lmpop",    "zmpop",       "restore-asking",
    };

    for (size_t i = 0; i < LENGTH_OF(names); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static bool may_be_in_a_stream(const char *name) {
    const struct command_row *row = command_find(str_from(name));

    if (!row || is_sent_otherwise(name))
        return false;
    return row->fate == COMMAND_FATE_DATA || row->fate == COMMAND_FATE_EXPIRY ||
           row->fate == COMMAND_FATE_CROSS_DB || row->fate == COMMAND_FATE_XADD;
}

static bool was_called(const struct check_call *call) {
    return call->calls > 0 && !strchr(call->name, '|');
}

/* Which of these the destination does not know: a NULL in COMMAND INFO's answer. */
static bool ask_commands(struct check_run *run, const char *const *names, size_t count,
                         struct arena *arena, const struct resp_value **ret, struct err *err) {
    struct buf out = BUF_INIT(64 * 1024);
    bool ok = resp_put_array(&out, count + 2, err) &&
              resp_put_bulk(&out, STR_LIT("COMMAND"), err) &&
              resp_put_bulk(&out, STR_LIT("INFO"), err);

    for (size_t i = 0; ok && i < count; i++)
        ok = resp_put_bulk(&out, str_from(names[i]), err);
    ok = ok && check_pipeline(run, &run->destination, buf_str(&out), 1, arena, ret, err);
    buf_done(&out);
    return ok;
}

bool check_dst_commands(struct check_run *run, struct check_finding *ret, struct err *err) {
    const char *names[CHECK_CALLS_MAX];
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply = NULL;
    size_t count = 0, used = 0;
    char lacking[120] = "";
    bool ok;

    if (!run->incremental)
        return check_skip(ret, "Changes are not followed");
    if (!check_calls_read(run, err))
        return false;
    if (run->calls_refused)
        return check_skip(ret, "The account may not ask which commands the source has run (INFO)");
    for (size_t i = 0; i < run->call_count; i++)
        if (was_called(&run->calls[i]) && may_be_in_a_stream(run->calls[i].name))
            names[count++] = run->calls[i].name;
    check_threshold(ret, "every write command used since the source started");
    if (count == 0)
        return check_pass(ret, "The source has run no write command yet");
    ok = ask_commands(run, names, count, &arena, &reply, err);
    if (!ok || reply->type != RESP_ARRAY || reply->count != count) {
        arena_done(&arena);
        return ok && check_skip(ret, "The account may not run COMMAND INFO");
    }
    for (size_t i = 0; i < count; i++)
        if (reply->items[i].type == RESP_NIL && used < sizeof(lacking) - 34)
            used += (size_t)snprintf(lacking + used, sizeof(lacking) - used, "%s%s",
                                     used ? ", " : "", names[i]);
    arena_done(&arena);
    check_observed(ret, "%zu in use, unknown: %s", count, used ? lacking : "none");
    if (used)
        return check_warn(ret,
                          "The source's clients have used %s, which the destination does not "
                          "know: when they do again, the job stops",
                          lacking);
    return check_pass(ret, "The destination knows all %zu write commands in use", count);
}

bool check_dst_hfe(struct check_run *run, struct check_finding *ret, struct err *err) {
    static const char *const setters[] = {"hexpire",    "hpexpire", "hexpireat",
                                          "hpexpireat", "hsetex",   "hgetex"};
    static const char *const needed[] = {"hpexpireat"};
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply = NULL;
    int64_t fields = 0, calls = 0;
    bool ok, there;

    for (uint32_t i = 0; i < run->source.info.database_count; i++)
        fields += run->source.info.databases[i].field_expiries;
    for (size_t i = 0; i < LENGTH_OF(setters); i++) {
        int64_t one;

        if (!check_calls(run, setters[i], &one, err))
            return false;
        calls += one > 0 ? one : 0;
    }
    if (fields == 0 && calls == 0)
        return check_pass(ret, "No field of a hash expires on the source");
    ok = ask_commands(run, needed, 1, &arena, &reply, err);
    if (!ok || reply->type != RESP_ARRAY || reply->count != 1) {
        arena_done(&arena);
        return ok && check_skip(ret, "The account may not run COMMAND INFO");
    }
    there = reply->items[0].type != RESP_NIL;
    arena_done(&arena);
    check_observed(ret, "%" PRId64 " hashes with fields that expire, set %" PRId64 " times", fields,
                   calls);
    if (there)
        return check_pass(ret, "Fields of hashes expire on the destination too");
    if (fields > 0)
        return check_warn(ret,
                          "%" PRId64 " hashes of the source have fields that expire, and the "
                          "destination does not know that: the first one that is selected stops "
                          "the job",
                          fields);
    return check_warn(ret, "The source's clients have let fields of hashes expire, and the "
                           "destination does not know that");
}

/* Of several keys, which a cluster takes only from one slot. */
bool check_dst_cross_slot(struct check_run *run, struct check_finding *ret, struct err *err) {
    static const char *const several[] = {
        "mset",           "msetnx",      "rename",      "renamenx",    "smove",      "sunionstore",
        "sinterstore",    "sdiffstore",  "zunionstore", "zinterstore", "zdiffstore", "bitop",
        "pfmerge",        "rpoplpush",   "brpoplpush",  "lmove",       "blmove",     "copy",
        "geosearchstore", "zrangestore", "eval",        "evalsha",
    };
    char found[120] = "";
    size_t used = 0;

    if (run->destination.info.cluster_enabled != 1)
        return check_skip(ret, "The destination is no cluster");
    if (run->source.info.cluster_enabled == 1)
        return check_pass(ret, "The source is a cluster too: its commands keep to one slot");
    for (size_t i = 0; i < LENGTH_OF(several); i++) {
        int64_t calls;

        if (!check_calls(run, several[i], &calls, err))
            return false;
        if (calls > 0 && used < sizeof(found) - 40)
            used += (size_t)snprintf(found + used, sizeof(found) - used, "%s%s %" PRId64,
                                     used ? ", " : "", several[i], calls);
    }
    if (run->calls_refused)
        return check_skip(ret, "The account may not ask which commands the source has run (INFO)");
    if (!used)
        return check_pass(ret, "No command of several keys was used on the source");
    check_observed(ret, "%s", found);
    return check_warn(ret,
                      "Commands of several keys were used on the source (%s): a cluster takes one "
                      "only when all its keys are in one slot",
                      found);
}
