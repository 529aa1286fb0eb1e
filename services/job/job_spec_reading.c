#include "services/job/job_spec_reading.h"

#include <string.h>

static void check_file(const char *mode, bool follows, struct spec_report *report) {
    if (follows)
        spec_report_add(report, "/migration/incremental", "invalid",
                        "a file has no changes that could be followed: set it to false");
    if (strcmp(mode, "auto") != 0)
        spec_report_add(report, "/migration/read_mode", "invalid",
                        "a file is read in one way: leave it auto");
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
