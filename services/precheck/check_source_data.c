/* What lies in a source: databases, large keys, expiring ones, scripts, names like ours. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/resp/resp_write.h"
#include "services/precheck/check_run.h"
#include "services/redis/redis_scan.h"

enum {
    BIG_KEY_BYTES = 64 * 1024 * 1024,
    EXPIRING_WITHIN_MS = 60000,
    EXPIRING_PERCENT = 50,
    COLLISION_SCANS = 20,
};

bool check_src_keyspace_visible(struct check_run *run, struct check_finding *ret, struct err *err) {
    const struct redis_info *info = &run->source.info;
    int64_t databases = run->source.configured_databases;
    const struct resp_value *replies[2 * CHECK_DATABASES_MAX + 1];
    struct buf out = BUF_INIT(64 * 1024);
    struct arena arena = ARENA_INIT;
    int hidden = -1, answered = 0;
    int64_t hidden_keys = 0;
    bool ok = true;

    if (!info->has_keyspace)
        return check_skip(ret, "The account may not ask which databases there are (INFO)");
    databases = databases == REDIS_INFO_UNKNOWN ? 16 : databases;
    databases = databases > CHECK_DATABASES_MAX ? CHECK_DATABASES_MAX : databases;
    for (int i = 0; ok && i <= databases; i++) {
        char text[12];

        snprintf(text, sizeof(text), "%d", i < databases ? i : 0);
        ok = resp_put_words(&out, err, "SELECT", text, NULL) &&
             (i == databases || resp_put_words(&out, err, "DBSIZE", NULL));
    }
    ok = ok && check_pipeline(run, &run->source, buf_str(&out), 2 * (size_t)databases + 1, &arena,
                              replies, err);
    for (int i = 0; ok && i < databases; i++) {
        bool listed = false;

        if (!resp_value_is(replies[2 * i], "OK") || replies[2 * i + 1]->type != RESP_INTEGER)
            continue;
        answered++;
        for (uint32_t n = 0; n < info->database_count; n++)
            listed = listed || info->databases[n].number == i;
        if (!listed && replies[2 * i + 1]->integer > 0 && hidden < 0) {
            hidden = i;
            hidden_keys = replies[2 * i + 1]->integer;
        }
    }
    buf_done(&out);
    arena_done(&arena);
    if (!ok)
        return false;
    if (answered == 0)
        return check_skip(ret, "The account may not SELECT and DBSIZE");
    check_observed(ret, "%u of %d databases are listed", (unsigned)info->database_count, answered);
    if (hidden >= 0)
        return check_warn(ret,
                          "Database %d holds %" PRId64 " keys and is not listed by INFO: what is "
                          "shown and estimated leaves it out",
                          hidden, hidden_keys);
    return check_pass(ret, "INFO lists every database with keys");
}

bool check_src_db_exists(struct check_run *run, struct check_finding *ret, struct err *err) {
    int numbers[CHECK_DATABASES_MAX];
    const struct resp_value *replies[CHECK_DATABASES_MAX + 1];
    struct buf out = BUF_INIT(64 * 1024);
    struct arena arena = ARENA_INIT;
    size_t count, used = 0;
    char lacking[120] = "";
    bool ok = true, refused = false;

    if (run->map_all)
        return check_skip(ret, "All databases are selected");
    count = check_source_databases(run, numbers);
    for (size_t i = 0; ok && i <= count; i++) {
        char text[12];

        snprintf(text, sizeof(text), "%d", i < count ? numbers[i] : 0);
        ok = resp_put_words(&out, err, "SELECT", text, NULL);
    }
    ok = ok && check_pipeline(run, &run->source, buf_str(&out), count + 1, &arena, replies, err);
    for (size_t i = 0; ok && i < count; i++) {
        refused = refused || check_is_refused(replies[i]);
        if (!check_is_refused(replies[i]) && !resp_value_is(replies[i], "OK") &&
            used < sizeof(lacking) - 12)
            used += (size_t)snprintf(lacking + used, sizeof(lacking) - used, "%s%d",
                                     used ? ", " : "", numbers[i]);
    }
    buf_done(&out);
    arena_done(&arena);
    if (!ok)
        return false;
    if (used) {
        check_observed(ret, "not there: %s", lacking);
        return check_fail(ret, "The source does not have database %s", lacking);
    }
    if (refused)
        return check_skip(ret, "The account may not SELECT");
    return check_pass(ret, "Every selected database exists on the source");
}

bool check_src_big_keys(struct check_run *run, struct check_finding *ret, struct err *err) {
    const struct check_sample *sample;
    const struct check_key *biggest = NULL;
    char size[32], most[32], name[64];

    if (!check_sample_keys(run, &sample, err))
        return false;
    for (size_t i = 0; i < sample->count; i++)
        if (sample->keys[i].bytes >= 0 && (!biggest || sample->keys[i].bytes > biggest->bytes))
            biggest = &sample->keys[i];
    if (sample->is_refused || (!biggest && sample->count > 0))
        return check_skip(ret, "The account may not look at keys (SCAN, MEMORY USAGE)");
    check_threshold(ret, "%s", check_bytes(BIG_KEY_BYTES, most));
    if (!biggest)
        return check_pass(ret, "There is no key yet");
    check_bytes(biggest->bytes, size);
    check_observed(ret, "%s, of %zu keys looked at", size, sample->count);
    str_escape(biggest->name, name, sizeof(name));
    if (biggest->bytes >= BIG_KEY_BYTES)
        return check_warn(ret,
                          "The key %s has about %s: a string or a stream is written at once, and "
                          "the destination serves nobody else for a moment; anything else is "
                          "built in pieces",
                          name, size);
    return check_pass(ret, "The largest of %zu keys looked at has about %s", sample->count, size);
}

bool check_src_expiring_keys(struct check_run *run, struct check_finding *ret, struct err *err) {
    const struct check_sample *sample;
    int64_t within = EXPIRING_WITHIN_MS + check_copy_seconds(run) * 1000;
    size_t soon = 0, expiring = 0;

    if (!check_sample_keys(run, &sample, err))
        return false;
    if (sample->is_refused)
        return check_skip(ret, "The account may not look at keys (SCAN, PTTL)");
    for (size_t i = 0; i < sample->count; i++) {
        expiring += sample->keys[i].pttl_ms >= 0;
        soon += sample->keys[i].pttl_ms >= 0 && sample->keys[i].pttl_ms < within;
    }
    check_observed(ret, "%zu of %zu keys looked at expire, %zu within %" PRId64 " s", expiring,
                   sample->count, soon, within / 1000);
    check_threshold(ret, "%d %% within %" PRId64 " s", EXPIRING_PERCENT, within / 1000);
    if (soon * 100 > sample->count * EXPIRING_PERCENT)
        return check_warn(ret, "More than half of the keys expire while they are copied: counts "
                               "of both ends will differ");
    return check_pass(ret, "%zu of %zu keys looked at expire", expiring, sample->count);
}

/* FUNCTION LIST: an array of libraries. */
static bool count_libraries(struct check_run *run, int64_t *ret, struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    bool ok = check_ask(run, &run->source, &arena, &reply, err, "FUNCTION", "LIST");

    *ret = ok && reply->type == RESP_ARRAY ? (int64_t)reply->count : REDIS_INFO_UNKNOWN;
    arena_done(&arena);
    return ok;
}

