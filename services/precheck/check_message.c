/* What a run is told: the ends, the specification, which checks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/common/ulid.h"
#include "services/precheck/check_run.h"

/* "precheck message: member ..." */
static bool wrong(struct err *err, const char *member) {
    return err_set(err, ERR_PROTOCOL, "precheck message: member \"%s\" is wrong", member);
}

static bool read_databases(const json_t *spec, struct check_run *run, struct err *err) {
    const json_t *list = json_object_get(json_object_get(spec, "objects"), "databases"), *pair;
    size_t i;

    run->map_all = !json_is_array(list) || json_array_size(list) == 0;
    for (i = 0; i < CHECK_DATABASES_MAX; i++)
        run->database_map[i] = run->map_all ? (int16_t)i : -1;
    if (run->map_all)
        return true;
    json_array_foreach(list, i, pair) {
        json_int_t from = json_integer_value(json_object_get(pair, "source"));
        const json_t *to_value = json_object_get(pair, "destination");
        json_int_t to = to_value ? json_integer_value(to_value) : from;

        if (!json_is_integer(json_object_get(pair, "source")) || from < 0 || to < 0 ||
            from >= CHECK_DATABASES_MAX || to >= CHECK_DATABASES_MAX)
            return wrong(err, "spec/objects/databases");
        run->database_map[from] = (int16_t)to;
    }
    return true;
}

static bool read_heartbeat(const json_t *spec, struct check_run *run, struct err *err) {
    const json_t *beat = json_object_get(spec, "heartbeat");
    const char *mode = json_string_value(json_object_get(beat, "mode"));
    const char *prefix = json_string_value(json_object_get(beat, "key_prefix"));

    if (prefix && (!*prefix || strlen(prefix) >= sizeof(run->heartbeat_prefix)))
        return wrong(err, "spec/heartbeat/key_prefix");
    snprintf(run->heartbeat_prefix, sizeof(run->heartbeat_prefix), "%s",
             prefix ? prefix : "DTS_REDIS_TIMESTAMP_HEARTBEAT");
    run->heartbeat = !mode || strcmp(mode, "off") != 0;
    return true;
}

/* true when the member is missing: the defaults of a job. */
static bool flag(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);

    return !value || json_is_true(value);
}

static bool read_reading(const json_t *message, struct check_run *run, struct err *err) {
    const json_t *migration = json_object_get(json_object_get(message, "spec"), "migration");
    const char *mode = json_string_value(json_object_get(migration, "read_mode"));
    const char *dir = json_string_value(json_object_get(message, "import_dir"));

    if (dir && strlen(dir) >= sizeof(run->import_dir))
        return wrong(err, "import_dir");
    snprintf(run->import_dir, sizeof(run->import_dir), "%s", dir ? dir : "");
    run->read_mode = !mode || strcmp(mode, "auto") == 0 ? TASK_READ_AUTO
                     : strcmp(mode, "scan") == 0        ? TASK_READ_SCAN
                     : strcmp(mode, "sync") == 0        ? TASK_READ_SYNC
                                                        : TASK_READ_PSYNC;
    run->scans = run->read_mode == TASK_READ_SCAN;
    run->syncs = run->read_mode == TASK_READ_SYNC;
    run->selects_types =
        json_array_size(json_object_get(json_object_get(migration, "scan"), "types")) > 0;
    return true;
}

static bool read_conflict(const json_t *spec, struct check_run *run) {
    static const char *const modes[] = {"precheck_error", "overwrite", "skip_existing",
                                        "fail_on_conflict", "flush_destination"};
    const char *mode = json_string_value(json_object_get(spec, "conflict_mode"));
    const char *scope = json_string_value(json_object_get(spec, "conflict_scope"));

    for (int i = 0; mode && i < (int)LENGTH_OF(modes); i++) {
        if (strcmp(mode, modes[i]) == 0)
            run->conflict = (enum task_conflict)i;
    }
    run->conflict_instance = run->map_all || (scope && strcmp(scope, "instance") == 0);
    return true;
}

static bool read_end(const json_t *message, struct check_end *end, struct err *err) {
    const json_t *object = json_object_get(message, end->name);

    if (!object || json_is_null(object))
        return true;
    end->is_wanted = true;
    if (!endpoint_from_json(object, &end->ep, NULL, NULL, err))
        return err_wrap(err, "precheck message: %s", end->name);
    snprintf(end->label, sizeof(end->label), "%s", end->ep.label);
    return true;
}

/* {"checks": ["dst.eviction", ...]}; without it all that are built. */
static bool read_asked(const json_t *message, struct check_run *run, struct err *err) {
    const json_t *list = json_object_get(message, "checks"), *id;
    size_t i;

    for (size_t row = 0; row < check_row_count; row++)
        run->asked[row] = !json_is_array(list);
    run->asked[check_find("src.identity")] = run->asked[check_find("dst.identity")] =
        !json_is_array(list) && check_identity_is_asked(run);
    json_array_foreach(list, i, id) {
        size_t row = json_is_string(id) ? check_find(json_string_value(id)) : check_row_count;

        if (row == check_row_count)
            return wrong(err, "checks");
        run->asked[row] =
            strstr(check_rows[row].info.id, ".identity") == NULL || check_identity_is_asked(run);
    }
    return true;
}

struct check_run *check_run_new(void) {
    struct check_run *run = calloc(1, sizeof(*run));

    if (!run)
        abort();
    run->source = (struct check_end){.name = "source", .side = REDIS_SOURCE, .ep = ENDPOINT_INIT};
    run->destination =
        (struct check_end){.name = "destination", .side = REDIS_DESTINATION, .ep = ENDPOINT_INIT};
    return run;
}

bool check_message_read(const json_t *message, struct check_run *run, struct err *err) {
    const json_t *spec = json_object_get(message, "spec");
    const json_t *migration = json_object_get(spec, "migration");
    const char *probe = json_string_value(json_object_get(message, "probe"));
    char id[ULID_ID_SIZE];

    if (!json_is_object(spec))
        return wrong(err, "spec");
    if (probe && strcmp(probe, "full") != 0 && strcmp(probe, "read_only") != 0)
        return wrong(err, "probe");
    run->may_write = !probe || strcmp(probe, "full") == 0;
    run->full = flag(migration, "full");
    run->incremental = flag(migration, "incremental");
    ulid_make("p", id);
    snprintf(run->probe_key, sizeof(run->probe_key), "%s%s", CHECK_PROBE_PREFIX, id + strlen("p_"));
    run->message = message;
    run->spec = spec;
    run->sample_max = CHECK_SAMPLE_MAX;
    return read_end(message, &run->source, err) && read_end(message, &run->destination, err) &&
           (run->source.is_wanted || run->destination.is_wanted || wrong(err, "source")) &&
           read_asked(message, run, err) && read_databases(spec, run, err) &&
           read_heartbeat(spec, run, err) && read_reading(message, run, err) &&
           read_conflict(spec, run);
}
