/* resp_command.h - finds one command in the bytes of a replication stream.
 *
 * Pure. A source sends its stream as arrays of bulk strings and nothing else:
 *
 *     *3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n
 *
 * The caller keeps a command's bytes contiguous (the spool is memory-mapped), so
 * arguments are slices of what it gave and nothing is copied or allocated. All
 * bytes of a command count for the replication offset: raw.len is the number to
 * add.
 *
 * Source: redis 7.0 src/replication.c, replicationFeedSlaves(); a lone newline is
 * tolerated because src/networking.c, processInlineBuffer() tolerates it and
 * counts it as one byte.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "proto/base/str.h"

/* What a scanner of this folder says about the bytes it was given. */
enum resp_status {
    RESP_NEED_MORE, /* a whole one has not arrived; nothing was taken */
    RESP_GOT,       /* the result is filled */
    RESP_WRONG,     /* no known peer sends this; err names the byte */
};

enum { RESP_ARGV_MAX = 64 };
enum { RESP_ARGC_LIMIT = 1024 * 1024 };
#define RESP_BULK_LIMIT ((uint64_t)512 * 1024 * 1024) /* bytes; proto-max-bulk-len */

struct resp_command {
    struct str raw;                 /* the whole command as it came */
    uint32_t argc;                  /* 0: a lone newline, raw.len is 1 */
    uint32_t argv_count;            /* arguments in argv: min(argc, RESP_ARGV_MAX) */
    struct str argv[RESP_ARGV_MAX]; /* slices of raw */
};

/* Where the scan of the command at the front of the bytes has got. The caller
 * sets the limits and stream_offset and leaves the rest alone. */
struct resp_scan {
    uint32_t argc_max;
    uint64_t bulk_max;      /* bytes of one argument */
    uint64_t stream_offset; /* of the command's first byte, for messages; moves on by itself */

    uint32_t argc; /* as the header said; 0 = the header has not been read */
    uint32_t done; /* arguments walked over */
    size_t at;     /* bytes walked over, from the command's first byte */
    size_t need;   /* with fewer bytes than this there is nothing to gain by calling again */
};

#define RESP_SCAN_INIT                                                                             \
    ((struct resp_scan){.argc_max = RESP_ARGC_LIMIT, .bulk_max = RESP_BULK_LIMIT})

/* Scan the command that begins at in.ptr.
 *
 * After RESP_NEED_MORE call again with the same command's bytes and more behind
 * them; they may lie elsewhere in memory by then. Walking goes on where it
 * stopped, so a command costs one walk however many pieces it comes in; need
 * tells how long `in` must be at least. After RESP_GOT the scan is ready for the
 * command behind raw. After RESP_WRONG the stream is lost.
 *
 * Errors: PROTOCOL (the byte, by stream offset), TOO_BIG (a limit). */
MUST_CHECK enum resp_status resp_command_scan(struct resp_scan *scan, struct str in,
                                              struct resp_command *ret_command, struct err *err);

/* Forget a command that was begun: the link was lost in the middle of it. */
void resp_scan_clear(struct resp_scan *scan, uint64_t stream_offset);

/* Walks all arguments of a scanned command, also those that argv has no room for. */
struct resp_command_args {
    const char *at;
    uint32_t left;
};

struct resp_command_args resp_command_args(const struct resp_command *command);

/* False behind the last argument. */
bool resp_command_args_next(struct resp_command_args *args, struct str *ret_arg);
