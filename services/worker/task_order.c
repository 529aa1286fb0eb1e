#include "services/worker/task_order.h"

#include <stdlib.h>
#include <string.h>

#include "services/job/job_prefix.h"
#include "services/job/job_spec.h"

static json_t *faults_json(const char *names) {
    json_t *list = json_array();
    struct str rest = str_from(names), name;

    while (str_cut(&rest, ',', &name))
        json_array_append_new(list, json_stringn(name.ptr, name.len));
    return list;
}

/* Prefixes as hex; one that is none was refused before the job was saved. */
static json_t *prefixes_json(const json_t *row, const char *name) {
    json_t *list = json_array();
    const json_t *text;
    size_t i;

    json_array_foreach(json_object_get(row, name), i, text) {
        char hex[2 * JOB_PREFIX_MAX + 1];
        const char *what;

        bool ok =
            job_prefix_hex(str_of(json_string_value(text), json_string_length(text)), hex, &what);

        /* A null is refused by the child: with one prefix less it would migrate more. */
        json_array_append_new(list, ok ? json_string(hex) : json_null());
    }
    return list;
}

static json_t *databases_json(const json_t *spec) {
    const json_t *list = json_object_get(json_object_get(spec, "objects"), "databases"), *row;
    json_t *pairs;
    size_t i;

    if (!json_is_array(list) || json_array_size(list) == 0)
        return json_null();
    pairs = json_array();
    json_array_foreach(list, i, row) {
        json_t *source = json_object_get(row, "source");
        json_t *destination = json_object_get(row, "destination");

        json_array_append_new(
            pairs, json_pack("{s:O, s:O, s:o, s:o}", "source", source, "destination",
                             json_is_null(destination) || !destination ? source : destination,
                             "include", prefixes_json(row, "include_prefixes"), "exclude",
                             prefixes_json(row, "exclude_prefixes")));
    }
    return pairs;
}

static const char *text_or(const json_t *object, const char *name, const char *fallback) {
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : fallback;
}

/* Members that jobs of an earlier version lack have their meaning of then. */
static json_t *policies_json(const json_t *spec) {
    const json_t *objects = json_object_get(spec, "objects");
    json_t *exclude = json_object_get(objects, "exclude_commands");

    return json_pack("{s:s, s:s, s:s, s:b, s:o}", "lua", text_or(objects, "lua_policy", "apply"),
                     "flush", text_or(objects, "flush_policy", "apply"), "unknown",
                     text_or(objects, "unknown_command_policy", "fail"), "publish",
                     json_is_true(json_object_get(objects, "publish")), "exclude",
                     json_is_array(exclude) ? json_incref(exclude) : json_array());
}

static json_t *end_json(const json_t *spec, const char *end, struct err *err) {
    struct endpoint ep = ENDPOINT_INIT;
    json_t *object;

    if (!job_spec_endpoint(spec, end, &ep, err))
        return NULL;
    object = endpoint_to_json(&ep);
    endpoint_done(&ep);
    return object;
}

static json_t *heartbeat_json(const json_t *spec) {
    const json_t *beat = json_object_get(spec, "heartbeat");
    const char *mode = json_string_value(json_object_get(beat, "mode"));
    const char *prefix = json_string_value(json_object_get(beat, "key_prefix"));
    const json_t *interval = json_object_get(beat, "interval_ms");

    return json_pack("{s:s, s:s, s:I}", "mode", mode ? mode : "auto", "key_prefix",
                     prefix ? prefix : "DTS_REDIS_TIMESTAMP_HEARTBEAT", "interval_ms",
                     json_is_integer(interval) ? json_integer_value(interval) : (json_int_t)1000);
}

static const char *expiry_of(const json_t *spec) {
    const json_t *expiry = json_object_get(spec, "expiry");
    const char *mode = json_is_object(expiry) ? json_string_value(json_object_get(expiry, "mode"))
                                              : json_string_value(expiry);

    return mode ? mode : "held";
}

