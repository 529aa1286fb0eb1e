/* snapshot_header.h - the line between +FULLRESYNC and the bytes of the snapshot.
 *
 *   \n…                    keep-alives, while the source writes its file
 *   $<length>\r\n          that many bytes follow, then the stream, with nothing between
 *   $EOF:<40 bytes>\r\n    bytes follow until the same 40 bytes end them; then the
 *                          source waits for REPLCONF ACK before it streams (repeat it
 *                          every second until something comes: one can be lost)
 *   -…\r\n                 it could not make a snapshot
 *
 * Pure. Two consecutive snapshots can carry the same mark: it identifies nothing.
 * Its bytes may also occur inside the snapshot; whoever parses the snapshot knows
 * its end and expects the mark there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "proto/base/str.h"

enum { SNAPSHOT_MARK_LEN = 40 };

struct snapshot_header {
    bool has_length;
    uint64_t length;              /* bytes, when has_length */
    char mark[SNAPSHOT_MARK_LEN]; /* otherwise; any bytes, no NUL */
    uint64_t blank_lines;         /* keep-alives seen */

    size_t line_len;
    char line[256];
};

#define SNAPSHOT_HEADER_INIT ((struct snapshot_header){.has_length = false})

/* Give it the next bytes; *ret_used of them belong to the header. *ret_done says
 * that it is whole; what follows is the snapshot.
 * Errors: SOURCE_BUSY (the source says it failed, quoted), PROTOCOL. */
MUST_CHECK bool snapshot_header_feed(struct snapshot_header *h, struct str in, size_t *ret_used,
                                     bool *ret_done, struct err *err);
