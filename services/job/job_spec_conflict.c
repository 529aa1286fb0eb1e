#include "services/job/job_spec_conflict.h"

#include <string.h>
#include <strings.h>

static const char *text_of(const json_t *spec, const char *name) {
    return json_string_value(json_object_get(spec, name));
}

static bool text_is(const json_t *spec, const char *name, const char *value) {
    const char *text = text_of(spec, name);

    return text && strcmp(text, value) == 0;
}

void job_spec_conflict_scope(json_t *spec, bool is_filtered) {
    bool is_chosen = text_is(spec, "conflict_scope", "instance");

    json_object_set_new(spec, "conflict_scope",
                        json_string(!is_filtered || is_chosen ? "instance" : "selection"));
}

bool job_spec_conflict_is_chosen(const json_t *spec) {
    const json_t *databases = json_object_get(json_object_get(spec, "objects"), "databases");

    return json_array_size(databases) > 0 && text_is(spec, "conflict_scope", "instance");
}

static void check_flush(const json_t *spec, const struct endpoint *destination,
                        struct spec_report *report) {
    const char *given = text_of(spec, "confirm_flush");
    char name[300];

    endpoint_server(destination, name); /* without the database */
    if (!given)
        spec_report_add(report, "/confirm_flush", "required",
                        "flush_destination removes keys: confirm it with the destination's name, "
                        "\"%s\"",
                        name);
    else if (strcasecmp(given, name) != 0)
        spec_report_add(report, "/confirm_flush", "invalid",
                        "is not the name of the destination, \"%s\"", name);
}

void job_spec_check_conflict(const json_t *spec, const struct endpoint *destination,
                             json_t *warnings, struct spec_report *report) {
    const json_t *migration = json_object_get(spec, "migration");
    const json_t *follows = json_object_get(migration, "incremental");

    if (text_is(spec, "conflict_mode", "flush_destination")) {
        if (destination)
            check_flush(spec, destination, report);
    } else if (text_of(spec, "confirm_flush") && text_of(spec, "conflict_mode")) {
        spec_report_add(report, "/confirm_flush", "invalid",
                        "belongs to conflict_mode flush_destination");
    }
    if (text_is(spec, "conflict_mode", "skip_existing") && json_is_true(follows))
        json_array_append_new(
            warnings,
            json_pack("{s:s, s:s, s:s}", "code", "kept_keys_change", "detail",
                      "The copy keeps what the destination has; what the source changes later is "
                      "applied to it all the same: such a key may then be equal to neither end, "
                      "and a command that does not fit its type blocks the job",
                      "pointer", "/conflict_mode"));
    if (text_is(spec, "conflict_mode", "fail_on_conflict") &&
        text_is(migration, "read_mode", "scan"))
        spec_report_add(report, "/conflict_mode", "invalid",
                        "SCAN may name a key twice, and the second time it is there: "
                        "fail_on_conflict needs a snapshot (read_mode psync, or a file)");
}