bool task_order_make(const struct task_order *order, const json_t *spec, json_t **ret_message,
                     struct err *err) {
    const json_t *migration = json_object_get(spec, "migration");
    const char *conflict = json_string_value(json_object_get(spec, "conflict_mode"));
    const char *scope = json_string_value(json_object_get(spec, "conflict_scope"));
    const char *mode = json_string_value(json_object_get(migration, "read_mode"));
    json_t *source = end_json(spec, "source", err), *destination, *message;

    if (!source)
        return false;
    destination = end_json(spec, "destination", err);
    if (!destination) {
        json_decref(source);
        return false;
    }
    message =
        json_pack("{s:s, s:s, s:I, s:I, s:b, s:o, s:o, s:s, s:I, s:b, s:s, s:s, s:o, s:o, "
                  "s:o, s:s, s:s, s:s}",
                  "type", "spec", "job", order->job, "task", (json_int_t)order->task, "lease",
                  (json_int_t)order->lease, "claimed_before", order->claimed_before, "source",
                  source, "destination", destination, "spool_dir", order->spool_dir,
                  "spool_quota_bytes", (json_int_t)order->spool_quota_bytes, "incremental",
                  !json_is_false(json_object_get(migration, "incremental")), "read_mode",
                  mode ? mode : "auto", "expiry", expiry_of(spec), "databases",
                  databases_json(spec), "policies", policies_json(spec), "heartbeat",
                  heartbeat_json(spec), "conflict_mode", conflict ? conflict : "precheck_error",
                  "conflict_scope", scope ? scope : "selection", "recopy", "fail");
    if (!message)
        abort(); /* sizes we chose */
    if (order->transaction_bytes)
        json_object_set_new(message, "transaction_bytes",
                            json_integer((json_int_t)order->transaction_bytes));
    if (json_string_value(json_object_get(spec, "hash_field_expiry")))
        json_object_set(message, "hash_field_expiry", json_object_get(spec, "hash_field_expiry"));
    if (order->piece_bytes)
        json_object_set_new(message, "piece_bytes", json_integer((json_int_t)order->piece_bytes));
    if (json_integer_value(json_object_get(spec, "extend_ttl_seconds")) > 0)
        json_object_set_new(
            message, "extend_ttl_ms",
            json_integer(json_integer_value(json_object_get(spec, "extend_ttl_seconds")) * 1000));
    if (json_is_object(json_object_get(migration, "scan")))
        json_object_set(message, "scan", json_object_get(migration, "scan"));
    if (order->import_dir && order->import_dir[0])
        json_object_set_new(message, "import_dir", json_string(order->import_dir));
    if (order->faults && order->faults[0])
        json_object_set_new(message, "faults", faults_json(order->faults));
    *ret_message = message;
    return true;
}

bool task_order_ends(const json_t *spec, json_t *message, bool *ret_changed, struct err *err) {
    static const char *const ends[] = {"source", "destination"};
    json_t *objects[2] = {NULL, NULL};
    bool ok = (objects[0] = end_json(spec, ends[0], err)) != NULL &&
              (objects[1] = end_json(spec, ends[1], err)) != NULL;

    *ret_changed = false;
    for (int i = 0; ok && i < 2; i++) {
        *ret_changed |= !json_equal(objects[i], json_object_get(message, ends[i]));
        json_object_set(message, ends[i], objects[i]);
    }
    json_decref(objects[0]);
    json_decref(objects[1]);
    return ok;
}

static uint32_t number_or(const json_t *object, const char *name, uint32_t fallback) {
    const json_t *value = json_object_get(object, name);

    if (!json_is_integer(value) || json_integer_value(value) < 1 ||
        json_integer_value(value) > UINT32_MAX)
        return fallback;
    return (uint32_t)json_integer_value(value);
}

void task_order_policy(const json_t *spec, struct retry_policy *ret_policy) {
    const json_t *retry = json_object_get(spec, "retry");
    const json_t *backoff = json_object_get(retry, "backoff");
    const json_t *jitter = json_object_get(backoff, "jitter");
    struct retry_policy p = RETRY_POLICY_DEFAULT;

    p.minutes[RETRY_KIND_CONNECTION] =
        number_or(retry, "connection_minutes", p.minutes[RETRY_KIND_CONNECTION]);
    p.minutes[RETRY_KIND_OTHER] = number_or(retry, "other_minutes", p.minutes[RETRY_KIND_OTHER]);
    p.backoff.initial_ms = number_or(backoff, "initial_ms", p.backoff.initial_ms);
    p.backoff.max_ms = number_or(backoff, "max_ms", p.backoff.max_ms);
    if (p.backoff.max_ms < p.backoff.initial_ms)
        p.backoff.max_ms = p.backoff.initial_ms;
    if (json_is_number(jitter) && json_number_value(jitter) >= 0 && json_number_value(jitter) <= 1)
        p.backoff.jitter = json_number_value(jitter);
    *ret_policy = p;
}
