/* What a specification says that would not go well, seen beside the source's keys. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/hex.h"
#include "proto/resp/resp_write.h"
#include "services/precheck/check_run.h"

enum { CONNECTION_MINUTES_LOW = 30, OTHER_MINUTES_LOW = 10, COLLISIONS_ASKED = 500 };

static json_int_t number(const json_t *object, const char *name, json_int_t fallback) {
    const json_t *value = json_object_get(object, name);

    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool check_cfg_retry(struct check_run *run, struct check_finding *ret, struct err *err) {
    const json_t *retry = json_object_get(run->spec, "retry");
    json_int_t connection = number(retry, "connection_minutes", 720);
    json_int_t other = number(retry, "other_minutes", 10);

    (void)err;
    check_observed(ret, "%lld and %lld minutes", (long long)connection, (long long)other);
    if (other >= connection)
        return check_fail(ret, "retry.other_minutes must be less than retry.connection_minutes");
    check_threshold(ret, "more than %d and at least %d minutes", CONNECTION_MINUTES_LOW,
                    OTHER_MINUTES_LOW);
    if (connection <= CONNECTION_MINUTES_LOW || other < OTHER_MINUTES_LOW) {
        check_remedy(ret, "retry.connection_minutes 720, retry.other_minutes 10");
        return check_warn(ret, "The job fails for good after so short a trouble that nobody may "
                               "have looked");
    }
    return check_pass(ret, "There is time to repair what goes wrong");
}

bool check_cfg_ttl_extension(struct check_run *run, struct check_finding *ret, struct err *err) {
    json_int_t seconds = number(run->spec, "extend_ttl_seconds", 0);

    (void)err;
    check_observed(ret, "%lld s", (long long)seconds);
    check_threshold(ret, "0 s");
    if (seconds > 0)
        return check_warn(ret, "Every expiry is %lld s later on the destination, that of locks too",
                          (long long)seconds);
    return check_pass(ret, "Expiries stay what they are");
}

/* ---- prefixes ---- */

/* "hex:00ff" or the text itself. */
static struct str prefix_bytes(const char *text, char dst[512]) {
    struct str whole = str_from(text), hex = str_first(str_skip(whole, 4), 1024);

    if (!str_starts_with(whole, STR_LIT("hex:")))
        return whole;
    return hex_decode(hex, dst) ? str_of(dst, hex.len / 2) : STR_EMPTY;
}

static bool begins_with_one_of(struct str name, const json_t *prefixes) {
    const json_t *one;
    size_t i;
    char bytes[512];

    json_array_foreach(prefixes, i, one) {
        if (json_is_string(one) &&
            str_starts_with(name, prefix_bytes(json_string_value(one), bytes)))
            return true;
    }
    return false;
}

bool check_selects(const struct check_run *run, int database, struct str name) {
    const json_t *rows = json_object_get(json_object_get(run->spec, "objects"), "databases"), *row;
    size_t i;

    json_array_foreach(rows, i, row) {
        const json_t *include = json_object_get(row, "include_prefixes");

        if (number(row, "source", -1) != database)
            continue;
        return (json_array_size(include) == 0 || begins_with_one_of(name, include)) &&
               !begins_with_one_of(name, json_object_get(row, "exclude_prefixes"));
    }
    return true;
}

bool check_has_prefixes(const struct check_run *run, int database) {
    const json_t *rows = json_object_get(json_object_get(run->spec, "objects"), "databases"), *row;
    size_t i;

    json_array_foreach(rows, i, row) {
        if (number(row, "source", -1) == database)
            return json_array_size(json_object_get(row, "include_prefixes")) > 0 ||
                   json_array_size(json_object_get(row, "exclude_prefixes")) > 0;
    }
    return false;
}

/* An included prefix that an excluded one swallows: nothing can ever match it. */
static const char *swallowed(const json_t *row) {
    const json_t *include = json_object_get(row, "include_prefixes"), *one;
    size_t i;
    char bytes[512];

    json_array_foreach(include, i, one) {
        if (json_is_string(one) && begins_with_one_of(prefix_bytes(json_string_value(one), bytes),
                                                      json_object_get(row, "exclude_prefixes")))
            return json_string_value(one);
    }
    return NULL;
}

