/* receiver.h - what the parts of a receive process share. Private to receive*.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "services/flow/control.h"
#include "services/flow/position.h"
#include "services/flow/reading_mark.h"
#include "services/flow/receive_cutover.h"
#include "services/flow/source_link.h"
#include "services/flow/source_side.h"
#include "services/flow/spool_meta.h"
#include "services/flow/spool_writer.h"
#include "services/flow/task_spec.h"

/* How a snapshot is had. */
enum receive_reading {
    RECEIVE_PSYNC, /* the source sends it; also: nothing is to be had */
    RECEIVE_SYNC,  /* it sends it, and cannot go on after a lost connection */
    RECEIVE_SCAN,  /* composed of what SCAN and DUMP answer */
    RECEIVE_FILE,  /* there already */
};

/* What a copy alone can promise; the word it has in the API. */
enum receive_consistency {
    RECEIVE_UNJUDGED,
    RECEIVE_EXACT,
    RECEIVE_NOT_GUARANTEED, /* the source was written meanwhile, or does not tell */
};

/* A source that is read by SYNC counts nothing: where it is, is known when a heartbeat that
 * was written comes by in the stream. */
struct stream_marker {
    char text[32]; /* the heartbeat that is waited for */
    size_t len;    /* 0 = none is */
    char tail[32]; /* the end of what came, perhaps its beginning */
    size_t tail_len;
    uint64_t beats;  /* that were taken for markers, or passed over */
    bool ends_drain; /* it was written after the drain was asked for */
};

struct receiver {
    int socket_fd, spool_fd;
    int apply_bell, receive_bell;
    struct task_spec spec;
    struct control_block *control;
    struct position position; /* what apply found when it claimed */
    struct redis_info source;

    enum receive_reading reading;         /* of the snapshot that is still to be had */
    enum receive_consistency consistency; /* as told */
    int64_t judge_at_ms;

    struct spool_meta meta;
    struct reading_mark mark; /* of a snapshot of a copy alone, or of one we compose */
    struct spool_writer snapshot, stream;

    /* One link for both, or two: the snapshot's and the stream's. */
    struct source_link main_link, snapshot_link;
    bool resuming; /* PSYNC was asked to go on: a snapshot instead is news */
    uint64_t new_generation;
    bool full_sync_allowed; /* the supervisor granted the one under way */
    bool stream_heard;      /* the source streams: no ACK is needed to wake it */
    int64_t ack_at_ms;      /* when the next ACK is due */
    int64_t trim_at_ms;
    int64_t tail_since_ms; /* when the tail was first seen to run; 0 = not yet */
    uint64_t gathered_end; /* of the stream, when receive_gather() last looked */
    int64_t gathered_at_us;
    bool gathered_some;            /* bytes came then */
    bool nothing_came, no_message; /* as the last receive_wait() found */
    struct source_side side;
    struct receive_cutover cutover;
    struct stream_marker marker;
    bool drain_asked; /* of a source that is read by SYNC */
    char *buffer;
};

enum { RECEIVER_BUFFER_BYTES = 256 * 1024 };

/* Decide how to go on (receive_plan.c): continue from the spool, from the
 * position, or with a full sync, and open the first link.
 * Errors: FULL_RESYNC_NEEDED, FULL_SYNC_BUDGET, of the links and the spool. */
MUST_CHECK bool receive_plan(struct receiver *r, struct err *err);

/* The spool can serve a task that is at `position` (a snapshot only when whole). */
bool receive_holds(const struct receiver *r, const struct position *position);

/* It holds what `position` needs, or is just getting it. */
bool receive_serves(const struct receiver *r, const struct position *position);

/* What the links report: the sink of both. */
struct source_link_sink receive_sink(struct receiver *r);

/* The supervisor allows one full sync, or says no. Errors: FULL_SYNC_BUDGET. */
MUST_CHECK bool receive_ask_full_sync(struct receiver *r, const char *reason, struct err *err);

/* Ask for the login and open `link`. */
MUST_CHECK bool receive_open_link(struct receiver *r, struct source_link *link,
                                  const struct psync_options *options, struct err *err);

/* Show what the logs hold. */
void receive_publish(struct receiver *r);

/* The number of the next snapshot: never one that the destination has met, it tells
 * snapshots apart by it. */
