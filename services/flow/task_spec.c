#include "services/flow/task_spec.h"

#include <string.h>

/* Readers of one member: false names it. JSON integers are signed 64 bit. */

static bool wrong(struct err *err, const char *name, const char *what) {
    return err_set(err, ERR_PROTOCOL, "spec member \"%s\" is not %s", name, what);
}

static bool take_u64(const json_t *spec, const char *name, uint64_t max, uint64_t *ret,
                     struct err *err) {
    const json_t *value = json_object_get(spec, name);

    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        (uint64_t)json_integer_value(value) > max)
        return wrong(err, name, "a number in its range");
    *ret = (uint64_t)json_integer_value(value);
    return true;
}

static bool take_u32(const json_t *spec, const char *name, uint32_t max, uint32_t *ret,
                     struct err *err) {
    uint64_t value;

    if (!take_u64(spec, name, max, &value, err))
        return false;
    *ret = (uint32_t)value;
    return true;
}

static bool take_bool(const json_t *spec, const char *name, bool *ret, struct err *err) {
    const json_t *value = json_object_get(spec, name);

    if (!json_is_boolean(value))
        return wrong(err, name, "true or false");
    *ret = json_boolean_value(value);
    return true;
}

static bool take_text(const json_t *spec, const char *name, char *ret, size_t ret_size,
                      struct err *err) {
    const json_t *value = json_object_get(spec, name);
    size_t len = json_string_length(value);

    if (!json_is_string(value) || len == 0 || len >= ret_size ||
        memchr(json_string_value(value), '\0', len))
        return wrong(err, name, "a text of its length");
    memcpy(ret, json_string_value(value), len + 1);
    return true;
}

/* One of `words`, by its index. */
static bool take_word(const json_t *spec, const char *name, const char *const *words, int count,
                      int *ret, struct err *err) {
    const char *value = json_string_value(json_object_get(spec, name));

    for (int i = 0; value && i < count; i++) {
        if (strcmp(value, words[i]) == 0) {
            *ret = i;
            return true;
        }
    }
    return wrong(err, name, "one of its words");
}

static bool take_endpoint(const json_t *spec, const char *name, struct endpoint *ret,
                          struct err *err) {
    char pointer[ENDPOINT_POINTER_SIZE] = "";
    const json_t *value = json_object_get(spec, name);

    if (!json_is_object(value))
        return wrong(err, name, "an endpoint");
    if (!endpoint_from_json(value, ret, NULL, pointer, err))
        return err_recode(err, ERR_PROTOCOL, "spec member \"%s\"%s", name, pointer);
    return true;
}

static bool take_databases(const json_t *spec, struct task_spec *task, struct err *err) {
    const json_t *list = json_object_get(spec, "databases"), *pair;
    bool taken[TASK_DATABASES_MAX] = {false};
    size_t i;

    task->lowest_database = 0;
    for (i = 0; i < TASK_DATABASES_MAX; i++)
        task->database_map[i] = list && !json_is_null(list) ? -1 : (int16_t)i;
    task->map_all = !list || json_is_null(list);
    if (task->map_all)
        return true;
    if (!json_is_array(list) || json_array_size(list) == 0 ||
        json_array_size(list) > TASK_DATABASES_MAX)
        return wrong(err, "databases", "a list of pairs");
    task->lowest_database = TASK_DATABASES_MAX;
    json_array_foreach(list, i, pair) {
        uint32_t from, to;

        if (!take_u32(pair, "source", TASK_DATABASES_MAX - 1, &from, err) ||
            !take_u32(pair, "destination", TASK_DATABASES_MAX - 1, &to, err))
            return err_wrap(err, "pair %zu of \"databases\"", i);
        /* Two databases in one would make FLUSHDB and SWAPDB of one source database
         * hit the other's keys. */
        if (task->database_map[from] >= 0 || taken[to])
            return err_set(err, ERR_PROTOCOL, "pair %zu of \"databases\" names one twice", i);
        taken[to] = true;
        task->database_map[from] = (int16_t)to;
        if ((int)to < task->lowest_database)
            task->lowest_database = (int)to;
    }
    return true;
}

static bool take_heartbeat(const json_t *spec, struct task_spec *task, struct err *err) {
    static const char *const modes[] = {"off", "auto", "on"};
    const json_t *beat = json_object_get(spec, "heartbeat");
    int mode;

    if (!json_is_object(beat))
        return wrong(err, "heartbeat", "an object");
    if (!take_word(beat, "mode", modes, LENGTH_OF(modes), &mode, err))
        return err_wrap(err, "heartbeat");
    task->heartbeat = mode != 0;
    /* Also with the heartbeat off: keys of other jobs' heartbeats are nobody's data. An
     * empty prefix would make every key one of them. */
    if (!take_text(beat, "key_prefix", task->heartbeat_prefix, sizeof(task->heartbeat_prefix), err))
        return err_wrap(err, "heartbeat");
    if (task->heartbeat_prefix[0] == '\0')
        return wrong(err, "heartbeat/key_prefix", "a text that is not empty");
    task->heartbeat_interval_ms = 1000; /* the source is asked where it is without one, too */
    if (!task->heartbeat)
        return true;
    if (!take_u32(beat, "interval_ms", 3600000, &task->heartbeat_interval_ms, err))
        return err_wrap(err, "heartbeat");
    if (task->heartbeat_interval_ms < 100)
        return wrong(err, "heartbeat/interval_ms", "at least 100");
    return true;
}

