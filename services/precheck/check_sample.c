/* What is sampled of a source: its writes, its keys, the commands it has run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/resp/resp_write.h"
#include "services/common/clock.h"
#include "services/precheck/check_shards.h"
#include "services/redis/redis_scan.h"

enum {
    SCAN_CALLS_MAX = 20,
    QUESTIONS = 3,
    NAME_MAX_BYTES = 1024,
    SNAPSHOT_WAIT_MAX_S = 86400, /* more is not believed */
};

void check_wait_since(const struct check_end *end, int64_t ms) {
    int64_t wait = ms - (clock_mono_ms() - end->opened_ms), left = check_time_left(end);
    struct timespec ts;

    wait = wait < left ? wait : left;
    if (wait <= 0)
        return;
    ts = (struct timespec){.tv_sec = wait / 1000, .tv_nsec = wait % 1000 * 1000000};
    (void)nanosleep(&ts, NULL);
}

bool check_sample_writes(struct check_run *run, struct err *err) {
    struct redis_info now;
    int64_t elapsed, before = run->source.info.repl_offset;
    bool refused;

    if (run->sampled)
        return true;
    if (check_has_shards(&run->source))
        return check_gather_writes(run, err);
    run->bytes_per_second = run->writes_per_second = REDIS_INFO_UNKNOWN;
    run->sampled = true;
    if (run->source.info_refused)
        return true;
    check_wait_since(&run->source, CHECK_WRITE_SAMPLE_MS);
    run->source.client.timeout_ms = check_time_left(&run->source);
    if (!run->source.client.conn)
        return err_set(err, ERR_CLOSED, "the connection to the source was lost");
    if (!redis_client_info(&run->source.client, &now, &refused, err)) {
        redis_client_close(&run->source.client);
        return false;
    }
    elapsed = clock_mono_ms() - run->source.opened_ms;
    /* Without a replica and a backlog nothing is written to the stream and the offset stands
     * (or counts single bytes); what clients sent is then the most the stream could have
     * been. */
    if (now.backlog_active != 1) {
        before = run->source.info.net_input_bytes;
        now.repl_offset = now.net_input_bytes;
    }
    if (before >= 0 && now.repl_offset >= before)
        run->bytes_per_second = (now.repl_offset - before) * 1000 / elapsed;
    if (now.changes_since_save >= run->source.info.changes_since_save &&
        run->source.info.changes_since_save >= 0)
        run->writes_per_second =
            ((now.changes_since_save - run->source.info.changes_since_save) * 1000 + elapsed - 1) /
            elapsed;
    return true;
}

void check_sample_snapshot_wait(struct check_run *run) {
    char diskless[16] = "", delay[32] = "";
    struct err ignored = ERR_INIT;
    int64_t seconds;

    run->snapshot_wait_s = REDIS_INFO_UNKNOWN;
    if (run->source.reached != CHECK_STAGE_LOGGED_IN || run->source.cluster || run->scans ||
        run->destination.reached != CHECK_STAGE_LOGGED_IN || endpoint_is_file(&run->source.ep))
        return; /* nobody asks how long a copy would take, or it takes no snapshot */
    if (check_config(run, &run->source, "repl-diskless-sync", diskless, sizeof(diskless),
                     &ignored) &&
        check_config(run, &run->source, "repl-diskless-sync-delay", delay, sizeof(delay),
                     &ignored) &&
        str_parse_i64(str_from(delay), &seconds) && seconds >= 0 && seconds <= SNAPSHOT_WAIT_MAX_S)
        run->snapshot_wait_s = strcmp(diskless, "yes") == 0 ? seconds : 0;
    err_clear(&ignored);
}

