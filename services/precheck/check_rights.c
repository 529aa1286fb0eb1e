/* What our account may do on the destination.
 *
 * Commands are put between MULTI and DISCARD: a server looks at an account's
 * rights when it queues, so nothing is executed and nothing is written. What is
 * not queued (WATCH) and what ends the transaction is tried for itself.
 */
#include <stdio.h>
#include <string.h>

#include "proto/resp/resp_write.h"
#include "services/precheck/check_run.h"

/* "%" stands for the probe key. */
struct right {
    const char *words[8];
    const char *rule; /* what ACL SETUSER adds */
    bool core;        /* an old server that does not know it cannot be a destination */
};

static const struct right rights[] = {
    /* position, claim and seal */
    {{"HSET", "%", "f", "v"}, "hset", true},
    {{"HMGET", "%", "f"}, "hmget", true},
    {{"HGETALL", "%"}, "hgetall", true},
    {{"HINCRBY", "%", "f", "1"}, "hincrby", true},
    {{"EVAL", "return 1", "1", "%"}, "eval", true},
    {{"INFO"}, "info", false},
    {{"SELECT", "0"}, "select", true},
    {{"PING"}, "ping", true},
    /* copy */
    {{"SET", "%", "v"}, "set", true},
    {{"MSET", "%", "v"}, "mset", true},
    {{"RESTORE", "%", "0", "v"}, "restore", true},
    {{"DEL", "%"}, "del", true},
    {{"UNLINK", "%"}, "unlink", true},
    {{"PEXPIREAT", "%", "1"}, "pexpireat", true},
    /* copy, of large values */
    {{"RPUSH", "%", "v"}, "rpush", true},
    {{"SADD", "%", "v"}, "sadd", true},
    {{"ZADD", "%", "1", "v"}, "zadd", true},
    {{"LLEN", "%"}, "llen", true},
    {{"SCARD", "%"}, "scard", true},
    {{"ZCARD", "%"}, "zcard", true},
    {{"HLEN", "%"}, "hlen", true},
    {{"RENAME", "%", "%"}, "rename", true},
    /* settling and the emptiness check */
    {{"SCAN", "0"}, "scan", true},
    {{"DBSIZE"}, "dbsize", true},
    {{"PTTL", "%"}, "pttl", true},
    {{"TYPE", "%"}, "type", true},
    {{"DUMP", "%"}, "dump", true},
    /* what a stream is made of, one or more of each kind */
    {{"APPEND", "%", "v"}, "append", false},
    {{"INCRBY", "%", "1"}, "incrby", false},
    {{"INCR", "%"}, "incr", false},
    {{"DECR", "%"}, "decr", false},
    {{"SETRANGE", "%", "0", "v"}, "setrange", false},
    {{"SETBIT", "%", "0", "1"}, "setbit", false},
    {{"PERSIST", "%"}, "persist", false},
    {{"COPY", "%", "%"}, "copy", false},
    {{"MOVE", "%", "1"}, "move", false},
    {{"LPUSH", "%", "v"}, "lpush", false},
    {{"LPOP", "%"}, "lpop", false},
    {{"LSET", "%", "0", "v"}, "lset", false},
    {{"LTRIM", "%", "0", "1"}, "ltrim", false},
    {{"SREM", "%", "v"}, "srem", false},
    {{"ZREM", "%", "v"}, "zrem", false},
    {{"ZINCRBY", "%", "1", "v"}, "zincrby", false},
    {{"HDEL", "%", "f"}, "hdel", false},
    {{"XADD", "%", "*", "f", "v"}, "xadd", false},
    {{"XTRIM", "%", "MAXLEN", "1"}, "xtrim", false},
    {{"XGROUP", "CREATE", "%", "g", "0"}, "xgroup", false},
    {{"XCLAIM", "%", "g", "c", "0", "0-1"}, "xclaim", false},
    {{"PFADD", "%", "v"}, "pfadd", false},
    {{"GEOADD", "%", "0", "0", "v"}, "geoadd", false},
    {{"FLUSHDB"}, "flushdb", false},
    {{"FLUSHALL"}, "flushall", false},
    {{"SWAPDB", "0", "1"}, "swapdb", false},
    {{"FUNCTION", "FLUSH"}, "function", false},
};

/* The keys that must be ours to touch: any, and our own. */
static const char *const key_samples[] = {CHECK_PROBE_PREFIX "x", "{kf}:x", "a"};

enum { NAMES_SHOWN = 8 }; /* more of them are a missing category, not missing commands */

struct lacks {
    char names[160], rules[160]; /* "RESTORE, SWAPDB"; "+restore +swapdb"; the first ones */
    size_t names_used, rules_used;
    int count;
    bool no_multi, no_seal;
    char unknown[120]; /* core commands the server does not know */
    size_t unknown_used;
    bool keys;
};