bool check_cfg_filters(struct check_run *run, struct check_finding *ret, struct err *err) {
    const json_t *rows = json_object_get(json_object_get(run->spec, "objects"), "databases"), *row;
    const struct check_sample *sample;
    size_t i, matching = 0;
    bool has_filter = false;

    json_array_foreach(rows, i, row) {
        const char *lost = swallowed(row);
        char shown[80];

        has_filter = has_filter || json_array_size(json_object_get(row, "include_prefixes")) > 0 ||
                     json_array_size(json_object_get(row, "exclude_prefixes")) > 0;
        if (!lost)
            continue;
        str_escape(str_from(lost), shown, sizeof(shown));
        check_observed(ret, "%s", shown);
        return check_fail(ret, "The prefix %s is included and excluded: no key can match", shown);
    }
    if (!has_filter)
        return check_skip(ret, "No prefixes are given");
    if (!check_sample_keys(run, &sample, err))
        return false;
    if (sample->is_refused)
        return check_skip(ret, "The account may not look at keys (SCAN)");
    for (i = 0; i < sample->count; i++)
        matching += check_selects(run, sample->keys[i].database, sample->keys[i].name);
    check_observed(ret, "%zu of %zu keys looked at", matching, sample->count);
    check_threshold(ret, "1 key");
    if (matching == 0)
        return check_warn(ret, "None of %zu keys looked at is selected by the prefixes",
                          sample->count);
    return check_pass(ret, "%zu of %zu keys looked at are selected", matching, sample->count);
}

/* ---- databases that become one ---- */

static int merged_with(const struct check_run *run, int database) {
    for (int i = 0; i < database; i++)
        if (run->database_map[i] >= 0 && run->database_map[i] == run->database_map[database])
            return i;
    return -1;
}

/* How many of the sampled names of `from` exist in `other`. */
static bool count_equal(struct check_run *run, int from, int other, size_t *ret_equal,
                        struct err *err) {
    const struct resp_value *replies[COLLISIONS_ASKED + 1];
    struct buf out = BUF_INIT(1024 * 1024);
    struct arena arena = ARENA_INIT;
    size_t count = 0;
    char text[12];
    bool ok;

    snprintf(text, sizeof(text), "%d", other);
    ok = resp_put_words(&out, err, "SELECT", text, NULL);
    for (size_t i = 0; ok && i < run->sample->count && count < COLLISIONS_ASKED; i++) {
        if (run->sample->keys[i].database != from)
            continue;
        ok = resp_put_array(&out, 2, err) && resp_put_bulk(&out, STR_LIT("EXISTS"), err) &&
             resp_put_bulk(&out, run->sample->keys[i].name, err);
        count++;
    }
    ok = ok && check_pipeline(run, &run->source, buf_str(&out), count + 1, &arena, replies, err);
    for (size_t i = 0; ok && i < count; i++)
        *ret_equal += replies[i + 1]->type == RESP_INTEGER && replies[i + 1]->integer == 1;
    buf_done(&out);
    arena_done(&arena);
    return ok;
}

bool check_dst_map_collision(struct check_run *run, struct check_finding *ret, struct err *err) {
    const struct check_sample *sample;
    struct arena arena = ARENA_INIT;
    const struct resp_value *ignored;
    size_t equal = 0;
    int merged = 0, target = -1;

    for (int i = 0; !run->map_all && i < CHECK_DATABASES_MAX; i++) {
        int other = run->database_map[i] >= 0 ? merged_with(run, i) : -1;

        if (other < 0)
            continue;
        merged++;
        target = run->database_map[i];
        if (!check_sample_keys(run, &sample, err) || !count_equal(run, i, other, &equal, err))
            return false;
    }
    if (!merged)
        return check_pass(ret, "Every database has one of its own on the destination");
    if (!check_ask(run, &run->source, &arena, &ignored, err, "SELECT", "0"))
        return false;
    arena_done(&arena);
    check_observed(ret, "%zu equal names", equal);
    check_threshold(ret, "0 equal names");
    if (equal > 0)
        return check_fail(ret,
                          "Databases that become database %d of the destination have %zu names in "
                          "common: one would overwrite the other",
                          target, equal);
    return check_warn(ret,
                      "Several databases become database %d of the destination; no equal names "
                      "were found, which is no proof",
                      target);
}
