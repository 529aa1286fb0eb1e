#include "web-api/key_counts_view.h"

#include <stdlib.h>
#include <string.h>

#include "services/redis/redis_info.h"
#include "web-api/json_time.h"
#include "web-api/key_counts_why.h"

static json_t *or_null(json_t *value) {
    return value ? json_incref(value) : json_null();
}

static const json_t *facts_of(const struct key_counts *c, const char *end) {
    return c->reading ? json_object_get(c->reading->facts, end) : NULL;
}

static json_t *reading_of(const struct key_counts *c, const char *end) {
    return json_object_get(facts_of(c, end), "reading");
}

json_t *key_counts_view_head(const struct key_counts *c) {
    int64_t at = c->reading ? c->reading->finished_ms : 0;
    bool has_failed = c->reading && !c->reading->facts;

    return json_pack("{s:s, s:o, s:o, s:o}", "state",
                     c->is_being_read ? "reading"
                     : !at            ? "never_read"
                     : has_failed     ? "failed"
                                      : "read",
                     "read_at", json_time(at), "age_seconds",
                     at ? json_integer(c->now_ms > at ? (c->now_ms - at) / 1000 : 0) : json_null(),
                     "problem", c->reading ? or_null(c->reading->last_error) : json_null());
}

json_t *key_counts_view_end(const struct key_counts *c, const char *end) {
    const json_t *spec = json_object_get(c->job->spec, end);
    json_t *reading = reading_of(c, end), *label = json_object_get(spec, "label");

    if (!label)
        label = json_object_get(json_object_get(spec, "inline"), "label");
    return json_pack("{s:o, s:o, s:o}", "label", or_null(label), "reachable",
                     or_null(json_object_get(facts_of(c, end), "reachable")), "problem",
                     or_null(json_object_get(reading, "problem")));
}

static json_t *end_json(const struct key_counts *c, const char *end) {
    static const char *const members[] = {"by", "used_memory_bytes", "used_memory_rss_bytes",
                                          "evicted_keys"};
    const char *stale =
        json_string_value(json_object_get(reading_of(c, end), "expired_stale_percent"));
    json_t *view = key_counts_view_end(c, end);

    for (size_t i = 0; i < LENGTH_OF(members); i++)
        json_object_set_new(view, members[i],
                            or_null(json_object_get(reading_of(c, end), members[i])));
    /* As the server wrote it: "0.35". */
    json_object_set_new(view, "expired_stale_percent",
                        stale ? json_real(strtod(stale, NULL)) : json_null());
    return view;
}

/* ---- one database of one end ---- */

static json_int_t number(const json_t *object, const char *name) {
    return json_integer_value(json_object_get(object, name));
}

static struct key_counts_side side_of(const struct key_counts *c, const char *end, int database) {
    const json_t *list = json_object_get(reading_of(c, end), "databases"), *row;
    struct key_counts_side side = {.is_known = json_is_array(list), .tells_expires = true};
    size_t i;

    json_array_foreach(list, i, row) {
        if (number(row, "number") != database)
            continue;
        side.own = number(row, "own_keys");
        side.keys = number(row, "keys") - side.own;
        side.tells_expires = json_is_integer(json_object_get(row, "expires"));
        side.expires = number(row, "expires") - number(row, "own_expires");
        side.field_expiries = number(row, "field_expiries");
    }
    /* A key that was counted and had gone when it was looked for, or the other way round. */
    if (side.keys < 0)
        side.keys = 0;
    if (side.expires < 0)
        side.expires = 0;
    return side;
}

static json_t *side_json(const struct key_counts_side *s) {
    if (!s->is_known)
        return json_null();
    return json_pack("{s:I, s:o, s:o, s:o, s:I}", "keys", (json_int_t)s->keys, "expires",
                     s->tells_expires ? json_integer(s->expires) : json_null(), "not_expiring",
                     s->tells_expires ? json_integer(s->keys - s->expires) : json_null(),
                     "hashes_with_expiring_fields",
                     s->tells_expires ? json_integer(s->field_expiries) : json_null(), "own_keys",
                     (json_int_t)s->own);
}