static void add(char *dst, size_t size, size_t *used, const char *before, const char *text) {
    if (*used + strlen(before) + strlen(text) + 1 < size)
        *used += (size_t)snprintf(dst + *used, size - *used, "%s%s", *used ? before : "", text);
}

static void note_command(struct lacks *lacks, const char *name, const char *rule) {
    char added[32];

    /* Without INFO less is known, and units go as scripts: see dst.error_seal. */
    if (strcmp(rule, "info") == 0)
        return;
    if (strcmp(rule, "eval") == 0)
        lacks->no_seal = true;
    if (lacks->count++ >= NAMES_SHOWN)
        return;
    snprintf(added, sizeof(added), "+%s", rule);
    add(lacks->names, sizeof(lacks->names), &lacks->names_used, ", ", name);
    add(lacks->rules, sizeof(lacks->rules), &lacks->rules_used, " ", added);
}

/* EXEC wraps its own refusal: EXECABORT ... because of: NOPERM. */
static bool is_noperm(const struct resp_value *reply) {
    return check_reply_is(reply, RESP_ERROR_NOPERM) ||
           (check_reply_is(reply, RESP_ERROR_EXECABORT) &&
            memmem(reply->str.ptr, reply->str.len, "NOPERM", 6));
}

static void note_reply(struct lacks *lacks, const struct right *right,
                       const struct resp_value *reply) {
    if (is_noperm(reply) && check_is_about_keys(reply))
        lacks->keys = true;
    else if (is_noperm(reply) && right->rule)
        note_command(lacks, right->words[0], right->rule);
    else if (right->core && check_reply_is(reply, RESP_ERROR_UNKNOWN_COMMAND))
        add(lacks->unknown, sizeof(lacks->unknown), &lacks->unknown_used, ", ", right->words[0]);
}

static bool put_right(struct buf *out, const struct right *right, const char *key,
                      struct err *err) {
    size_t argc = 0;

    while (argc < LENGTH_OF(right->words) && right->words[argc])
        argc++;
    if (!resp_put_array(out, argc, err))
        return false;
    for (size_t i = 0; i < argc; i++) {
        const char *word = strcmp(right->words[i], "%") == 0 ? key : right->words[i];

        if (!resp_put_bulk(out, str_from(word), err))
            return false;
    }
    return true;
}

/* Is a transaction open? Without one everything would be executed, so this is waited for. */
static bool begin(struct check_run *run, struct redis_client *client, struct lacks *lacks,
                  struct arena *arena, bool *ret_open, struct err *err) {
    const struct resp_value *reply;

    client->timeout_ms = check_time_left(&run->destination);
    if (!redis_client_call(client, arena, &reply, err, "MULTI", NULL))
        return false;
    *ret_open = resp_value_is(reply, "OK");
    if (!*ret_open && !check_is_refused(reply))
        return redis_client_refused(client, reply, "MULTI", err);
    if (!*ret_open)
        note_command(lacks, "MULTI", "multi");
    lacks->no_multi = !*ret_open;
    return true;
}

/* Every right, DISCARD: on a connection of its own, so that an account that may not DISCARD
 * ends the transaction by hanging up. */
static bool try_queue(struct check_run *run, struct redis_client *client, struct lacks *lacks,
                      struct arena *arena, struct err *err) {
    enum { TRIED_MAX = LENGTH_OF(rights) + LENGTH_OF(key_samples) + 1 };
    /* For its key; the command itself is in the list. */
    static const struct right touch = {{"SET", "%", "v"}, NULL, false};
    const struct resp_value *replies[TRIED_MAX];
    const struct right *tried[TRIED_MAX];
    struct buf out = BUF_INIT(64 * 1024);
    size_t count = 0;
    bool ok = true;

    for (size_t i = 0; ok && i < LENGTH_OF(rights); i++) {
        if (!run->incremental && !rights[i].core)
            continue; /* a copy alone has no stream */
        ok = put_right(&out, &rights[i], run->probe_key, err);
        tried[count++] = &rights[i];
    }
    for (size_t i = 0; ok && i < LENGTH_OF(key_samples); i++) {
        ok = put_right(&out, &touch, key_samples[i], err);
        tried[count++] = &touch;
    }
    ok = ok && resp_put_words(&out, err, "DISCARD", NULL) &&
         redis_client_pipeline(client, buf_str(&out), count + 1, arena, replies, err);
    for (size_t i = 0; ok && i < count; i++)
        note_reply(lacks, tried[i], replies[i]);
    if (ok && check_is_refused(replies[count]))
        note_command(lacks, "DISCARD", "discard");
    buf_done(&out);
    return ok;
}

