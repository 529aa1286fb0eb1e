/* command_expiry.h - the expiry time a command carries, whatever its form.
 *
 * Pure. Where it stands is a table: EXPIRE has it in its place, SET behind a word.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "proto/base/str.h"
#include "proto/resp/resp_command.h"

/* The unit is told by the word: EX PX EXAT PXAT. */
enum command_time { COMMAND_TIME_EX, COMMAND_TIME_PX, COMMAND_TIME_EXAT, COMMAND_TIME_PXAT };

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

/* The time to write at the destination: absolute, ms, held if so wanted. Relative
 * times count from receipt_ms.
 * Errors: PROTOCOL (no number, 0, negative, beyond all range), COMMAND_REFUSED (cannot be
 * held). */
MUST_CHECK bool command_time_resolve(struct str text, enum command_time time, uint64_t receipt_ms,
                                     bool held, uint64_t *ret_at_ms, struct err *err);
