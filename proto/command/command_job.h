/* command_job.h - one call of command_rewrite(): what its rules are given and how they write.
 *
 * Pure, and internal to command_rewrite.c and the files of its rules.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/str.h"
#include "proto/command/command_edit.h"
#include "proto/command/command_rewrite.h"

struct command_job {
    const struct resp_command *command;
    const struct command_row *row;
    const struct command_target *target;
    uint64_t receipt_ms; /* the source's clock */
    struct buf *out;
    uint32_t count; /* commands appended */
};

/* An argument that argc says is there and argv has room for. */
static inline struct str command_job_arg(const struct command_job *job, uint32_t at) {
    return job->command->argv[at];
}

/* Each appends one command. Errors: TOO_BIG, MEMORY. */
MUST_CHECK bool command_job_put_raw(struct command_job *job, struct err *err);
MUST_CHECK bool command_job_put_edited(struct command_job *job, const struct command_edit *edits,
                                       size_t count, struct err *err);
MUST_CHECK bool command_job_put(struct command_job *job, size_t argc, const struct str *argv,
                                struct err *err);

static inline struct command_edit command_job_replace(uint32_t at, uint32_t drop, struct str with) {
    return (struct command_edit){.at = at, .drop = drop, .with_count = 1, .with = {with}};
}

static inline struct command_edit command_job_drop(uint32_t at, uint32_t count) {
    return (struct command_edit){.at = at, .drop = count};
}

/* PROTOCOL: it has not the words it must have. Returns false. */
bool command_job_malformed(struct err *err);

/* DEST_UNKNOWN_COMMAND: the destination has no `what`. Returns false. */
bool command_job_too_old(struct err *err, const char *what);
