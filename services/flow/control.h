/* control.h - the block of memory a supervisor and the children of one task share.
 *
 * Progress one way, wishes the other; numbers only, so nothing in it needs an
 * owner or a lock. It is a memfd: it outlives a killed child and dies with the
 * supervisor. Each number has one writer, named in its section; everything is
 * read and written with relaxed atomics except where a comment says otherwise.
 *
 * Counts go on over the deaths of children and of the supervisor: whoever makes the
 * block seeds them with what was last mirrored, and a child adds to what it finds
 * (a copy that begins again sets the counts of the copy to what it has itself).
 * A child's own state (phase, link) is taken back by the supervisor when it starts
 * a new child for that duty.
 *
 * The pages are mapped by three processes of the same build, so the layout is
 * no format and carries no version.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/base/err.h"
#include "proto/command/command.h"

/* What the children are asked to do. Written by the supervisor. */
enum control_want {
    CONTROL_RUN = 0,
    CONTROL_PAUSE,      /* finish the unit in flight, then exit 0 */
    CONTROL_STOP_DRAIN, /* apply what the source holds now, settle, seal, then exit 0 */
    CONTROL_STOP_NOW,   /* settle and seal without draining, then exit 0 */
    CONTROL_CUTOVER,    /* drain, seal, settle, then exit 0; until the seal it may be called off
                           by CONTROL_RUN (receive_cutover.h tells the steps) */
};

/* How far a cutover is. Written by receive, which has the source in its hands. */
enum control_cutover {
    CUTOVER_IDLE = 0,
    CUTOVER_PREPARING,    /* is the source still written? */
    CUTOVER_LAG,          /* the destination comes near enough */
    CUTOVER_DRAINING,     /* writers stand still; apply goes on up to cutover_goal */
    CUTOVER_MAY_SEAL,     /* all of it is applied: apply may seal until cutover_seal_until_ms */
    CUTOVER_WRITERS_FREE, /* the seal is set, the source takes writes again */
    CUTOVER_GIVEN_UP,     /* by receive; the source takes writes again */
};

/* The seal of a cutover. Taken up and set by apply; whoever calls a cutover off writes
 * CONTROL_RUN first and reads this after it: OPEN then means that no seal is coming. */
enum control_seal { SEAL_OPEN = 0, SEAL_TRYING, SEAL_SET };

/* Where the task is. Written by apply. */
enum control_phase {
    CONTROL_CLAIMING = 0,  /* connecting, claiming, reading the position */
    CONTROL_SNAPSHOT_WAIT, /* nothing of the snapshot has arrived yet */
    CONTROL_FULL,          /* copying */
    CONTROL_INCREMENTAL,   /* tailing */
    CONTROL_SETTLING,      /* taking the padding off held expiries */
    CONTROL_DONE,          /* what was wanted is complete */
};

/* The link to the source. Written by receive. */
enum control_link { CONTROL_LINK_DOWN = 0, CONTROL_LINK_SNAPSHOT, CONTROL_LINK_STREAM };

struct control_block {
    /* Written by the supervisor. Limits: 0 means none. */
    _Atomic uint32_t want; /* enum control_want */
    _Atomic uint64_t full_bytes_per_second_max;
    _Atomic uint64_t full_keys_per_second_max;
    _Atomic uint64_t full_source_commands_per_second_max; /* of a copy that reads with SCAN */
    _Atomic uint64_t tail_bytes_per_second_max;
    _Atomic uint64_t tail_commands_per_second_max;
    _Atomic uint64_t replay_wanted; /* number of the last replay somebody asked for */
    /* Of a cutover, before CONTROL_CUTOVER is wanted. */
    _Atomic uint32_t cutover_pauses; /* 1: writers are stopped with CLIENT PAUSE */
    _Atomic uint64_t cutover_lag_bytes_max;
    _Atomic uint64_t cutover_pause_ms_max;

    /* Written by receive. Offsets count bytes of the source's history as PSYNC
     * does: the first byte of all is 1, and the stream is spooled up to, and not
     * including, stream_end. */
    _Atomic uint32_t link;                 /* enum control_link */
    _Atomic uint64_t snapshot_generation;  /* which full sync of this task; 0 = none yet */
    _Atomic uint64_t snapshot_bytes;       /* spooled of it */
    _Atomic uint64_t snapshot_bytes_total; /* 0 = the source did not say */
    _Atomic uint32_t snapshot_complete;
    _Atomic uint64_t stream_start;   /* the oldest offset held; before stream_end (release) */
    _Atomic uint64_t stream_end;     /* release by receive, acquire by apply */
    _Atomic uint64_t received_bytes; /* since the child started */
    _Atomic uint64_t reconnects;
    _Atomic uint64_t full_syncs;
    _Atomic uint64_t spool_bytes;   /* on disk now */
    _Atomic uint64_t source_offset; /* the source's end, counted as stream_end; once a second */
    _Atomic uint64_t source_asked_at_ms; /* wall clock: when it said so; 0 = it never does */
    _Atomic uint64_t source_keys;        /* of the mapped databases, by INFO, when the copy began */
    _Atomic uint64_t backlog_bytes;      /* of the source's replication backlog; 0 = unknown */
    _Atomic uint64_t drain_offset;       /* as source_offset, after STOP_DRAIN; 0 = not yet */
    _Atomic uint64_t replid_changes;     /* the spool's meta file names a newer replid; raised
                                            (release) before the first byte that follows it */
    _Atomic uint32_t heartbeat_state;    /* 0 off, 1 writing, 2 refused by the source */
    _Atomic uint64_t heartbeat_written_at_ms;     /* wall clock: when the source last took one */
    _Atomic uint64_t source_certificate_until_ms; /* wall clock: until when those that were shown
                                                     to and by the source are valid; 0 = none */
    _Atomic uint64_t source_latency_us; /* its last answer to the heartbeat, beyond its quickest */
    _Atomic uint64_t source_waited_us;  /* in all, for the limit of what SCAN asks */
    _Atomic uint64_t
        source_written_at_ms;      /* wall clock: others were last seen to write; 0 = never */
    _Atomic uint32_t cutover_step; /* enum control_cutover */
    _Atomic uint64_t cutover_goal; /* as drain_offset; 0 = not yet */
    _Atomic uint64_t cutover_seal_until_ms;  /* monotonic; before cutover_step (release) */
    _Atomic uint64_t cutover_paused_at_ms;   /* wall clock: writers stand still since; 0 = not */
    _Atomic uint64_t cutover_write_pause_ms; /* how long they did */
    _Atomic uint64_t cutover_stray_writes; /* on the source behind the last look before the seal */