bool check_src_scripts(struct check_run *run, struct check_finding *ret, struct err *err) {
    const struct redis_info *from = &run->source.info, *to = &run->destination.info;
    bool verbatim = from->version_number > 0 && from->version_number < 50000;
    int64_t libraries = 0, scripts;
    char effects[8];

    if (from->redis_compat >= 70000 && !count_libraries(run, &libraries, err))
        return false;
    if (!check_calls(run, "eval", &scripts, err) ||
        !check_config(run, &run->source, "lua-replicate-commands", effects, sizeof(effects), err))
        return false;
    verbatim = verbatim || strcmp(effects, "no") == 0;
    if (libraries >= 0)
        check_observed(ret, "%" PRId64 " function libraries, EVAL used %" PRId64 " times",
                       libraries, scripts > 0 ? scripts : 0);
    if (libraries > 0 && to->redis_compat > 0 && to->redis_compat < 70000) {
        check_remedy(ret, "A destination from Redis 7.0 on, or Valkey");
        return check_warn(ret,
                          "The source has %" PRId64 " function libraries and the destination has "
                          "no functions",
                          libraries);
    }
    if (verbatim && scripts > 0 && run->incremental) {
        check_remedy(ret, "CONFIG SET lua-replicate-commands yes, or upgrade the source");
        return check_warn(ret, "The source sends scripts, not what they changed: they run on the "
                               "destination again");
    }
    if (libraries < 0)
        return check_skip(ret, "The account may not list function libraries (FUNCTION LIST)");
    if (libraries > 0)
        return check_pass(ret, "%" PRId64 " function libraries are copied too", libraries);
    return check_pass(ret, "What scripts change is sent as single commands");
}

