/* A source that is a snapshot file. */
#include "services/common/clock.h"
#include "services/precheck/check_run.h"

static bool has_time(void *arg) {
    const struct check_run *run = arg;

    return clock_mono_ms() < run->source.deadline_ms;
}

bool check_src_file(struct check_run *run, struct check_finding *ret, struct err *err) {
    struct import_file file = IMPORT_FILE_INIT;
    struct err why = ERR_INIT;
    char size[32], text[300];
    bool ok;

    (void)err;
    if (!endpoint_is_file(&run->source.ep))
        return check_skip(ret, "The source is a server");
    ok = import_file_open(run->import_dir, run->source.ep.file, &file, &why) &&
         import_file_check(&file, has_time, run, &run->file, &why);
    import_file_close(&file);
    if (!ok) {
        err_format(&why, text, sizeof(text));
        if (why.code == ERR_CONFIG)
            check_remedy(ret,
                         "Set KEYFERRY_IMPORT_DIR for the workers to the directory of the file");
        return check_fail(ret, "%s", text);
    }
    run->file_is_good = true;
    check_bytes((int64_t)run->file.bytes, size);
    check_observed(ret, "%s, version %d, %s", rdb_vendor_name(run->file.vendor),
                   run->file.rdb_version, size);
    if (!run->file.is_whole)
        return check_pass(ret, "The file begins as a snapshot; the rest of it is read before "
                               "anything is copied");
    return check_pass(ret, "The file is a whole snapshot of %llu keys",
                      (unsigned long long)run->file.keys);
}
