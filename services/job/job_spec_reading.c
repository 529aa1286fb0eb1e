#include "services/job/job_spec_reading.h"

#include <stdio.h>
#include <string.h>

static void check_file(const char *mode, bool follows, struct spec_report *report) {
    if (follows)
        spec_report_add(report, "/migration/incremental", "invalid",
                        "a file has no changes that could be followed: set it to false");
    if (strcmp(mode, "auto") != 0)
        spec_report_add(report, "/migration/read_mode", "invalid",
                        "a file is read in one way: leave it auto");
}

static bool is_type(const json_t *name) {
    static const char *const types[] = {"string", "list", "set", "zset", "hash", "stream"};

    for (size_t i = 0; json_is_string(name) && i < LENGTH_OF(types); i++)
        if (strcmp(types[i], json_string_value(name)) == 0)
            return true;
    return false;
}

static bool holds(const json_t *list, const json_t *name) {
    const json_t *other;
    size_t i;

    json_array_foreach(list, i, other) {
        if (json_equal(other, name))
            return true;
    }
    return false;
}

void job_spec_read_scan(const json_t *given, json_t *migration, struct spec_report *report) {
    const json_t *list = json_object_get(json_object_get(given, "scan"), "types");
    json_t *into = json_object_get(migration, "scan"), *types, *name;
    size_t i;

    if (!json_is_object(into) || !list || json_is_null(list))
        return;
    types = json_array();
    if (!json_is_array(list) || json_array_size(list) == 0)
        spec_report_add(report, "/migration/scan/types", "type", "must be a list of types");
    json_array_foreach(list, i, name) {
        char pointer[60];

        snprintf(pointer, sizeof(pointer), "/migration/scan/types/%zu", i);
        if (!is_type(name))
            spec_report_add(report, pointer, "choice",
                            "must be one of string, list, set, zset, hash and stream");
        else if (holds(types, name))
            spec_report_add(report, pointer, "invalid", "is there already");
        else
            json_array_append(types, name);
    }
    json_object_set_new(into, "types", types);
}

static bool selects(const json_t *scan) {
    return json_is_string(json_object_get(scan, "match")) ||
           json_array_size(json_object_get(scan, "types")) > 0;
}

void job_spec_check_reading(const json_t *spec, const struct endpoint *source,
                            const struct endpoint *destination, struct spec_report *report) {
    const json_t *migration = json_object_get(spec, "migration");
    const json_t *limits = json_object_get(json_object_get(spec, "throttle"), "full");
    const char *mode = json_string_value(json_object_get(migration, "read_mode"));
    const char *beat =
        json_string_value(json_object_get(json_object_get(spec, "heartbeat"), "mode"));
    bool follows = json_is_true(json_object_get(migration, "incremental"));
    bool is_file = source && endpoint_is_file(source);

    if (destination && endpoint_is_file(destination))
        spec_report_add(report, "/destination", "invalid", "a file can only be a source");
    if (!mode)
        return; /* was refused by itself */
    if (strcmp(mode, "scan") != 0 && selects(json_object_get(migration, "scan")))
        spec_report_add(report, "/migration/scan", "invalid",
                        "selects what SCAN names: it goes with read_mode scan only");
    if (is_file)
        check_file(mode, follows, report);
    else if (strcmp(mode, "scan") == 0 && follows)
        spec_report_add(report, "/migration/incremental", "invalid",
                        "read_mode scan sees no changes: set it to false");
    else if (strcmp(mode, "sync") == 0 && follows && beat && strcmp(beat, "off") == 0)
        spec_report_add(report, "/heartbeat/mode", "invalid",
                        "read_mode sync knows where the source is by the heartbeat alone");
    if (json_is_integer(json_object_get(limits, "source_qps")) &&
        (is_file || follows || strcmp(mode, "psync") == 0 || strcmp(mode, "sync") == 0))
        spec_report_add(report, "/throttle/full/source_qps", "invalid",
                        "limits what a copy that reads with SCAN asks of the source; this one "
                        "does not");
}