static int64_t keys_before(const struct key_counts *c, int database) {
    const json_t *list =
        json_object_get(json_object_get(c->facts_before, "destination"), "databases");
    const json_t *row;
    size_t i;

    json_array_foreach(list, i, row) {
        if (number(row, "number") == database)
            return number(row, "keys");
    }
    return 0;
}

static bool is_cluster(const struct key_counts *c, const char *end) {
    const char *topology = json_string_value(json_object_get(facts_of(c, end), "topology"));

    return topology && strcmp(topology, "cluster") == 0;
}

/* ---- rows ---- */

struct totals {
    int64_t source, destination;
    bool is_known;
    enum key_counts_verdict worst;
};

static void add_row(const struct key_counts *c, json_t *rows, struct totals *totals, int source,
                    int destination, const json_t *selection) {
    struct key_counts_pair pair = {
        .job = c->job,
        .source = side_of(c, "source", source),
        .destination = side_of(c, "destination", destination),
        .keys_before = keys_before(c, destination),
        .stale_percent =
            json_string_value(json_object_get(reading_of(c, "source"), "expired_stale_percent")),
        .has_prefixes = json_object_get(selection, "include_prefixes") ||
                        json_object_get(selection, "exclude_prefixes"),
        .is_one_node = is_cluster(c, "source") || is_cluster(c, "destination"),
    };
    enum key_counts_verdict verdict;
    json_t *why = key_counts_why(&pair, &verdict);
    bool both = pair.source.is_known && pair.destination.is_known;
    bool tells = both && pair.source.tells_expires && pair.destination.tells_expires;

    json_array_append_new(
        rows, json_pack("{s:i, s:i, s:o, s:o, s:o, s:o, s:s, s:o}", "source_database", source,
                        "destination_database", destination, "source", side_json(&pair.source),
                        "destination", side_json(&pair.destination), "difference",
                        both ? json_integer(pair.destination.keys - pair.source.keys) : json_null(),
                        "not_expiring_difference",
                        tells ? json_integer(key_counts_not_expiring(&pair)) : json_null(),
                        "verdict", key_counts_verdict_name(verdict), "explanations", why));
    totals->source += pair.source.keys;
    totals->destination += pair.destination.keys;
    totals->is_known = totals->is_known && both;
    if (verdict > totals->worst)
        totals->worst = verdict;
}

/* Every database that has keys at either end. */
static void add_all(const struct key_counts *c, json_t *rows, struct totals *totals) {
    for (int db = 0; db < REDIS_INFO_DATABASES_MAX; db++) {
        struct key_counts_side source = side_of(c, "source", db);
        struct key_counts_side destination = side_of(c, "destination", db);

        if (db == 0 || source.keys || destination.keys || source.own || destination.own)
            add_row(c, rows, totals, db, db, NULL);
    }
}

json_t *key_counts_view(const struct key_counts *c) {
    const json_t *list = json_object_get(json_object_get(c->job->spec, "objects"), "databases");
    json_t *view = key_counts_view_head(c), *rows = json_array(), *row;
    struct totals totals = {.is_known = true};
    size_t i;

    if (!c->reading)
        totals.is_known = false;
    else if (json_array_size(list) == 0)
        add_all(c, rows, &totals);
    json_array_foreach(c->reading ? list : NULL, i, row) {
        add_row(c, rows, &totals, (int)number(row, "source"), (int)number(row, "destination"), row);
    }
    json_object_set_new(view, "source", end_json(c, "source"));
    json_object_set_new(view, "destination", end_json(c, "destination"));
    json_object_set_new(view, "databases", rows);
    json_object_set_new(
        view, "totals",
        json_pack("{s:o, s:o, s:o}", "source_keys",
                  totals.is_known ? json_integer(totals.source) : json_null(), "destination_keys",
                  totals.is_known ? json_integer(totals.destination) : json_null(), "difference",
                  totals.is_known ? json_integer(totals.destination - totals.source)
                                  : json_null()));
    json_object_set_new(
        view, "verdict",
        json_string(key_counts_verdict_name(c->reading ? totals.worst : KEY_COUNTS_UNKNOWN)));
    json_object_set_new(
        view, "note",
        json_string("Counts that agree do not show that the data agree; only a comparison of "
                    "both ends does. Keyferry's own keys are left out of keys and expires."));
    return view;
}
