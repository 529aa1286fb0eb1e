/* resp_reader.h - reads replies as trees, for clients that ask and wait.
 *
 * Pure but for malloc. The grammar is hiredis's reader; the objects are ours and
 * live in an arena, so a reply is given back by giving back the arena. Nothing is
 * allocated because a peer announced it: arrays grow as their items arrive, and
 * array_max, depth and bytes_max bound the whole. Only resp_reader.c includes
 * hiredis.
 */
#pragma once

#include <stdint.h>

#include "proto/base/arena.h"
#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "proto/base/str.h"
#include "proto/resp/resp_reply.h" /* enum resp_type */

struct resp_value {
    enum resp_type type;
    int64_t integer;          /* INTEGER */
    struct str str;           /* SIMPLE, ERROR, BULK; a NUL follows that is not counted */
    struct resp_value *items; /* ARRAY */
    size_t count;             /* ARRAY */
};

struct resp_reader_limits {
    size_t array_max; /* items of one array */
    size_t bytes_max; /* of one reply: in the arena, and waiting to be parsed */
};

#define RESP_READER_LIMITS                                                                         \
    ((struct resp_reader_limits){.array_max = 1u << 20, .bytes_max = 64u << 20})

struct resp_reader;

/* NULL when there is no memory. */
struct resp_reader *resp_reader_new(struct resp_reader_limits limits);
/* NULL is fine. */
void resp_reader_free(struct resp_reader *reader);

/* Hand it bytes of the connection; all are taken (pieces of 4 to 16 KiB are
 * fastest). Errors: TOO_BIG (more than bytes_max unparsed), MEMORY. */
MUST_CHECK bool resp_reader_feed(struct resp_reader *reader, struct str in, struct err *err);

/* The next whole reply. A reply may begin under one call and end under a later
 * one: give the same arena until RESP_GOT. *ret_value lives in it.
 * Errors (RESP_WRONG; the connection is of no use any more): PROTOCOL, TOO_BIG. */
MUST_CHECK enum resp_status resp_reader_next(struct resp_reader *reader, struct arena *arena,
                                             const struct resp_value **ret_value, struct err *err);

/* The value is this word as SIMPLE or BULK, e.g. "OK". NULL is nothing. */
bool resp_value_is(const struct resp_value *value, const char *word);