static bool take_recopy(const json_t *spec, struct task_spec *task, struct err *err) {
    static const char *const words[] = {"fail", "overwrite", "flush_destination"};
    const json_t *value = json_object_get(spec, "recopy");
    int at = TASK_RECOPY_FAIL;

    if (value && !json_is_null(value) &&
        !take_word(spec, "recopy", words, LENGTH_OF(words), &at, err))
        return false;
    task->recopy = (enum task_recopy)at;
    return true;
}

static bool take_errand(const json_t *spec, struct task_spec *task, struct err *err) {
    static const char *const words[] = {"none", "finish", "forget"};
    int at = TASK_ERRAND_NONE;

    if (json_object_get(spec, "errand") &&
        !take_word(spec, "errand", words, LENGTH_OF(words), &at, err))
        return false;
    task->errand = (enum task_errand)at;
    return true;
}

static bool take_conflict(const json_t *spec, struct task_spec *task, struct err *err) {
    static const char *const modes[] = {"precheck_error", "overwrite", "skip_existing",
                                        "fail_on_conflict", "flush_destination"};
    static const char *const scopes[] = {"selection", "instance"};
    int mode, scope = 0;

    if (!take_word(spec, "conflict_mode", modes, LENGTH_OF(modes), &mode, err))
        return false;
    if (json_object_get(spec, "conflict_scope") &&
        !take_word(spec, "conflict_scope", scopes, LENGTH_OF(scopes), &scope, err))
        return false;
    task->conflict = (enum task_conflict)mode;
    task->conflict_instance = scope == 1;
    return true;
}

const char *const task_scan_types[TASK_SCAN_TYPES] = {"string", "list", "set",
                                                      "zset",   "hash", "stream"};

static bool take_scan_types(const json_t *list, struct task_scan *scan, struct err *err) {
    const json_t *name;
    size_t i;

    if (!list || json_is_null(list))
        return true;
    if (!json_is_array(list) || json_array_size(list) > TASK_SCAN_TYPES)
        return wrong(err, "scan/types", "a list of types");
    json_array_foreach(list, i, name) {
        uint8_t type = 0;

        while (
            type < TASK_SCAN_TYPES &&
            (!json_is_string(name) || strcmp(task_scan_types[type], json_string_value(name)) != 0))
            type++;
        if (type == TASK_SCAN_TYPES)
            return wrong(err, "scan/types", "a list of types");
        scan->types[scan->type_count++] = type;
    }
    return true;
}

static bool take_scan(const json_t *spec, struct task_spec *task, struct err *err) {
    const json_t *scan = json_object_get(spec, "scan");
    const json_t *match = json_object_get(scan, "match");

    if (!scan || json_is_null(scan))
        return true;
    if (!json_is_object(scan))
        return wrong(err, "scan", "an object");
    if (match && !json_is_null(match) &&
        !take_text(scan, "match", task->scan.match, sizeof(task->scan.match), err))
        return false;
    return take_scan_types(json_object_get(scan, "types"), &task->scan, err);
}

static bool take_reading(const json_t *spec, struct task_spec *task, struct err *err) {
    static const char *const modes[] = {"auto", "psync", "sync", "scan"};
    const json_t *dir = json_object_get(spec, "import_dir");
    int mode = TASK_READ_AUTO;

    if (dir && !json_is_null(dir) &&
        !take_text(spec, "import_dir", task->import_dir, sizeof(task->import_dir), err))
        return false;
    if (json_object_get(spec, "read_mode") &&
        !take_word(spec, "read_mode", modes, LENGTH_OF(modes), &mode, err))
        return false;
    task->read_mode = (enum task_read_mode)mode;
    if (endpoint_is_file(&task->destination))
        return wrong(err, "destination", "a server");
    /* Neither sees what changes meanwhile. */
    if (task->incremental && (task->read_mode == TASK_READ_SCAN || endpoint_is_file(&task->source)))
        return wrong(err, "incremental", "false, as the way of reading demands");
    return true;
}

static bool take_field_expiry(const json_t *spec, struct task_spec *task, struct err *err) {
    static const char *const words[] = {"refuse", "drop"};
    int at = 0;

    if (json_object_get(spec, "hash_field_expiry") &&
        !take_word(spec, "hash_field_expiry", words, LENGTH_OF(words), &at, err))
        return false;
    task->drops_field_expiry = at == 1;
    return true;
}