    /* Written by apply. */
    _Atomic uint32_t phase;          /* enum control_phase */
    _Atomic uint64_t applied_offset; /* acknowledged by the destination; next byte wanted */
    _Atomic uint64_t durable_offset; /* of these, what the destination surely keeps; 0 = unknown */
    /* Everything up to there was looked at, what is whole of it is written, and what is left (of
     * a long value, of a transaction) waits for more. Release, behind what is done. */
    _Atomic uint64_t copy_waits_at, tail_waits_at;
    _Atomic uint64_t keys_done;
    _Atomic uint64_t copy_database;   /* of the source, the newest that is copied, + 1; 0 = none */
    _Atomic uint64_t copy_bytes_done; /* of the snapshot */
    _Atomic uint64_t copy_generation; /* which snapshot that is; after copy_bytes_done (release) */
    _Atomic uint64_t keys_expired;
    _Atomic uint64_t keys_filtered;
    _Atomic uint64_t keys_conflict;          /* kept: the destination had them */
    _Atomic uint64_t field_expiries_dropped; /* of hashes; in the tail commands about them */
    _Atomic uint64_t commands_applied;
    _Atomic uint64_t bytes_applied;
    _Atomic uint64_t commands_skipped;
    _Atomic uint64_t commands_rejected;
    _Atomic uint64_t by_command[COMMAND_COUNT][3]; /* by enum command_id: applied, skipped,
                                                      rejected; COMMAND_NONE: unknown ones */
    _Atomic uint64_t units_applied;
    _Atomic uint64_t latency_us;             /* last heartbeat: written by us to acknowledged */
    _Atomic uint64_t latency_at_ms;          /* wall clock when it was measured; 0 = never */
    _Atomic uint64_t destination_latency_us; /* slowest answer to a unit within a second, beyond
                                                the quickest ever */
    _Atomic uint64_t destination_memory_bytes, destination_memory_max_bytes; /* by INFO; 0 =
                                                                                unknown, no limit */
    _Atomic uint64_t destination_certificate_until_ms; /* as that of the source */
    _Atomic uint64_t destination_evicted_keys;         /* since somebody looked; in all */
    _Atomic uint64_t full_waited_us;                   /* in all, for the limits of the copy */
    _Atomic uint64_t tail_waited_us;                   /* … of the tail */
    _Atomic uint64_t settle_keys_done;
    _Atomic uint64_t destination_epoch; /* ours, as claimed */
    _Atomic uint32_t settled;           /* no held expiry is left on the destination */
    _Atomic uint32_t seal;              /* enum control_seal; sequentially consistent, as `want` */

    /* Doorbells: the sleeper sets its flag, looks once more, then polls its
     * eventfd; whoever moved a number rings only when the flag is set. */
    _Atomic uint32_t apply_sleeps;
    _Atomic uint32_t receive_sleeps;
};

/* Make one, zeroed. *ret_fd is the memfd to hand to the children (close-on-exec).
 * Errors: IO. */
MUST_CHECK bool control_new(struct control_block **ret_block, int *ret_fd, struct err *err);

/* Map the one behind `fd`. Errors: IO. */
MUST_CHECK bool control_map(int fd, struct control_block **ret_block, struct err *err);

/* NULL is fine. */
void control_unmap(struct control_block *block);

/* A doorbell: an eventfd (non-blocking, close-on-exec). Errors: IO. */
MUST_CHECK bool control_bell_new(int *ret_bell, struct err *err);

/* Wake whoever sleeps on `bell`; costs one load when nobody does. Call it after
 * the number was moved. */
void control_bell_ring(int bell, _Atomic uint32_t *sleeps);

/* Say "I am about to sleep". Look at the numbers once more after this call and
 * before polling `bell`: a ring between the two is not lost. */
void control_bell_arm(_Atomic uint32_t *sleeps);

/* Awake again, for whatever reason: takes the flag back and empties the bell. */
void control_bell_clear(int bell, _Atomic uint32_t *sleeps);

/* Poll `bell` alone, at most timeout_ms, then clear it. For a sleeper that waits
 * for nothing else; it must have armed and looked before. */
void control_bell_wait(int bell, _Atomic uint32_t *sleeps, int timeout_ms);
