#include "web-api/report_parts.h"

#include <stdlib.h>
#include <string.h>

static json_t *or_null(json_t *value) {
    return value ? json_incref(value) : json_null();
}

/* ---- series ---- */

struct values {
    int64_t *at;
    size_t count;
};

static int rising(const void *a, const void *b) {
    const int64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* What is known of a number, rising; free() it. */
static struct values values_of(const struct report *r, enum series_name name) {
    struct values v = {.at = calloc(r->bucket_count * SERIES_MOMENTS + 1, sizeof(int64_t))};

    if (!v.at)
        abort();
    for (size_t b = 0; b < r->bucket_count; b++)
        for (int m = 0; m < SERIES_MOMENTS; m++)
            if (r->buckets[b].points[name][m] != SERIES_UNKNOWN)
                v.at[v.count++] = r->buckets[b].points[name][m];
    qsort(v.at, v.count, sizeof(*v.at), rising);
    return v;
}

json_t *report_parts_highest(const struct report *r, enum series_name name) {
    struct values v = values_of(r, name);
    json_t *highest = v.count ? json_integer(v.at[v.count - 1]) : json_null();

    free(v.at);
    return highest;
}

/* Over the moments in which anything moved. */
static json_t *rate(const struct report *r, enum series_name name) {
    struct values v = values_of(r, name);
    int64_t sum = 0, count = 0;
    json_t *found;

    for (size_t i = 0; i < v.count; i++) {
        sum += v.at[i];
        count += v.at[i] > 0;
    }
    found = json_pack("{s:o, s:o}", "average_while_moving",
                      count ? json_integer(sum / count) : json_null(), "highest",
                      v.count ? json_integer(v.at[v.count - 1]) : json_null());
    free(v.at);
    return found;
}

json_t *report_parts_throughput(const struct report *r) {
    return json_pack("{s:i, s:o, s:o, s:o}", "step_seconds", r->step_seconds, "keys_per_second",
                     rate(r, SERIES_keys_per_second), "commands_per_second",
                     rate(r, SERIES_commands_per_second), "bytes_per_second",
                     rate(r, SERIES_bytes_per_second));
}

static json_t *percentile_ms(const struct values *v, int percent) {
    size_t at;

    if (v->count == 0)
        return json_null();
    at = (v->count * (size_t)percent + 99) / 100;
    return json_real((double)v->at[at > 0 ? at - 1 : 0] / 1000);
}

json_t *report_parts_latency(const struct report *r) {
    struct values v = values_of(r, SERIES_latency_us);
    json_t *latency = json_pack("{s:i, s:I, s:o, s:o, s:o, s:o, s:s}", "step_seconds",
                                r->step_seconds, "samples", (json_int_t)v.count, "p50_ms",
                                percentile_ms(&v, 50), "p95_ms", percentile_ms(&v, 95), "p99_ms",
                                percentile_ms(&v, 99), "highest_ms", percentile_ms(&v, 100), "of",
                                "the highest latency of each step in which one was measured");

    free(v.at);
    return latency;
}

/* ---- counters ---- */

json_t *report_parts_waiting(const struct store_job *job) {
    const struct store_progress *p = &job->progress;

    return json_pack("{s:I, s:I, s:I}", "copy_limits_ms", (json_int_t)(p->full_waited_us / 1000),
                     "tail_limits_ms", (json_int_t)(p->tail_waited_us / 1000), "source_limits_ms",
                     (json_int_t)(p->source_waited_us / 1000));
}

static json_int_t events_of(const struct report *r, const char *type) {
    const json_t *event;
    json_int_t count = 0;
    size_t i;

    json_array_foreach(r->events, i, event) {
        const char *is = json_string_value(json_object_get(event, "type"));

        count += is && strcmp(is, type) == 0;
    }
    return count;
}

json_t *report_parts_disturbances(const struct report *r) {
    const struct store_progress *p = &r->counts.job->progress;

    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "source_reconnects",
                     (json_int_t)p->reconnects, "retries", events_of(r, "retrying"), "blocked",
                     events_of(r, "blocked"), "failed", events_of(r, "failed"), "full_resyncs",
                     events_of(r, "full_resync"), "pauses", events_of(r, "paused"),
                     "destination_claims", (json_int_t)p->position_epoch);
}

json_t *report_parts_work(const struct store_job *job) {
    const struct store_progress *p = &job->progress;

    return json_pack(
        "{s:{s:I, s:I, s:I, s:s}, s:{s:I, s:I, s:I, s:I, s:I, s:I}}", "source", "full_syncs",
        (json_int_t)p->full_syncs, "snapshot_bytes_read", (json_int_t)p->bytes_done,
        "stream_bytes_applied", (json_int_t)p->bytes_applied, "written",
        p->heartbeat_state == 0 ? "nothing" : "one expiring heartbeat key", "destination",
        "keys_written_by_the_copy", (json_int_t)p->keys_done, "commands_of_the_source_applied",
        (json_int_t)p->commands_applied, "bytes_of_the_stream", (json_int_t)p->bytes_applied,
        "transactions_of_the_tail", (json_int_t)p->units_applied, "expiries_settled",
        (json_int_t)p->settle_keys_done, "keys_evicted_there",
        (json_int_t)p->destination_evicted_keys);
}