static bool take_bounds(const json_t *spec, struct task_spec *task, struct err *err) {
    task->piece_bytes = TASK_PIECE_BYTES;
    task->transaction_bytes = TASK_TRANSACTION_BYTES;
    return (!json_object_get(spec, "piece_bytes") ||
            take_u64(spec, "piece_bytes", INT64_MAX, &task->piece_bytes, err)) &&
           (!json_object_get(spec, "transaction_bytes") ||
            take_u64(spec, "transaction_bytes", INT64_MAX, &task->transaction_bytes, err));
}

static bool take_faults(const json_t *spec, struct task_spec *task, struct err *err) {
    static const char *const names[] = {"position_outside_unit", "claim_left_out", "copy_unfenced",
                                        "seal_ignored",          "sweep_left_out", "spool_forgets",
                                        "errors_unsealed"};
    const json_t *list = json_object_get(spec, "faults"), *name;
    size_t i;

    task->faults = 0;
    if (!list || json_is_null(list) || (json_is_array(list) && json_array_size(list) == 0))
        return true;
#ifndef KF_FAULTS
    return err_set(err, ERR_PROTOCOL, "this build has no faults to switch on");
#endif
    if (!json_is_array(list))
        return wrong(err, "faults", "a list");
    json_array_foreach(list, i, name) {
        size_t at = 0;

        while (at < LENGTH_OF(names) &&
               (!json_is_string(name) || strcmp(names[at], json_string_value(name)) != 0))
            at++;
        if (at == LENGTH_OF(names))
            return wrong(err, "faults", "a list of known faults");
        task->faults |= 1u << at;
    }
    return true;
}

/* In a tail an expiry of the source comes as a DEL like any other, which would undo it. */
static bool take_extension(const json_t *spec, struct task_spec *task, struct err *err) {
    static const uint64_t most_ms = UINT64_C(315360000) * 1000;

    task->extend_ttl_ms = 0;
    if (!json_object_get(spec, "extend_ttl_ms"))
        return true;
    return take_u64(spec, "extend_ttl_ms", most_ms, &task->extend_ttl_ms, err) &&
           (task->extend_ttl_ms == 0 || !task->incremental ||
            wrong(err, "extend_ttl_ms", "0, as following changes demands"));
}

static bool take_all(const json_t *spec, struct task_spec *task, struct err *err) {
    static const char *const expiries[] = {"exact", "held"};
    int expiry;

    if (!take_text(spec, "job", task->job, sizeof(task->job), err) ||
        !take_u32(spec, "task", UINT32_MAX, &task->task, err) ||
        !take_u64(spec, "lease", INT64_MAX, &task->lease, err) ||
        !take_bool(spec, "claimed_before", &task->claimed_before, err) ||
        !take_endpoint(spec, "source", &task->source, err) ||
        !take_endpoint(spec, "destination", &task->destination, err) ||
        !take_text(spec, "spool_dir", task->spool_dir, sizeof(task->spool_dir), err) ||
        !take_u64(spec, "spool_quota_bytes", INT64_MAX, &task->spool_quota_bytes, err) ||
        !take_bounds(spec, task, err) || !take_bool(spec, "incremental", &task->incremental, err) ||
        !take_reading(spec, task, err) || !take_scan(spec, task, err) ||
        !take_word(spec, "expiry", expiries, LENGTH_OF(expiries), &expiry, err) ||
        !take_field_expiry(spec, task, err) || !take_databases(spec, task, err) ||
        !task_objects_parse(spec, &task->objects, err) || !take_extension(spec, task, err) ||
        !take_heartbeat(spec, task, err) || !take_conflict(spec, task, err) ||
        !take_recopy(spec, task, err) || !take_errand(spec, task, err) ||
        !take_faults(spec, task, err))
        return false;
    task->held_expiry = expiry == 1;
    /* A copy alone has no lag to measure, and what we write would look like a writer. */
    task->heartbeat = task->heartbeat && task->incremental;
    return true;
}

bool task_spec_parse(const json_t *message, struct task_spec *ret_spec, struct err *err) {
    struct task_spec task = {.source = ENDPOINT_INIT, .destination = ENDPOINT_INIT};

    if (!json_is_object(message))
        return err_set(err, ERR_PROTOCOL, "the spec is no object");
    if (!take_all(message, &task, err)) {
        task_spec_done(&task);
        return false;
    }
    *ret_spec = task;
    return true;
}

int task_spec_source_of(const struct task_spec *spec, int destination) {
    for (int db = 0; !spec->map_all && db < TASK_DATABASES_MAX; db++) {
        if (spec->database_map[db] == destination)
            return db;
    }
    return spec->map_all && destination >= 0 && destination < TASK_DATABASES_MAX ? destination : -1;
}

void task_spec_done(struct task_spec *spec) {
    task_objects_done(&spec->objects);
    endpoint_done(&spec->source);
    endpoint_done(&spec->destination);
}
