/* source_side.h - the ordinary client beside the replication links.
 *
 * I/O, blocking for at most a second a call, also when it has to dial again. Once a heartbeat
 * interval it writes the heartbeat key (its way through the stream is the lag) and asks where the
 * source is (the bytes still to come), and one that tells relative times what its clock says. A
 * stream that brings the heartbeat and nothing else tells as much: then the source is asked every
 * few seconds. One that refuses the heartbeat is followed without it and asked again: after ten
 * seconds where the reason may pass, after five minutes where somebody has to give a right. A side
 * that fails is opened again later: nothing of the data depends on it, except the goal of a drain.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/err.h"
#include "services/flow/control.h"
#include "services/flow/task_spec.h"
#include "services/redis/redis_client.h"

/* A source's own count of writes. Expiring keys and what it sends to keep a link open do not
 * count; it begins anew with every snapshot the source writes to disk. */
struct source_writes {
    int64_t count; /* -1 = the source does not tell */
    int64_t last_save_sec;
};

struct source_side {
    const struct task_spec *spec;
    struct control_block *control;
    int socket_fd; /* the supervisor's, for credentials */
    struct redis_client client;
    int64_t next_at_ms;        /* monotonic: when to do something again */
    bool tells_relative_times; /* its stream holds expiries that count from its own now */
    int64_t clock_ms;          /* its clock at clock_at_ms, where that matters; 0 = not known */
    int64_t clock_at_ms;       /* monotonic: when that was asked; 0 = never */
    bool no_offsets;           /* set by the owner: the source does not count, so it is not asked */
    char beat[32];             /* the newest heartbeat's value */
    uint64_t beats;            /* written so far */
    bool heartbeat_refused;
    int64_t beat_again_ms; /* monotonic: where it was refused, when to ask again */
    int64_t shown_at_ms;   /* monotonic: connected with certificates; 0 = without */
    bool auth_joined;      /* how the source took the login; the links do the same */
    uint64_t quickest_us;  /* of its answers to the heartbeat; 0 = none yet */
    int64_t asked_at_ms;   /* credentials were asked for; 0 = no question is open */
    bool is_quiet;         /* no heartbeat: somebody watches whether the source is written */

    struct source_writes writes; /* as of the last sample */
    int64_t own_writes;          /* heartbeats since then */
    bool is_written;             /* by others, between the last two; or that is not known */
    int64_t sampled_at_ms;       /* monotonic */
    uint64_t stream_end;         /* as of the last tick */
    uint64_t quiet_bytes; /* the stream grows by so much while nobody else writes; 0 = unknown */
};

/* What its clock says now, by ours: a wall clock of ours that is set between two questions
 * moves no expiry. Pure. One that does not tell is taken to have our wall clock. */
int64_t source_side_clock_ms(const struct source_side *side, int64_t mono_ms, int64_t wall_ms);

void source_side_init(struct source_side *side, const struct task_spec *spec,
                      struct control_block *control, int socket_fd);

/* Connect and read INFO. Errors: those of redis_client_open and redis_client_info. */
MUST_CHECK bool source_side_open(struct source_side *side, struct redis_info *ret_info,
                                 struct err *err);

/* When due: beat, ask, publish. Failures close the side and are forgotten here.
 * Returns the time until the next call is due, in ms; 0 when it is by now. */
int source_side_tick(struct source_side *side);

/* The supervisor's answer to the question for credentials: dial again. Failures are
 * forgotten; the next tick asks again. */
void source_side_credentials(struct source_side *side, const json_t *answer);

/* How often was it written between the two, as far as can be told: *ret_is_known is false
 * when the count began anew or is not told. */
uint64_t source_writes_between(const struct source_writes *then, const struct source_writes *now,
                               bool *ret_is_known);

/* Let clients' writes wait for so long from now (CLIENT PAUSE … WRITE), or no longer.
 * Errors: SOURCE_DOWN, SOURCE_NOPERM and others by reply: the source cannot or may not. */
MUST_CHECK bool source_side_pause(struct source_side *side, int64_t pause_ms, struct err *err);
MUST_CHECK bool source_side_unpause(struct source_side *side, struct err *err);

/* Where the source is now, counted as stream_end, in *ret_end. `replid` is the history
 * it must be in (NULL = any).
 * Errors: SOURCE_DOWN (also: it is in another history), SOURCE_NOPERM. */
MUST_CHECK bool source_side_sample(struct source_side *side, const char *replid, uint64_t *ret_end,
                                   struct err *err);

/* Take the heartbeat key away (best effort) and close. */
void source_side_close(struct source_side *side, bool remove_heartbeat);
