/* What is read of an end while its job lives: key counts, or who is connected. */
#include <stdio.h>
#include <string.h>

#include "proto/resp/resp_write.h"
#include "services/common/clock.h"
#include "services/job/job_reference.h"
#include "services/precheck/check_run.h"

enum {
    COUNTED_DATABASES_MAX = 64, /* by DBSIZE, where INFO is not for the account */
    OWN_KEYS_MAX = 200,
    CLIENT_LOOKS = 4,
    CLIENT_PAUSE_MS = 250,
    CLIENT_TEXT_MAX = 256 * 1024, /* a longer list is asked for once */
};

static json_t *number_or_null(int64_t value) {
    return value == REDIS_INFO_UNKNOWN ? json_null() : json_integer(value);
}

static json_t *problem(const char *code, const char *text) {
    json_t *detail = json_string(text);
    char escaped[1200];

    if (!detail) {
        str_escape(str_from(text), escaped, sizeof(escaped));
        detail = json_string(escaped);
    }
    return json_pack("{s:s, s:o}", "code", code, "detail", detail);
}

static json_t *problem_of(const struct err *err) {
    char text[1000];

    err_format(err, text, sizeof(text));
    return problem(err_slug(err->code), text);
}

/* ---- counts ---- */

static json_t *database_json(int number, int64_t keys, json_t *expires, json_t *field_expiries) {
    return json_pack("{s:i, s:I, s:o, s:o, s:i, s:i}", "number", number, "keys", (json_int_t)keys,
                     "expires", expires, "field_expiries", field_expiries, "own_keys", 0,
                     "own_expires", 0);
}

static json_t *databases_of_info(const struct redis_info *info) {
    json_t *list = json_array();

    for (uint32_t i = 0; i < info->database_count; i++)
        json_array_append_new(list,
                              database_json(info->databases[i].number, info->databases[i].keys,
                                            json_integer(info->databases[i].expires),
                                            json_integer(info->databases[i].field_expiries)));
    return list;
}

/* Without INFO: DBSIZE of each database that is selected. It does not tell what expires. */
static bool databases_by_size(struct check_run *run, struct check_end *end, json_t **ret,
                              struct err *err) {
    bool wanted[CHECK_DATABASES_MAX] = {false};
    json_t *list = json_array();
    bool ok = true, is_asked = false;

    for (int db = 0; db < CHECK_DATABASES_MAX; db++) {
        int to = run->database_map[db];

        if (to >= 0 && db < COUNTED_DATABASES_MAX && to < COUNTED_DATABASES_MAX)
            wanted[end->side == REDIS_SOURCE ? db : to] = true;
    }
    for (int db = 0; ok && db < COUNTED_DATABASES_MAX; db++) {
        struct arena arena = ARENA_INIT;
        const struct resp_value *reply;
        char number[12];

        snprintf(number, sizeof(number), "%d", db);
        if (wanted[db] && (ok = check_ask(run, end, &arena, &reply, err, "SELECT", number))) {
            bool is_there = resp_value_is(reply, "OK");

            ok = !is_there || check_ask(run, end, &arena, &reply, err, "DBSIZE");
            if (ok && is_there && reply->type == RESP_INTEGER) {
                is_asked = true;
                if (reply->integer > 0)
                    json_array_append_new(
                        list, database_json(db, reply->integer, json_null(), json_null()));
            }
            wanted[db] = is_there;
        }
        arena_done(&arena);
        if (ok && run->map_all && !wanted[db])
            break; /* the server has no more of them */
    }
    if (!is_asked) {
        json_decref(list);
        list = json_null();
    }
    *ret = list;
    return ok;
}

static json_t *database_in(json_t *list, int number) {
    json_t *row;
    size_t i;

    json_array_foreach(list, i, row) {
        if (json_integer_value(json_object_get(row, "number")) == number)
            return row;
    }
    return NULL;
}

static void add_one(json_t *row, const char *member) {
    json_object_set_new(row, member,
                        json_integer(json_integer_value(json_object_get(row, member)) + 1));
}

static bool is_there(struct check_run *run, struct check_end *end, const json_t *own, bool *ret,
                     struct err *err) {
    const char *key = json_string_value(json_object_get(own, "key"));
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    char number[24];
    bool ok;

    snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
             json_integer_value(json_object_get(own, "database")));
    *ret = false;
    ok = !key || check_ask(run, end, &arena, &reply, err, "SELECT", number);
    if (ok && key && resp_value_is(reply, "OK")) {
        ok = check_ask(run, end, &arena, &reply, err, "EXISTS", key);
        *ret = ok && reply->type == RESP_INTEGER && reply->integer == 1;
    }
    arena_done(&arena);
    return ok;
}

