/* command_edit.h - writes a command again with some of its arguments replaced.
 *
 * Pure. What is not replaced is copied as the bytes it came in, so a command of a
 * million arguments costs one copy.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/str.h"
#include "proto/resp/resp_command.h"

enum { COMMAND_EDIT_WITH_MAX = 3 };

/* Arguments [at, at + drop) give way to with[0 .. with_count). */
struct command_edit {
    uint32_t at, drop;
    uint32_t with_count;
    struct str with[COMMAND_EDIT_WITH_MAX];
};

/* Append the command with its edits, which ascend and do not overlap, and lie
 * within argc. Errors: TOO_BIG, MEMORY. */
MUST_CHECK bool command_edit_put(const struct resp_command *command,
                                 const struct command_edit *edits, size_t edit_count,
                                 struct buf *out, struct err *err);

/* The arguments from argv[at] on; none left when at >= argc. */
struct resp_command_args command_args_from(const struct resp_command *command, uint32_t at);
