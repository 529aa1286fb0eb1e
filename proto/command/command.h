/* command.h - what is known about each command a stream may hold.
 *
 * Pure; one table (command_table.def): every write command of Redis 2.8 to 8.10,
 * Valkey 7.2 to 9.1 and their usual modules, and what else a source puts in its
 * stream. A name that has no row is never skipped: see command_policy.h.
 *
 * Source: the command tables (src/commands/ *.json) of redis 8.6.3 and valkey 9.1.2,
 * and redis.io's for what came later.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/str.h"
#include "proto/resp/resp_command.h"

enum command_id {
    COMMAND_NONE = 0,
#define COMMAND(symbol, ...) COMMAND_##symbol,
#include "proto/command/command_table.def"
#undef COMMAND
    COMMAND_COUNT
};

/* What command_policy.c starts from. */
enum command_fate {
    COMMAND_FATE_DATA,     /* forwarded as it is */
    COMMAND_FATE_EXPIRY,   /* carries an expiry time, always or perhaps */
    COMMAND_FATE_RESTORE,  /* carries a payload with a footer, perhaps an expiry */
    COMMAND_FATE_CROSS_DB, /* names a second database, always or perhaps */
    COMMAND_FATE_XADD,     /* dropped when it is a duplicate */
    COMMAND_FATE_SCRIPT,   /* runs a script */
    COMMAND_FATE_SELECT,
    COMMAND_FATE_MULTI,
    COMMAND_FATE_EXEC,
    COMMAND_FATE_FLUSHALL,
    COMMAND_FATE_FLUSHDB,
    COMMAND_FATE_SWAPDB,
    COMMAND_FATE_PUBLISH,   /* a message to subscribers, no data */
    COMMAND_FATE_REPLCONF,  /* GETACK or nothing */
    COMMAND_FATE_DROP,      /* carries no data, or data of nobody */
    COMMAND_FATE_REFUSE,    /* must not be in a stream, or must not be repeated */
    COMMAND_FATE_CONTAINER, /* the second word decides; without a row of its own: refused */
};

/* What a second run of the same command does. No part of the data plane relies on it: a unit
 * is applied once. It is what a person must know before something is done again by hand. */
enum command_class {
    COMMAND_CLASS_A, /* the same again */
    COMMAND_CLASS_E, /* fails, because it is done already */
    COMMAND_CLASS_C, /* depends on what is there by then */
    COMMAND_CLASS_R, /* does it once more: a counter counts twice */
    COMMAND_CLASS_X, /* reads other keys, as they are by then */
    COMMAND_CLASS_K, /* concerns no single key */
    COMMAND_CLASS_N, /* is never run */
    COMMAND_CLASS_V, /* runs code */
};

/* When a selection takes some of the keys (command_border.h). */
enum command_border {
    COMMAND_BORDER_NONE,  /* one key, or none: cannot be; of scripts: refused */
    COMMAND_BORDER_SPLIT, /* each key stands for itself: those that are taken */
    COMMAND_BORDER_STORE, /* writes its first key, or the one behind STORE, from the others */
    COMMAND_BORDER_BOTH,  /* two keys, with a rule of their own */
};

struct command_row {
    enum command_id id;
    const char *name;   /* lower case, with the second word: "xgroup create" */
    int8_t first, last; /* argv positions of keys; negative last counts from the end */
    int8_t step;        /* 0: no keys at fixed places */
    int8_t numkeys;     /* argv position of a count with keys behind it; 0: none */
    enum command_fate fate;
    bool fails; /* may fail on a destination whose data differ (WRONGTYPE, ...) */
    enum command_class class;
    enum command_border border;
    uint16_t redis, valkey; /* first version, 804 = 8.4; 0: none, or a module's */
    const char *stream;     /* what its use looks like in the stream; "": like itself */
};

/* The row of a one-word name, any case; NULL when there is none. */
const struct command_row *command_find(struct str name);

/* The row of a command: with two words where the first is a container. NULL when
 * there is none or argc is 0. */
const struct command_row *command_of(const struct resp_command *command);

/* Something of it can reach a destination. False: it frames the stream, or is left out or refused
 * wherever it stands. */
bool command_row_is_applied(const struct command_row *row);

/* Row by id, COMMAND_NONE < id < COMMAND_COUNT. */
const struct command_row *command_row(enum command_id id);

/* Walks the keys of a command: those at fixed places, those behind a count, those
 * behind a STORE of SORT and GEORADIUS. */
struct command_keys {
    struct resp_command_args args;
    uint32_t at;               /* argv position that `args` gives next */
    uint32_t next, left, step; /* the range being walked: position, keys left */
    uint32_t more_next, more_left;
    bool store; /* a key follows the word STORE or STOREDIST */
};

struct command_keys command_keys(const struct resp_command *command, const struct command_row *row);

/* False behind the last key. */
bool command_keys_next(struct command_keys *keys, struct str *ret_key);

/* The first key. False: the command has none. */
bool command_first_key(const struct resp_command *command, const struct command_row *row,
                       struct str *ret_key);
