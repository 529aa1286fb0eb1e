#include "web-api/key_counts_why.h"

#include <string.h>

enum {
    COMMAND_BYTES_MIN = 8,  /* of a stream, per key it touches; less is not possible */
    READ_APART_SECONDS = 2, /* both ends are not counted in the same instant */
    NO_BOUND = -1,
};

enum direction { FEWER, MORE, EITHER }; /* at the destination */
enum scope { ANY_KEY, EXPIRING };

/* How much of a difference is accounted for. */
struct account {
    const struct key_counts_pair *p;
    json_t *list;
    int64_t not_expiring, expiring; /* differences; destination less source */
    int64_t for_any, for_expiring;  /* explained so far, with the sign left out */
    bool any_is_unbounded;
};

static bool points_there(enum direction direction, int64_t difference) {
    return difference != 0 && (direction == EITHER || (direction == MORE) == (difference > 0));
}

static void explain(struct account *a, enum direction direction, enum scope scope, const char *code,
                    int64_t bound, json_t *detail_taken) {
    bool applies = points_there(direction, a->expiring) ||
                   (scope == ANY_KEY && points_there(direction, a->not_expiring));

    if (!applies) {
        json_decref(detail_taken);
        return;
    }
    json_array_append_new(a->list, json_pack("{s:s, s:o, s:o}", "code", code, "keys",
                                             bound == NO_BOUND ? json_null() : json_integer(bound),
                                             "detail", detail_taken));
    if (scope == ANY_KEY) {
        a->any_is_unbounded = a->any_is_unbounded || bound == NO_BOUND;
        a->for_any += bound == NO_BOUND ? 0 : bound;
    } else {
        a->for_expiring += bound;
    }
}

static bool text_is(const json_t *object, const char *name, const char *text) {
    const char *value = json_string_value(json_object_get(object, name));

    return value && strcmp(value, text) == 0;
}

static bool state_is(const struct store_job *job, const char *state) {
    return strcmp(job->state, state) == 0;
}

static bool has_ended(const struct store_job *job) {
    return state_is(job, "stopped") || state_is(job, "completed") || state_is(job, "released");
}

static bool is_copied(const struct store_job *job) {
    static const char *const behind[] = {"tail", "done", "stopped", "sealed", "forgotten"};

    for (size_t i = 0; i < LENGTH_OF(behind); i++)
        if (strcmp(job->progress.position_state, behind[i]) == 0)
            return true;
    return strcmp(job->progress.phase, "incremental") == 0;
}

static bool follows(const struct store_job *job) {
    const json_t *migration = json_object_get(job->spec, "migration");

    return !json_is_false(json_object_get(migration, "incremental"));
}

/* ---- the reasons ---- */

static void explain_copy(struct account *a) {
    const struct store_job *job = a->p->job;

    if (has_ended(job) || is_copied(job))
        return;
    explain(a, FEWER, ANY_KEY, "not_yet_copied", NO_BOUND,
            job->progress.keys_total > 0
                ? json_sprintf("The full copy is not complete: %lld keys of about %lld are done, "
                               "over all databases",
                               (long long)job->progress.keys_done,
                               (long long)job->progress.keys_total)
                : json_string("The full copy is not complete"));
}

static void explain_tail(struct account *a) {
    const struct store_job *job = a->p->job;
    const struct store_progress *p = &job->progress;
    int64_t rate = p->commands_per_second > 0 ? p->commands_per_second : 1;

    if (has_ended(job)) {
        explain(a, EITHER, ANY_KEY, "not_followed", NO_BOUND,
                json_string("The job has ended: what either end was written since then is not "
                            "carried over"));
    } else if (!follows(job)) {
        explain(a, EITHER, ANY_KEY, "not_followed", NO_BOUND,
                json_string("The job copies only: what the source is written after the copy "
                            "began is not carried over"));
    } else if (!state_is(job, "running")) {
        explain(a, EITHER, ANY_KEY, "not_yet_applied", NO_BOUND,
                json_sprintf("The job is %s: the source's writes of this time are not applied yet",
                             job->state));
    } else if (p->lag_bytes > 0) {
        explain(a, EITHER, ANY_KEY, "not_yet_applied", p->lag_bytes / COMMAND_BYTES_MIN + 1,
                json_sprintf("%lld bytes of the source's stream are not applied yet",
                             (long long)p->lag_bytes));
    } else if (p->commands_per_second > 0) {
        explain(a, EITHER, ANY_KEY, "counted_apart", rate * READ_APART_SECONDS,
                json_sprintf("The ends are counted one moment apart, and %lld commands a second "
                             "are applied",
                             (long long)rate));
    }
}

static void explain_expiry(struct account *a) {
    const struct key_counts_pair *p = a->p;
    bool held = text_is(p->job->spec, "expiry", "held") && p->job->progress.settled != 1;

    if (p->source.expires > 0 || p->job->progress.keys_expired > 0)
        explain(a, FEWER, EXPIRING, "expired_at_source",
                p->source.expires > p->job->progress.keys_expired ? p->source.expires
                                                                  : p->job->progress.keys_expired,
                json_sprintf("Expired keys stay on the source until it comes by them%s%s%s; they "
                             "are not copied (%lld were left out by the copy)",
                             p->stale_percent ? " (now about " : "",
                             p->stale_percent ? p->stale_percent : "",
                             p->stale_percent ? " % of those with an expiry)" : "",
                             (long long)p->job->progress.keys_expired));
    if (p->destination.expires > 0)
        explain(a, MORE, EXPIRING, held ? "held_expiry" : "expired_at_destination",
                p->destination.expires,
                json_string(held ? "Expiries are held on the destination: a key goes there when "
                                   "the source's deletion arrives, not by itself"
                                 : "Expired keys stay on the destination until it comes by them"));
}