size_t check_target_databases(const struct check_run *run, int ret_numbers[CHECK_DATABASES_MAX]) {
    const struct redis_info *info = &run->source.info;
    bool wanted[CHECK_DATABASES_MAX] = {false};
    size_t count = 0;

    for (int i = 0; !run->map_all && i < CHECK_DATABASES_MAX; i++)
        if (run->database_map[i] >= 0)
            wanted[run->database_map[i]] = true;
    for (uint32_t i = 0; run->map_all && i < info->database_count; i++)
        if (info->databases[i].number < CHECK_DATABASES_MAX)
            wanted[info->databases[i].number] = true;
    for (int i = 0; i < CHECK_DATABASES_MAX; i++)
        if (wanted[i])
            ret_numbers[count++] = i;
    if (count == 0)
        ret_numbers[count++] = 0;
    return count;
}

size_t check_source_databases(const struct check_run *run, int ret_numbers[CHECK_DATABASES_MAX]) {
    const struct redis_info *info = &run->source.info;
    size_t count = 0;

    if (run->map_all) {
        for (uint32_t i = 0; i < info->database_count; i++)
            if (info->databases[i].number < CHECK_DATABASES_MAX)
                ret_numbers[count++] = info->databases[i].number;
    } else {
        for (int i = 0; i < CHECK_DATABASES_MAX; i++)
            if (run->database_map[i] >= 0)
                ret_numbers[count++] = i;
    }
    if (count == 0)
        ret_numbers[count++] = 0;
    return count;
}

/* ---- keys ---- */

/* What SCAN gives of the selected database, at most `max` names. */
static bool scan_names(struct check_run *run, int database, size_t max, struct err *err) {
    struct check_sample *sample = run->sample;
    size_t end = sample->count + max < CHECK_SAMPLE_MAX ? sample->count + max : CHECK_SAMPLE_MAX;
    char cursor[REDIS_SCAN_CURSOR_SIZE] = "0";

    for (int call = 0; call < SCAN_CALLS_MAX; call++) {
        struct arena arena = ARENA_INIT;
        const struct resp_value *reply, *keys = NULL;
        bool ok = check_ask(run, &run->source, &arena, &reply, err, "SCAN", cursor, "COUNT", "500");
        bool is_list = ok && redis_scan_reply(reply, cursor, &keys);

        for (size_t i = 0; is_list && i < keys->count; i++) {
            if (keys->items[i].str.len > NAME_MAX_BYTES) {
                sample->is_complete = false;
                continue;
            }
            if (sample->count == end) {
                sample->is_complete = false;
                break;
            }
            sample->keys[sample->count++] = (struct check_key){
                .database = database,
                .name = arena_str(&run->arena, keys->items[i].str),
                .bytes = REDIS_INFO_UNKNOWN,
                .pttl_ms = -1,
            };
        }
        sample->is_refused = sample->is_refused || (ok && !is_list);
        arena_done(&arena);
        if (!ok || !is_list)
            return ok;
        if (redis_scan_is_over(cursor))
            return true;
        if (sample->count == end)
            break;
    }
    sample->is_complete = false;
    return true;
}

static bool put_questions(struct buf *out, struct str name, struct err *err) {
    return resp_put_array(out, 3, err) && resp_put_bulk(out, STR_LIT("MEMORY"), err) &&
           resp_put_bulk(out, STR_LIT("USAGE"), err) && resp_put_bulk(out, name, err) &&
           resp_put_array(out, 2, err) && resp_put_bulk(out, STR_LIT("PTTL"), err) &&
           resp_put_bulk(out, name, err) && resp_put_array(out, 2, err) &&
           resp_put_bulk(out, STR_LIT("TYPE"), err) && resp_put_bulk(out, name, err);
}

/* Size, time to live and type of the names from `first` on; what the account may not ask
 * stays unknown. */