/* Which of the keys are ours. An account that may not look counts them among the others. */
static bool mark_own(struct check_run *run, struct check_end *end, json_t *databases,
                     struct err *err) {
    const json_t *keys = json_object_get(json_object_get(run->message, "own_keys"), end->name);
    const json_t *own;
    size_t i;

    json_array_foreach(keys, i, own) {
        json_t *row =
            database_in(databases, (int)json_integer_value(json_object_get(own, "database")));
        bool found = false;

        if (i == OWN_KEYS_MAX || check_time_left(end) <= 1)
            return true;
        if (row && !is_there(run, end, own, &found, err))
            return false;
        if (found)
            add_one(row, "own_keys");
        if (found && json_is_true(json_object_get(own, "expires")))
            add_one(row, "own_expires");
    }
    return true;
}

static json_t *counts(struct check_run *run, struct check_end *end) {
    const struct redis_info *info = &end->info;
    json_t *databases = NULL, *reading;
    struct err err = ERR_INIT;
    bool ok = true;

    if (info->has_keyspace)
        databases = databases_of_info(info);
    else
        ok = databases_by_size(run, end, &databases, &err);
    ok = ok && mark_own(run, end, databases, &err);
    reading = json_pack("{s:s?, s:o, s:s?, s:o, s:o, s:o, s:o}", "by",
                        info->has_keyspace         ? "info"
                        : json_is_array(databases) ? "dbsize"
                                                   : NULL,
                        "databases", databases ? databases : json_null(), "expired_stale_percent",
                        info->expired_stale_percent[0] ? info->expired_stale_percent : NULL,
                        "used_memory_bytes", number_or_null(info->used_memory),
                        "used_memory_rss_bytes", number_or_null(info->used_memory_rss),
                        "evicted_keys", number_or_null(info->evicted_keys), "problem",
                        ok ? json_null() : problem_of(&err));
    return reading;
}

/* ---- clients ---- */

static json_t *clients(struct check_run *run, struct check_end *end) {
    const json_t *reference = job_reference_of(run->spec, end->name);
    struct check_clients *found = check_clients_new();
    json_t *reading, *trouble = NULL;
    size_t longest = 0;

    for (int look = 0; look < CLIENT_LOOKS && !trouble && longest <= CLIENT_TEXT_MAX; look++) {
        struct arena arena = ARENA_INIT;
        const struct resp_value *reply;
        struct err err = ERR_INIT;

        if (look > 0)
            check_wait_since(end, clock_mono_ms() - end->opened_ms + CLIENT_PAUSE_MS);
        if (!check_ask(run, end, &arena, &reply, &err, "CLIENT", "LIST")) {
            trouble = problem_of(&err);
        } else if (reply->type == RESP_BULK) {
            longest = reply->str.len;
            check_clients_look(found, reply->str);
        } else {
            char text[160];

            trouble = problem(check_is_refused(reply) ? "not_permitted" : "refused",
                              check_show(reply, text));
        }
        arena_done(&arena);
    }
    reading = check_clients_json(found, reference && job_reference_is_shared(reference));
    json_object_set_new(reading, "problem", trouble ? trouble : json_null());
    check_clients_free(found);
    return reading;
}

void check_reading(struct check_run *run, struct check_end *end) {
    const char *what = json_string_value(json_object_get(run->message, "reading"));
    int64_t one = clock_mono_ms() + CHECK_ONE_MAX_MS;

    if (!what || !end->is_wanted || endpoint_is_file(&end->ep))
        return;
    if (end->reached != CHECK_STAGE_LOGGED_IN) {
        end->reading = json_pack("{s:o}", "problem", problem_of(&end->failure));
        return;
    }
    if (end->cluster) {
        end->reading = json_pack("{s:o}", "problem",
                                 problem("not_supported_yet", "the shards of a cluster are not "
                                                              "looked at one by one yet"));
        return;
    }
    end->deadline_ms = one < run->run_deadline_ms ? one : run->run_deadline_ms;
    end->reading = strcmp(what, "clients") == 0 ? clients(run, end) : counts(run, end);
}
