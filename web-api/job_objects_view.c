#include "web-api/job_objects_view.h"

#include <stdbool.h>
#include <string.h>

static json_t *or_null(json_t *value) {
    return value ? json_incref(value) : json_null();
}

static const json_t *row_of(const json_t *list, const char *member, json_int_t number) {
    const json_t *row;
    size_t i;

    json_array_foreach(list, i, row) {
        if (json_integer_value(json_object_get(row, member)) == number)
            return row;
    }
    return NULL;
}

static bool is_one_of(const char *text, const char *const *texts, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, texts[i]) == 0)
            return true;
    return false;
}

/* How far a database is: the databases of a snapshot come one after the other, rising. */
static const char *state_of(const struct store_job *job, json_int_t database) {
    static const char *const behind[] = {"tail", "done", "stopped", "sealed", "forgotten"};
    static const char *const over[] = {"stopped", "completed", "released"};
    const json_t *migration = json_object_get(job->spec, "migration");
    bool is_over = is_one_of(job->state, over, LENGTH_OF(over));
    const struct store_progress *p = &job->progress;

    if (is_one_of(p->position_state, behind, LENGTH_OF(behind)) ||
        strcmp(p->phase, "incremental") == 0)
        return is_over || json_is_false(json_object_get(migration, "incremental")) ? "done"
                                                                                   : "following";
    if (p->copy_database == 0 || database >= p->copy_database)
        return is_over ? "not_copied" : "waiting";
    if (database < p->copy_database - 1)
        return "copied";
    return is_over ? "not_copied" : "copying";
}

struct done {
    json_int_t keys; /* of the copy so far, in databases that are not yet taken off it */
    bool is_known;   /* the counts before say how many lie in each */
};

/* The worker counts keys of all databases together; what lies in each is what the source said when
 * the job met it, and the rest is in the database that is being copied. */
static json_t *keys_done(const char *state, const json_t *keys, struct done *done) {
    json_int_t share;

    if (strcmp(state, "waiting") == 0)
        return json_integer(0);
    if (!json_is_integer(keys) || !done->is_known ||
        (strcmp(state, "copied") != 0 && strcmp(state, "copying") != 0))
        return json_null();
    share = json_integer_value(keys) < done->keys ? json_integer_value(keys) : done->keys;
    done->keys -= share;
    return json_integer(share);
}

static json_t *row_json(const struct store_job *job, const json_t *selected, json_int_t source,
                        const json_t *counts, struct done *done) {
    json_t *to = json_object_get(selected, "destination");
    json_t *include = json_object_get(selected, "include_prefixes");
    json_t *exclude = json_object_get(selected, "exclude_prefixes");
    const json_t *counted = row_of(counts, "number", source);
    const char *state = state_of(job, source);
    json_t *keys = json_object_get(counted, "keys"), *expires = json_object_get(counted, "expires");
    json_t *count = keys_done(state, keys, done);

    if (json_is_array(counts) && !counted) /* it has none */
        return json_pack("{s:o, s:I, s:I, s:o, s:o, s:i, s:i, s:s, s:i, s:n}", "id",
                         json_sprintf("%lld", (long long)source), "source_database", source,
                         "destination_database", to ? json_integer_value(to) : source,
                         "include_prefixes", include ? json_incref(include) : json_array(),
                         "exclude_prefixes", exclude ? json_incref(exclude) : json_array(), "keys",
                         0, "expires", 0, "state", state, "keys_done", 0, "keys_done_quality");
    return json_pack("{s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:s, s:o, s:o}", "id",
                     json_sprintf("%lld", (long long)source), "source_database", source,
                     "destination_database", to ? json_integer_value(to) : source,
                     "include_prefixes", include ? json_incref(include) : json_array(),
                     "exclude_prefixes", exclude ? json_incref(exclude) : json_array(), "keys",
                     or_null(keys), "expires", or_null(expires), "state", state, "keys_done", count,
                     "keys_done_quality",
                     json_is_integer(count) ? json_string("estimated") : json_null());
}

json_t *job_objects_view(const struct store_job *job) {
    const json_t *selected = json_object_get(json_object_get(job->spec, "objects"), "databases");
    const json_t *counts = json_object_get(job->source_facts, "databases"), *row;
    bool is_all = json_array_size(selected) == 0;
    struct done done = {.keys = job->progress.keys_done, .is_known = true};
    json_t *list = json_array();
    size_t i;

    json_array_foreach(selected, i, row) {
        if (json_object_get(row, "include_prefixes") || json_object_get(row, "exclude_prefixes"))
            done.is_known = false; /* how many of them the prefixes take is not known */
    }
    for (json_int_t db = 0; db < 256; db++) {
        const json_t *chosen = row_of(selected, "source", db);

        if (chosen || (is_all && row_of(counts, "number", db)))
            json_array_append_new(list, row_json(job, chosen, db, counts, &done));
    }
    return list;
}