static void explain_selection(struct account *a) {
    const struct store_job *job = a->p->job;
    const json_t *objects = json_object_get(job->spec, "objects");
    const json_t *scan = json_object_get(json_object_get(job->spec, "migration"), "scan");

    if (a->p->has_prefixes)
        explain(a, EITHER, ANY_KEY, "filtered", NO_BOUND,
                json_string("Only keys with certain prefixes are migrated; the counts are of the "
                            "whole database"));
    if (json_array_size(json_object_get(scan, "types")) > 0 ||
        json_is_string(json_object_get(scan, "match")))
        explain(a, FEWER, ANY_KEY, "filtered", NO_BOUND,
                json_string("Only keys of certain types or names are copied"));
    if (json_array_size(json_object_get(objects, "exclude_commands")) > 0)
        explain(a, EITHER, ANY_KEY, "commands_excluded", NO_BOUND,
                json_string("Some commands are left out by objects.exclude_commands"));
    if (job->progress.commands_rejected > 0)
        explain(a, EITHER, ANY_KEY, "commands_rejected", NO_BOUND,
                json_sprintf("%lld commands were put on record and not applied: see "
                             "rejected-commands",
                             (long long)job->progress.commands_rejected));
}

static void explain_destination(struct account *a) {
    const struct store_job *job = a->p->job;
    int64_t kept = job->progress.keys_conflict, before = a->p->keys_before;

    /* They would be there whatever the job does. */
    if (before > 0 && !text_is(job->spec, "conflict_mode", "flush_destination"))
        explain(a, MORE, ANY_KEY, "destination_had_keys", before,
                json_sprintf("The destination had %lld keys there when it was checked",
                             (long long)before));
    /* No reason for a difference: said because equal counts hide it. */
    if (kept > 0)
        json_array_append_new(
            a->list,
            json_pack("{s:s, s:I, s:o}", "code", "skipped_by_conflict", "keys", (json_int_t)kept,
                      "detail",
                      json_sprintf("%lld keys that both ends had were kept as the destination had "
                                   "them, over all databases: they count at both ends and may "
                                   "differ",
                                   (long long)kept)));
    if (job->progress.destination_evicted_keys > 0)
        explain(a, FEWER, ANY_KEY, "evicted", job->progress.destination_evicted_keys,
                json_sprintf("The destination evicted %lld keys to make room",
                             (long long)job->progress.destination_evicted_keys));
}

/* ---- the verdict ---- */

const char *key_counts_verdict_name(enum key_counts_verdict verdict) {
    static const char *const names[] = {
        [KEY_COUNTS_SAME] = "same_counts",
        [KEY_COUNTS_EXPLAINED] = "explained",
        [KEY_COUNTS_NOT_COMPARABLE] = "not_comparable",
        [KEY_COUNTS_UNKNOWN] = "unknown",
        [KEY_COUNTS_UNEXPLAINED] = "unexplained",
    };

    return names[verdict];
}

int64_t key_counts_not_expiring(const struct key_counts_pair *p) {
    return (p->destination.keys - p->destination.expires) - (p->source.keys - p->source.expires);
}

static int64_t size_of(int64_t difference) {
    return difference < 0 ? -difference : difference;
}

static enum key_counts_verdict verdict_of(const struct account *a) {
    int64_t left;

    if (!a->p->source.is_known || !a->p->destination.is_known)
        return KEY_COUNTS_UNKNOWN;
    if (a->p->has_prefixes || a->p->is_one_node)
        return KEY_COUNTS_NOT_COMPARABLE;
    if (a->not_expiring == 0 && a->expiring == 0)
        return KEY_COUNTS_SAME;
    if (a->any_is_unbounded)
        return KEY_COUNTS_EXPLAINED;
    left = a->for_any - size_of(a->not_expiring);
    return left >= 0 && size_of(a->expiring) <= left + a->for_expiring ? KEY_COUNTS_EXPLAINED
                                                                       : KEY_COUNTS_UNEXPLAINED;
}

json_t *key_counts_why(const struct key_counts_pair *p, enum key_counts_verdict *ret_verdict) {
    struct account a = {.p = p, .list = json_array()};
    int64_t all = p->destination.keys - p->source.keys;

    /* Without the count of expiries all of the difference may be of keys that expire. */
    if (p->source.is_known && p->destination.is_known) {
        if (p->source.tells_expires && p->destination.tells_expires)
            a.not_expiring = key_counts_not_expiring(p);
        a.expiring = all - a.not_expiring;
    }
    if (p->is_one_node)
        json_array_append_new(
            a.list, json_pack("{s:s, s:n, s:s}", "code", "one_node", "keys", "detail",
                              "An end is a cluster: the counts are of the node that was asked"));
    explain_copy(&a);
    explain_tail(&a);
    explain_expiry(&a);
    explain_selection(&a);
    explain_destination(&a);
    *ret_verdict = verdict_of(&a);
    return a.list;
}
