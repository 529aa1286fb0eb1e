/* resp_reply.h - reads a server's replies (RESP2) one token at a time.
 *
 * Pure. For connections that pipeline thousands of commands and want to look at
 * every element of every reply without building anything: an array is given as
 * its header, its elements follow as items of their own. RESP3 is never asked
 * for (no HELLO) and is RESP_WRONG. For clients that want a reply as a tree see
 * resp_reader.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "proto/base/str.h"
#include "proto/resp/resp_command.h" /* enum resp_status */

enum resp_type {
    RESP_SIMPLE,  /* +OK */
    RESP_ERROR,   /* -ERR ... */
    RESP_INTEGER, /* :1 */
    RESP_BULK,    /* $3 */
    RESP_NIL,     /* $-1 and *-1 */
    RESP_ARRAY,   /* *3: the header alone */
};

struct resp_item {
    enum resp_type type;
    int64_t integer; /* INTEGER: its value; ARRAY: how many items follow */
    struct str str;  /* SIMPLE, ERROR: the line; BULK: the bytes; a slice of the input */
};

enum {
    RESP_REPLY_LINE_MAX = 64 * 1024, /* bytes of a line */
    RESP_REPLY_DEPTH_MAX = 8,        /* arrays in arrays */
};
#define RESP_REPLY_ARRAY_MAX ((int64_t)1 << 24)

/* Read one item from the front of `in`; RESP_GOT sets *ret_used to its bytes.
 * Errors (RESP_WRONG): PROTOCOL, TOO_BIG. */
MUST_CHECK enum resp_status resp_reply_next(struct str in, size_t *ret_used, struct resp_item *ret,
                                            struct err *err);

/* Passing over one whole reply, however deep, in pieces. Start from RESP_SKIP_INIT. */
struct resp_skip {
    int depth;
    uint32_t left[RESP_REPLY_DEPTH_MAX]; /* items still to come per open array */
    uint32_t errors;                     /* error items seen in it so far */
    uint64_t string_left; /* of a long string, with its end: passed over as it comes */
};

#define RESP_SKIP_INIT ((struct resp_skip){.depth = 0})

/* Take what belongs to the reply from `in`. *ret_used is set also by
 * RESP_NEED_MORE: those bytes are done with, the next call starts behind them.
 * After RESP_GOT errors counts the error items, and the skip may be used again
 * after another RESP_SKIP_INIT. Errors (RESP_WRONG): PROTOCOL, TOO_BIG. */
MUST_CHECK enum resp_status resp_reply_skip(struct resp_skip *skip, struct str in, size_t *ret_used,
                                            struct err *err);