void receive_number(struct receiver *r);

/* A snapshot begins as r->new_generation, of the history `at`: what the logs held
 * belongs to another. Errors: IO. */
MUST_CHECK bool receive_begin(struct receiver *r, const struct repl_position *at, struct err *err);

/* It is all in the log. Errors: IO; of telling the supervisor. */
MUST_CHECK bool receive_end(struct receiver *r, struct err *err);

/* ---- receive.c: what any loop of this process must do ------------------------------------- */

/* Asked to end, or nothing is left to be received. */
bool receive_over(const struct receiver *r);

/* While the stream waits for room: apply may still make some. Errors: SPOOL_TOO_SMALL (it waits
 * for the rest of what is in the spool). */
MUST_CHECK bool receive_may_wait(const struct receiver *r, struct err *err);

/* Whether a snapshot may be read on: the stream has the spool's last quarter. */
bool receive_has_room(const struct receiver *r);

/* What the supervisor relayed is of apply's last claim, and the copy may have gone on since:
 * room was made up to where it is now. Apply takes its word back when it claims again. */
void receive_catch_up(struct receiver *r);

/* Drop what is applied, heed messages: at least every 200 ms. Errors: CLOSED and others
 * that end the process. */
MUST_CHECK bool receive_turn(struct receiver *r, struct err *err);

/* Sleep for at most so long, or 200 ms, or until there is a message. */
void receive_sleep(const struct receiver *r, int64_t at_most_ms);

/* ---- receive_wait.c ----------------------------------------------------------------------- */

/* Until bytes, a message or the bell, and at most so long; less where something has no bell.
 * `want` is what the loop has heeded: a newer one is not slept over. */
void receive_wait(struct receiver *r, uint32_t want, bool read_snapshot, int timeout_ms);

/* A stream that comes in drips: let more of it gather before the next look. */
void receive_gather(struct receiver *r);

/* ---- receive_facts.c: what the supervisor is told of the source ------------------------- */

MUST_CHECK bool receive_say_source(struct receiver *r, struct err *err);

/* A copy alone: was the source written since it began? Asked once a second at most; the
 * supervisor hears what is new. Errors: of telling it. */
MUST_CHECK bool receive_judge(struct receiver *r, struct err *err);

/* ---- receive_sync.c: sources without PSYNC ------------------------------------------------ */

/* Is it the name of a history that was read by SYNC, which nothing can take up again? */
bool receive_is_sync_history(const char *replid);

/* What a new one is called, and where it begins. */
struct repl_position receive_sync_history(const struct receiver *r);

/* What the logs' history is called when the server that tells `of` is still in it; "" = it
 * does not tell. */
void receive_history_name(const struct receiver *r, const struct redis_info *of, char dst[41]);

/* A heartbeat may just have been written. Before anything else of the stream is read. */
void receive_marker_sent(struct receiver *r);

/* These bytes of the stream were just spooled. */
void receive_marker_look(struct receiver *r, struct str bytes);

/* The next heartbeat says where the drain ends. Errors: SOURCE_NOPERM (there is none). */
MUST_CHECK bool receive_marker_drain(struct receiver *r, struct err *err);

/* ---- receive_reading.c: snapshots that are composed here -------------------------------- */

/* Which way the snapshot is to be had: sets r->reading. Errors: of asking the source. */
MUST_CHECK bool receive_choose(struct receiver *r, struct err *err);

/* Go on where the mark says, if it and the logs are of this very `identity` (40
 * characters; NULL = unknown, which is never the same), or begin a new generation; r->mark
 * says from where. Errors: IO. */
MUST_CHECK bool receive_go_on(struct receiver *r, const char *identity, bool *ret_resumed,
                              struct err *err);

/* Append without showing it; show it with a mark that covers it. Errors: IO, SPOOL_FULL. */
MUST_CHECK bool receive_append(struct receiver *r, struct str bytes, struct err *err);
MUST_CHECK bool receive_show(struct receiver *r, struct err *err);

/* Read the whole source (receive_scan.c, receive_file.c), until it is in the log or
 * receive_over(). */
MUST_CHECK bool receive_scan(struct receiver *r, struct err *err);
MUST_CHECK bool receive_file(struct receiver *r, struct err *err);