/* ---- memory ---- */

static json_t *memory_of(const struct report *r, const char *end) {
    const json_t *reading =
        r->counts.reading
            ? json_object_get(json_object_get(r->counts.reading->facts, end), "reading")
            : NULL;
    const json_t *before =
        r->precheck ? json_object_get(json_object_get(r->precheck->facts, end), "used_memory_bytes")
                    : NULL;
    const json_t *used = json_object_get(reading, "used_memory_bytes");
    const json_t *rss = json_object_get(reading, "used_memory_rss_bytes");
    bool both = json_is_integer(used) && json_is_integer(rss) && json_integer_value(used) > 0;

    return json_pack(
        "{s:o, s:o, s:o, s:o}", "at_precheck_bytes", or_null((json_t *)(uintptr_t)before),
        "used_bytes", or_null((json_t *)(uintptr_t)used), "resident_bytes",
        or_null((json_t *)(uintptr_t)rss), "fragmentation_ratio",
        both ? json_real((double)(json_integer_value(rss) * 100 / json_integer_value(used)) / 100)
             : json_null());
}

json_t *report_parts_memory(const struct report *r) {
    const struct store_progress *p = &r->counts.job->progress;

    return json_pack(
        "{s:o, s:o, s:o, s:o}", "source", memory_of(r, "source"), "destination",
        memory_of(r, "destination"), "destination_highest_bytes",
        report_parts_highest(r, SERIES_destination_memory_bytes), "destination_max_bytes",
        p->destination_memory_max_bytes > 0 ? json_integer(p->destination_memory_max_bytes)
                                            : json_null());
}

/* ---- what holds ---- */

static bool is(const json_t *object, const char *name, const char *value) {
    const char *text = json_string_value(json_object_get(object, name));

    return text && strcmp(text, value) == 0;
}

static void say(json_t *list, const char *sentence) {
    json_array_append_new(list, json_string(sentence));
}

/* Nothing is claimed of a job that stands because something is wrong. */
static bool is_in_trouble(const json_t *view) {
    return is(view, "state", "blocked") || is(view, "state", "failed") ||
           is(view, "state", "retrying");
}

static void say_given(const struct report *r, const json_t *view, json_t *list) {
    const struct store_progress *p = &r->counts.job->progress;

    if (is_in_trouble(view))
        return;
    if (is(view, "consistency", "exact") && p->commands_applied > 0)
        say(list, "Each command of the source was applied once, in the order of the source");
    else if (is(view, "consistency", "exact"))
        say(list, "The destination got one consistent state of the source");
    if (json_is_true(json_object_get(json_object_get(view, "expiry"), "settled")))
        say(list, "Every expiry on the destination is the source's");
    if (is(view, "seal", "set"))
        say(list, "Nothing of this job writes to the destination again: its seal is set");
}

static void say_not_given(const struct report *r, const json_t *view, json_t *list) {
    const struct store_progress *p = &r->counts.job->progress;
    const json_t *drained = json_object_get(
        json_object_get(json_object_get(view, "progress"), "incremental"), "drained");

    say(list, "That the data of both ends are equal: no comparison was made by Keyferry");
    if (is_in_trouble(view))
        say(list, "That the destination has what the source has: the job stands, see its state");
    if (is(view, "consistency", "not_guaranteed"))
        say(list, "That the copy is of one moment: the source was written while it ran, or it is "
                  "not known");
    if (is(view, "consistency", "at_risk"))
        say(list, "That what was written stays: the destination may evict keys");
    if (p->destination_evicted_keys > 0)
        say(list, "That everything is there: the destination evicted keys");
    if (p->commands_rejected > 0)
        say(list, "That every command was applied: some are on record as rejected");
    if (p->keys_conflict > 0)
        say(list, "That keys which the destination had before are the source's");
    if (p->field_expiries_dropped > 0)
        say(list, "That fields of hashes expire: the destination cannot, and they were written "
                  "without");
    if (json_is_false(drained))
        say(list, "That the last writes of the source are there: it was stopped without draining");
    if (json_is_false(json_object_get(json_object_get(view, "expiry"), "settled")))
        say(list, "That keys expire on the destination in time: expiries are still held");
}

json_t *report_parts_guarantees(const struct report *r, const json_t *view) {
    json_t *given = json_array(), *not_given = json_array();

    if (r->counts.job->has_task) {
        say_given(r, view, given);
        say_not_given(r, view, not_given);
    }
    return json_pack("{s:o, s:o}", "given", given, "not_given", not_given);
}
