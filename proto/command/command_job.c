#include "proto/command/command_job.h"

#include "proto/resp/resp_write.h"

bool command_job_put_raw(struct command_job *job, struct err *err) {
    job->count++;
    return buf_append(job->out, job->command->raw, err);
}

bool command_job_put_edited(struct command_job *job, const struct command_edit *edits, size_t count,
                            struct err *err) {
    job->count++;
    return command_edit_put(job->command, edits, count, job->out, err);
}

bool command_job_put(struct command_job *job, size_t argc, const struct str *argv,
                     struct err *err) {
    job->count++;
    return resp_put_command(job->out, argc, argv, err);
}

bool command_job_malformed(struct err *err) {
    return err_set(err, ERR_PROTOCOL, "it has too few words");
}

bool command_job_too_old(struct err *err, const char *what) {
    return err_set(err, ERR_DEST_UNKNOWN_COMMAND, "the destination has no %s", what);
}