/* What MULTI does not queue. */
static bool try_alone(struct check_run *run, struct redis_client *client, struct lacks *lacks,
                      struct arena *arena, struct err *err) {
    static const struct right alone[] = {
        {{"WATCH", "%"}, "watch", true},
        {{"UNWATCH"}, "unwatch", true},
        {{"EXEC"}, "exec", true}, /* outside a transaction: rights first, then the complaint */
    };
    struct buf out = BUF_INIT(4096);
    bool ok = true;

    for (size_t i = 0; ok && i < LENGTH_OF(alone); i++) {
        const struct resp_value *reply;

        buf_clear(&out);
        client->timeout_ms = check_time_left(&run->destination);
        ok = put_right(&out, &alone[i], run->probe_key, err) &&
             redis_client_pipeline(client, buf_str(&out), 1, arena, &reply, err);
        if (ok)
            note_reply(lacks, &alone[i], reply);
    }
    buf_done(&out);
    return ok;
}

/* What the account needs when whole categories are missing; GET /v1/acl says the same. */
#define ALL_RULES                                                                                  \
    "+@read +@write +@transaction +@connection +eval +info +restore +flushdb +flushall +swapdb ~*"

static bool judge(struct check_run *run, const struct lacks *lacks, struct check_finding *f) {
    const char *user = check_user(&run->destination);
    int more = lacks->count - NAMES_SHOWN;
    char tail[80] = "";

    run->eval_allowed = !lacks->no_seal && !lacks->no_multi && !lacks->keys;
    if (more > 0)
        snprintf(tail, sizeof(tail), " and %d more", more);
    else if (lacks->no_multi)
        snprintf(tail, sizeof(tail), "; without MULTI the other rights cannot be looked at");
    if (lacks->count > 0) {
        check_observed(f, "lacks %s%s%s", lacks->names, more > 0 ? tail : "",
                       lacks->keys ? ", and keys" : "");
        if (more > 0 || lacks->no_multi)
            check_remedy(f, "ACL SETUSER %s " ALL_RULES "%s", user,
                         check_knows_functions(&run->destination) ? " +function" : "");
        else
            check_remedy(f, "ACL SETUSER %s %s%s", user, lacks->rules, lacks->keys ? " ~*" : "");
        return check_fail(f, "The account %s lacks %s%s%s", user, lacks->names, tail,
                          lacks->keys ? ", and may not touch every key" : "");
    }
    if (lacks->keys) {
        check_observed(f, "not every key");
        check_remedy(f, "ACL SETUSER %s ~*", user);
        return check_fail(f, "The account %s may not touch every key", user);
    }
    if (lacks->unknown_used) {
        run->eval_allowed = run->eval_allowed && !strstr(lacks->unknown, "EVAL");
        check_observed(f, "unknown: %s", lacks->unknown);
        check_remedy(f, "Upgrade the destination, or end the renaming of these commands");
        return check_fail(f, "The destination does not know %s", lacks->unknown);
    }
    return check_pass(f, "The account %s may run every command that is needed", user);
}

bool check_dst_permission(struct check_run *run, struct check_finding *ret, struct err *err) {
    struct redis_client client = REDIS_CLIENT_INIT;
    struct arena arena = ARENA_INIT;
    struct lacks lacks = {.keys = false};
    bool open = false;
    bool ok = check_end_dial(run, &run->destination, &client, err) &&
              begin(run, &client, &lacks, &arena, &open, err) &&
              (!open || try_queue(run, &client, &lacks, &arena, err));

    redis_client_close(&client);
    ok = ok && check_end_dial(run, &run->destination, &client, err) &&
         try_alone(run, &client, &lacks, &arena, err);
    redis_client_close(&client);
    arena_done(&arena);
    return ok && judge(run, &lacks, ret);
}

/* A unit's errors are counted beside the position: by the server itself, in the same
 * transaction, or by the script that the unit then is. */
bool check_dst_error_seal(struct check_run *run, struct check_finding *ret, struct err *err) {
    const struct redis_info *info = &run->destination.info;

    (void)err;
    check_threshold(ret, "Redis 6.2, Valkey; or EVAL");
    if (info->version_number)
        check_observed(ret, "%s %s", redis_product_name(info->product), info->version);
    if (!run->eval_allowed)
        return check_skip(ret, "The account may not run EVAL, without which a write that failed "
                               "unseen could not be told: see dst.permission");
    if (run->destination.info_refused)
        check_remedy(ret, "ACL SETUSER %s +info", check_user(&run->destination));
    if (run->destination.info_refused || info->total_error_replies == REDIS_INFO_UNKNOWN)
        return check_warn(ret, "The destination does not let us count the errors it answers (INFO, "
                               "Redis 6.2): what is written goes as scripts that count for "
                               "themselves, which take longer");
    return check_pass(ret, "The destination counts its errors");
}
