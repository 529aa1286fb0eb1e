/* source_link.h - one replication connection to the source.
 *
 * I/O, never blocking: dials, shakes hands (psync.h), finds the snapshot's header
 * and end, and hands bytes on as they come, told apart as snapshot or stream. It
 * knows nothing of the spool.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/repl/psync.h"
#include "proto/repl/snapshot_header.h"
#include "services/net/conn.h"

enum source_link_stage {
    LINK_CLOSED,
    LINK_DIALING,
    LINK_HANDSHAKE,
    LINK_HEADER,   /* +FULLRESYNC came, the snapshot's header has not */
    LINK_SNAPSHOT, /* snapshot bytes */
    LINK_STREAM,   /* command bytes */
    LINK_ENDED,    /* an rdb-only link whose snapshot is whole */
};

struct source_link;

/* What the owner does with what a link brings. Each may fail and so end the link. */
struct source_link_sink {
    /* The source answered PSYNC: link->psync.position is set. `full`: a snapshot follows. */
    bool (*answered)(void *ctx, struct source_link *link, bool full, struct err *err);
    bool (*header)(void *ctx, struct source_link *link, struct err *err);
    bool (*snapshot)(void *ctx, struct str bytes, struct err *err);
    bool (*snapshot_end)(void *ctx, struct err *err);
    bool (*stream)(void *ctx, struct str bytes, struct err *err);
    void *ctx;
};

struct source_link {
    enum source_link_stage stage;
    struct conn *conn;
    struct psync psync;
    struct psync_options options;
    struct snapshot_header header;
    uint64_t snapshot_left;       /* of a snapshot with a length */
    char held[SNAPSHOT_MARK_LEN]; /* the newest bytes: perhaps the end mark */
    size_t held_len;
    bool mark_ended; /* the snapshot ended by mark: the source waits for an ACK */
    struct buf out;
    size_t out_at;
    int64_t heard_at_ms;  /* monotonic: the last byte, blank lines included */
    int64_t opened_at_ms; /* monotonic */
};

void source_link_init(struct source_link *link);

/* Begin. `options` without a login; the login is in `cred` and used at once.
 * Errors: those of conn_start. */
MUST_CHECK bool source_link_open(struct source_link *link, const struct endpoint *ep,
                                 const struct credentials *cred,
                                 const struct psync_options *options, struct err *err);
void source_link_close(struct source_link *link);

/* Do what can be done without waiting; `buffer` is the caller's read buffer. With
 * `read` false only writes happen (the owner has no room).
 * Errors: SOURCE_DOWN, those of psync_feed and snapshot_header_feed, TIMEOUT (the
 * source was silent for longer than its stage allows), and the sink's. */
MUST_CHECK bool source_link_pump(struct source_link *link, const struct source_link_sink *sink,
                                 char *buffer, size_t buffer_size, bool read, struct err *err);

/* REPLCONF ACK: everything before `next` is kept. Only on a link that streams or
 * waits to. Errors: TOO_BIG, MEMORY. */
MUST_CHECK bool source_link_ack(struct source_link *link, uint64_t next, struct err *err);

short source_link_events(const struct source_link *link, bool read);
