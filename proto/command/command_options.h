/* command_options.h - finds an expiry time among the options of a command.
 *
 * Pure. SET, GETEX, HSETEX and their kin share their words; those that take an
 * operand are a table, so that a value is never taken for a word.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "proto/base/str.h"
#include "proto/command/command_time.h"
#include "proto/resp/resp_command.h"

/* The options that stand between `from` and FIELDS, or the end. argv positions;
 * 0: not there. */
struct command_options {
    uint32_t time_at; /* of the word; its operand follows */
    enum command_time time;
    struct str time_text;
    uint32_t keepttl_at, persist_at, get_at, fields_at;
};

/* Errors: PROTOCOL (an operand is missing, two times), UNKNOWN_COMMAND (a word that
 * is no known option: it might be a new kind of expiry). */
MUST_CHECK bool command_options_scan(const struct resp_command *command, uint32_t from,
                                     struct command_options *ret, struct err *err);
