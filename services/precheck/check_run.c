#include "services/precheck/check_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/common/clock.h"
#include "services/common/ulid.h"

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
                                                        : TASK_READ_PSYNC;
    run->scans = run->read_mode == TASK_READ_SCAN;
    return true;
}

static bool read_end(const json_t *message, struct check_end *end, struct err *err) {
    if (!endpoint_from_json(json_object_get(message, end->name), &end->ep, NULL, NULL, err))
        return err_wrap(err, "precheck message: %s", end->name);
    return true;
}

static bool read_message(const json_t *message, struct check_run *run, struct err *err) {
    const json_t *spec = json_object_get(message, "spec");
    const json_t *migration = json_object_get(spec, "migration");
    const char *conflict = json_string_value(json_object_get(spec, "conflict_mode"));
    const char *probe = json_string_value(json_object_get(message, "probe"));
    char id[ULID_ID_SIZE];

    if (!json_is_object(spec))
        return wrong(err, "spec");
    if (probe && strcmp(probe, "full") != 0 && strcmp(probe, "read_only") != 0)
        return wrong(err, "probe");
    run->may_write = !probe || strcmp(probe, "full") == 0;
    run->full = flag(migration, "full");
    run->incremental = flag(migration, "incremental");
    run->overwrite = conflict && strcmp(conflict, "overwrite") == 0;
    ulid_make("p", id);
    snprintf(run->probe_key, sizeof(run->probe_key), "%s%s", CHECK_PROBE_PREFIX, id + strlen("p_"));
    return read_end(message, &run->source, err) && read_end(message, &run->destination, err) &&
           read_databases(spec, run, err) && read_heartbeat(spec, run, err) &&
           read_reading(message, run, err);
}

static json_t *text(const char *s) {
    char escaped[sizeof(((struct check_finding *)0)->message) * 4];
    json_t *value = *s ? json_string(s) : json_null();

    if (value)
        return value;
    str_escape(str_from(s), escaped, sizeof(escaped)); /* cut inside a character */
    return json_string(escaped);
}

static const char *severity_name(enum check_severity severity) {
    return severity == CHECK_ERROR ? "error" : severity == CHECK_WARN ? "warn" : "info";
}

static json_t *item_of(const struct check_row *row, const struct check_finding *f) {
    static const char *const results[] = {
        [CHECK_PASSED] = "pass",     [CHECK_WARNED] = "warn",  [CHECK_FAILED] = "fail",
        [CHECK_SKIPPED] = "skipped", [CHECK_BROKEN] = "error",
    };
    bool bad = f->result == CHECK_WARNED || f->result == CHECK_FAILED || f->result == CHECK_BROKEN;
    const char *remedy = f->remedy[0] ? f->remedy : bad ? row->info.remedy : "";

    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:n}", "id", row->info.id,
                     "title", row->info.title, "severity", severity_name(row->info.severity),
                     "result", results[f->result], "ignorable",
                     /* Only a warning can be accepted. */
                     row->info.ignorable && f->result != CHECK_FAILED && f->result != CHECK_BROKEN,
                     "observed", text(f->observed), "threshold", text(f->threshold), "message",
                     text(f->message), "remedy", text(remedy), "doc_url");
}

/* The end that the row needs and that is not there, or NULL. */
static const struct check_end *missing_end(const struct check_run *run, enum check_needs needs) {
    bool source = needs == CHECK_NEEDS_SOURCE || needs == CHECK_NEEDS_BOTH;
    bool destination = needs == CHECK_NEEDS_DESTINATION || needs == CHECK_NEEDS_BOTH;

    if (source && run->source.reached != CHECK_STAGE_LOGGED_IN)
        return &run->source;
    if (destination && run->destination.reached != CHECK_STAGE_LOGGED_IN)
        return &run->destination;
    return NULL;
}

static void set_deadline(struct check_run *run) {
    int64_t one = clock_mono_ms() + CHECK_ONE_MAX_MS;

    run->check_deadline_ms = one < run->run_deadline_ms ? one : run->run_deadline_ms;
}

static void carry_out(struct check_run *run, const struct check_row *row, struct check_finding *f) {
    const struct check_end *missing = missing_end(run, row->needs);
    struct err err = ERR_INIT;

    if (endpoint_is_file(&run->source.ep) &&
        (row->needs == CHECK_NEEDS_SERVER || row->needs == CHECK_NEEDS_SOURCE ||
         row->needs == CHECK_NEEDS_BOTH)) {
        check_skip(f, "The source is a file");
        return;
    }
    if (missing) {
        check_skip(f, "Not run: there is no login at the %s", missing->name);
        return;
    }
    if (clock_mono_ms() >= run->run_deadline_ms) {
        check_skip(f, "Not run: the precheck took more than %d s", CHECK_RUN_MAX_MS / 1000);
        f->result = CHECK_BROKEN;
        return;
    }
    set_deadline(run);
    if (!row->function(run, f, &err)) {
        err_format(&err, f->message, sizeof(f->message));
        f->result = CHECK_BROKEN;
        check_remedy(f, "Run the precheck again; if it stays, the server cuts such connections");
    }
}

static bool run_all(struct check_run *run, struct err *err) {
    set_deadline(run);
    if (!endpoint_is_file(&run->source.ep))
        check_end_open(run, &run->source);
    run->sample_begin_ms = clock_mono_ms();
    set_deadline(run);
    check_end_open(run, &run->destination);
    for (size_t i = 0; i < check_row_count; i++) {
        struct check_finding f = {.result = CHECK_BROKEN};
        json_t *item;
        bool ok;

        if (!check_rows[i].function)
            continue;
        carry_out(run, &check_rows[i], &f);
        item = item_of(&check_rows[i], &f);
        if (!item)
            return err_set(err, ERR_INTERNAL, "the item of %s is no JSON", check_rows[i].info.id);
        ok = run->hooks->item(run->hooks->context, item, err);
        json_decref(item);
        if (!ok)
            return false;
    }
    return true;
}

bool check_run(const json_t *message, const struct check_hooks *hooks, json_t **ret_facts,
               json_t **ret_plan, struct err *err) {
    struct check_run *run = calloc(1, sizeof(*run));
    bool ok;

    if (!run)
        return err_set(err, ERR_MEMORY, "no memory for a precheck");
    run->hooks = hooks;
    run->run_deadline_ms = clock_mono_ms() + CHECK_RUN_MAX_MS;
    run->source = (struct check_end){.name = "source", .side = REDIS_SOURCE, .ep = ENDPOINT_INIT};
    run->destination =
        (struct check_end){.name = "destination", .side = REDIS_DESTINATION, .ep = ENDPOINT_INIT};
    ok = read_message(message, run, err) && run_all(run, err);
    if (ok) {
        *ret_facts = check_facts(run);
        *ret_plan = check_plan(run);
    }
    check_end_close(&run->source);
    check_end_close(&run->destination);
    free(run);
    return ok;
}