static bool ask_about(struct check_run *run, size_t first, struct err *err) {
    struct check_sample *sample = run->sample;
    size_t count = sample->count - first;
    struct buf out = BUF_INIT(8 * 1024 * 1024);
    struct arena arena = ARENA_INIT;
    const struct resp_value **replies = calloc(count * QUESTIONS + 1, sizeof(*replies));
    bool ok = true;

    if (!replies)
        abort();
    for (size_t i = first; ok && i < sample->count; i++)
        ok = put_questions(&out, sample->keys[i].name, err);
    ok = ok && (!count || check_pipeline(run, &run->source, buf_str(&out), count * QUESTIONS,
                                         &arena, replies, err));
    for (size_t i = 0; ok && i < count; i++) {
        struct check_key *key = &sample->keys[first + i];
        const struct resp_value **reply = &replies[i * QUESTIONS];

        if (reply[0]->type == RESP_INTEGER)
            key->bytes = reply[0]->integer;
        if (reply[1]->type == RESP_INTEGER)
            key->pttl_ms = reply[1]->integer;
        if (reply[2]->type == RESP_SIMPLE)
            str_escape(str_first(reply[2]->str, sizeof(key->type) - 1), key->type,
                       sizeof(key->type));
    }
    free(replies);
    buf_done(&out);
    arena_done(&arena);
    return ok;
}

static bool take_sample(struct check_run *run, struct err *err) {
    int numbers[CHECK_DATABASES_MAX];
    size_t count = check_source_databases(run, numbers), each = run->sample_max / count;
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    bool ok = true;

    run->sample->is_complete = true;
    for (size_t i = 0; ok && !run->sample->is_refused && i < count; i++) {
        size_t first = run->sample->count;
        char number[12];

        snprintf(number, sizeof(number), "%d", numbers[i]);
        ok = check_ask(run, &run->source, &arena, &reply, err, "SELECT", number);
        if (ok && check_is_refused(reply))
            run->sample->is_refused = true;
        else if (ok && resp_value_is(reply, "OK"))
            ok = scan_names(run, numbers[i], each ? each : 1, err) && ask_about(run, first, err);
    }
    ok = ok && check_ask(run, &run->source, &arena, &reply, err, "SELECT", "0");
    arena_done(&arena);
    return ok;
}

bool check_sample_keys(struct check_run *run, const struct check_sample **ret_sample,
                       struct err *err) {
    if (check_has_shards(&run->source) && !check_gather_keys(run, err))
        return false;
    if (!run->sample && run->borrows_samples)
        return err_set(err, ERR_CLOSED, "the keys of the source could not be looked at");
    if (!run->sample) {
        run->sample = calloc(1, sizeof(*run->sample));
        if (!run->sample)
            abort();
        if (!take_sample(run, err)) {
            free(run->sample);
            run->sample = NULL;
            return false;
        }
    }
    *ret_sample = run->sample;
    return true;
}

/* Keys of the selected databases, percent of all; 100 when it is not known. */
static int64_t selected_databases_percent(const struct check_run *run) {
    const struct redis_info *info = &run->source.info;
    int64_t all = redis_info_keys(info), selected = 0;

    for (uint32_t i = 0; i < info->database_count; i++)
        if (run->map_all || (info->databases[i].number < CHECK_DATABASES_MAX &&
                             run->database_map[info->databases[i].number] >= 0))
            selected += info->databases[i].keys;
    return all > 0 ? selected * 100 / all : 100;
}

int64_t check_selected_percent(const struct check_run *run) {
    enum { UNSEEN_PERCENT = 10 }; /* what a sample may be wrong by */
    int64_t percent = selected_databases_percent(run), all = 0, selected = 0;

    for (size_t i = 0; run->sample && i < run->sample->count; i++) {
        const struct check_key *key = &run->sample->keys[i];
        int64_t bytes = key->bytes > 0 ? key->bytes : 0;

        all += bytes;
        selected += check_selects(run, key->database, key->name) ? bytes : 0;
    }
    if (all > 0)
        percent = percent * selected / all;
    if (!run->sample || !run->sample->is_complete)
        percent += UNSEEN_PERCENT;
    return percent < 100 ? percent + 1 : 100;
}

/* "user:17:cart" -> "user:": up to the first separator, or the whole name. */
static struct str prefix_of(struct str name) {
    for (size_t i = 0; i < name.len && i < 60; i++)
        if (strchr(":./|-_", name.ptr[i]) && name.ptr[i])
            return str_first(name, i + 1);
    return STR_EMPTY;
}