/* Between the job's own names, PREFIX:job_<26>:<task>, and a user's. */
static bool is_heartbeat(const struct check_run *run, struct str key) {
    struct str rest = str_skip(key, strlen(run->heartbeat_prefix)), job;

    if (!str_starts_with(rest, STR_LIT(":")))
        return false;
    rest = str_skip(rest, 1);
    return str_starts_with(rest, STR_LIT("probe:")) ||
           (str_cut(&rest, ':', &job) && str_starts_with(job, STR_LIT("job")));
}

static void glob_of(const char *prefix, char dst[160]) {
    size_t used = 0;

    for (const char *c = prefix; *c && used < 150; c++) {
        if (strchr("*?[]\\^", *c))
            dst[used++] = '\\';
        dst[used++] = *c;
    }
    dst[used++] = '*';
    dst[used] = '\0';
}

/* Names of others under the prefix, in the selected database. */
static bool count_colliding(struct check_run *run, const char *glob, int64_t *ret_foreign,
                            bool *ret_refused, struct err *err) {
    char cursor[REDIS_SCAN_CURSOR_SIZE] = "0";

    for (int call = 0; call < COLLISION_SCANS; call++) {
        struct arena arena = ARENA_INIT;
        const struct resp_value *reply, *keys = NULL;
        bool ok = check_ask(run, &run->source, &arena, &reply, err, "SCAN", cursor, "MATCH", glob,
                            "COUNT", "1000");
        bool is_list = ok && redis_scan_reply(reply, cursor, &keys);

        for (size_t i = 0; is_list && i < keys->count; i++)
            *ret_foreign += !is_heartbeat(run, keys->items[i].str);
        *ret_refused = *ret_refused || (ok && !is_list);
        arena_done(&arena);
        if (!ok || !is_list)
            return ok;
        if (redis_scan_is_over(cursor))
            return true;
    }
    return true;
}

/* Whether a heartbeat is wanted or not, what is named so is not copied. */
bool check_src_heartbeat_collision(struct check_run *run, struct check_finding *ret,
                                   struct err *err) {
    int numbers[CHECK_DATABASES_MAX];
    size_t count = check_source_databases(run, numbers);
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    char glob[160], number[12];
    int64_t foreign = 0;
    bool ok = true, refused = false;

    glob_of(run->heartbeat_prefix, glob);
    for (size_t i = 0; ok && !refused && i < count; i++) {
        snprintf(number, sizeof(number), "%d", numbers[i]);
        ok = check_ask(run, &run->source, &arena, &reply, err, "SELECT", number);
        if (ok && resp_value_is(reply, "OK"))
            ok = count_colliding(run, glob, &foreign, &refused, err);
    }
    ok = ok && check_ask(run, &run->source, &arena, &reply, err, "SELECT", "0");
    arena_done(&arena);
    if (!ok)
        return false;
    if (refused)
        return check_skip(ret, "The account may not SCAN");
    check_observed(ret, "%" PRId64 " keys", foreign);
    check_threshold(ret, "0 keys");
    if (foreign > 0)
        return check_warn(ret,
                          "%" PRId64 " keys of others begin with %s: they are taken for "
                          "heartbeats and left behind",
                          foreign, run->heartbeat_prefix);
    return check_pass(ret, "No key of others looks like a heartbeat");
}
