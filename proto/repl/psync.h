/* psync.h - the replica's half of the replication handshake.
 *
 * Pure: it is given the bytes the source sent and says which bytes to send
 * back. It owns no socket and no clock; the caller keeps the deadline, and lets
 * blank lines prolong it (psync.blank_lines moves).
 *
 * Two round trips: PING, AUTH and every REPLCONF go out together; when all their
 * replies are in, PSYNC alone (a server refuses it with replies pending).
 *
 *   us                                       source
 *   PING AUTH REPLCONF…                  ->
 *                                        <-  +PONG +OK +OK …
 *   PSYNC replid next | PSYNC ? -1       ->
 *                                        <-  \n \n … (one a second while it forks)
 *                                        <-  +CONTINUE [replid] | +FULLRESYNC replid offset
 *   then the stream, or the header of snapshot_header.h
 *
 * A server without PSYNC (before 2.8, or where it is hidden) is asked with SYNC instead: PING,
 * AUTH, then SYNC alone, and the snapshot's header is the answer. It names no history and
 * no offset, nothing can be continued, and it must hear no REPLCONF afterwards: an old one
 * would write its answer into the stream.
 *
 * Never advertised: any capability beyond eof and psync2; a server may then use
 * what we cannot read. listening-port is 0, so that Sentinel takes us for no
 * candidate.
 *
 * Source: redis 2.8 to 8.6 src/replication.c, syncWithMaster() and
 * replicaTryPartialResynchronization(); valkey 9.1, the same under its names.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/str.h"
#include "proto/repl/repl_position.h"

struct psync_options {
    struct repl_position position; /* to continue from; not known: PSYNC ? -1. With sync:
                                      what the owner calls the history that begins */
    bool sync;                     /* SYNC instead of PSYNC; the other options do not count */
    bool valkey_version;           /* say REPLCONF version 9.1.0: for Valkey >= 8 */
    bool rdb_only;                 /* the snapshot and no stream (servers from 6.2) */
    bool may_read_eof;             /* capa eof: the snapshot may come as $EOF: */

    /* Login. Read during psync_start only, never kept. */
    bool auth;
    bool auth_joined;    /* AUTH user:password in one word, for servers that know no users */
    struct str username; /* empty: AUTH password */
    struct str password;
};

enum psync_wants {
    PSYNC_WANTS_REPLY,    /* send what is in `out`, then feed what comes */
    PSYNC_WANTS_SNAPSHOT, /* +FULLRESYNC: position is set; the snapshot's header follows */
    PSYNC_WANTS_STREAM,   /* +CONTINUE: position is set; the stream follows */
};

enum { PSYNC_LINE_MAX = 1024 };

struct psync {
    struct repl_position position; /* valid at WANTS_SNAPSHOT and WANTS_STREAM */
    bool rdb_only;                 /* the source accepted rdb-only (else it will stream) */
    bool version_taken;            /* the source accepted REPLCONF version */
    uint64_t blank_lines;          /* keep-alives seen */

    /* The rest is psync.c's. */
    struct repl_position asked;
    unsigned char steps[10];
    unsigned step_count, step_at;
    size_t line_len;
    char line[PSYNC_LINE_MAX];
};

/* Begin, and append the first flight to `out`. With auth it holds the password:
 * the caller wipes the buffer when it has been sent.
 * Errors: TOO_BIG, MEMORY. */
MUST_CHECK bool psync_start(struct psync *ps, const struct psync_options *options, struct buf *out,
                            struct err *err);

/* Give the handshake the next bytes from the source.
 *
 * Takes what it can use of `in` and sets *ret_used to how many bytes (at most
 * in.len). Bytes it did not take belong to what follows: the snapshot's header or
 * the stream. Blank lines are taken and mean nothing. What is to be sent is
 * appended to `out`.
 *
 * Errors (the handshake is over):
 *   SOURCE_AUTH    user or password refused, or missing; protected mode
 *   SOURCE_NOPERM  the account may not run PSYNC, or the server hides the command
 *   SOURCE_BUSY    loading, without its primary, in a script, no child for a
 *                  snapshot: worth a retry later
 *   PROTOCOL       bytes that no known version sends; quoted
 *   TOO_BIG        a line of more than PSYNC_LINE_MAX; or `out` is full */
MUST_CHECK bool psync_feed(struct psync *ps, struct str in, size_t *ret_used, struct buf *out,
                           enum psync_wants *ret_wants, struct err *err);

/* Append `REPLCONF ACK offset` (next - 1 of what is kept). It is never answered. */
MUST_CHECK bool psync_put_ack(struct buf *out, uint64_t offset, struct err *err);