static void add_one(json_t *counts, const char *name) {
    json_object_set_new(counts, name,
                        json_integer(json_integer_value(json_object_get(counts, name)) + 1));
}

/* The most frequent members of {name: count}. */
static json_t *most_frequent(json_t *counts, size_t max) {
    json_t *list = json_array();

    while (json_array_size(list) < max && json_object_size(counts) > 0) {
        const char *name, *best = NULL;
        json_t *value;
        json_int_t most = 0;

        json_object_foreach(counts, name, value) {
            if (json_integer_value(value) > most) {
                most = json_integer_value(value);
                best = name;
            }
        }
        json_array_append_new(list, json_pack("{s:s, s:I}", "prefix", best, "keys", most));
        json_object_del(counts, best);
    }
    return list;
}

json_t *check_sample_json(const struct check_sample *sample) {
    enum { PREFIXES_SHOWN = 20 };
    json_t *types = json_object(), *prefixes = json_object(), *shown;
    int64_t largest = 0;

    for (size_t i = 0; i < sample->count; i++) {
        const struct check_key *key = &sample->keys[i];
        char prefix[260];

        largest = key->bytes > largest ? key->bytes : largest;
        if (key->type[0])
            add_one(types, key->type);
        str_escape(prefix_of(key->name), prefix, sizeof(prefix));
        add_one(prefixes, prefix);
    }
    shown = most_frequent(prefixes, PREFIXES_SHOWN);
    json_decref(prefixes);
    return json_pack("{s:I, s:b, s:o, s:I, s:o}", "keys", (json_int_t)sample->count, "is_complete",
                     sample->is_complete, "types", types, "largest_bytes", (json_int_t)largest,
                     "prefixes", shown);
}

void check_sample_done(struct check_run *run) {
    if (!run->borrows_samples) {
        free(run->sample);
        free(run->calls);
    }
    arena_done(&run->arena);
}

/* ---- commands ---- */

/* cmdstat_set:calls=12,usec=... */
static void read_calls(struct check_run *run, struct str text) {
    struct str line, name, first;
    uint64_t calls;

    while (str_cut(&text, '\n', &line) && run->call_count < CHECK_CALLS_MAX) {
        line = str_trim(line);
        if (!str_starts_with(line, STR_LIT("cmdstat_")) || !str_cut(&line, ':', &name) ||
            !str_cut(&line, ',', &first) || !str_starts_with(first, STR_LIT("calls=")) ||
            !str_parse_u64(str_skip(first, strlen("calls=")), &calls) || calls > INT64_MAX)
            continue;
        str_escape(str_first(str_skip(name, strlen("cmdstat_")), sizeof(run->calls[0].name) - 1),
                   run->calls[run->call_count].name, sizeof(run->calls[0].name));
        run->calls[run->call_count++].calls = (int64_t)calls;
    }
}

bool check_calls_read(struct check_run *run, struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    bool ok;

    if (run->calls)
        return true;
    if (check_has_shards(&run->source))
        return check_gather_calls(run, err);
    if (run->borrows_samples)
        return err_set(err, ERR_CLOSED, "the commands of the source could not be asked for");
    ok = check_ask(run, &run->source, &arena, &reply, err, "INFO", "commandstats");
    if (ok) {
        run->calls = calloc(CHECK_CALLS_MAX, sizeof(*run->calls));
        if (!run->calls)
            abort();
        run->calls_refused = reply->type != RESP_BULK;
        if (!run->calls_refused)
            read_calls(run, reply->str);
    }
    arena_done(&arena);
    return ok;
}

bool check_calls(struct check_run *run, const char *name, int64_t *ret_calls, struct err *err) {
    if (!check_calls_read(run, err))
        return false;
    *ret_calls = run->calls_refused ? REDIS_INFO_UNKNOWN : 0;
    for (size_t i = 0; i < run->call_count; i++)
        if (strcmp(run->calls[i].name, name) == 0)
            *ret_calls = run->calls[i].calls;
    return true;
}
