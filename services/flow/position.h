/* position.h - what the destination knows of a task: how far, whose, sealed or not.
 *
 * One hash `{kf}:<job>:<task>` in the lowest mapped database. It changes in the
 * same transaction as the data, so it is the authority for position and owner;
 * the control database only mirrors it. Fields, all decimal but rid, state and mark:
 *
 *   v      format, 1                    state  copy | tail | sealed | done | stopped
 *   lease  of the control database      epoch  raised by every claim
 *   gen    snapshot being copied, 0 = none yet
 *   snap   where in rid it was taken    fresh  what a new snapshot may do to the keys
 *                                              that are there: enum position_fresh
 *   rid    history (replid)             off    next byte wanted of it; of the
 *                                              snapshot while the state is copy
 *   mark   where in the snapshot (copy_mark.h)
 *   tried  a unit of it up to there was taken back: its keys may be there
 *   db     source database selected     seq    units applied, for ever
 *   err    commands that failed and keys that were evicted, by the destination's own count
 *   gone   of these, the keys: a copy that takes a unit back does not bring them back
 *   base, evicted   of the error seal: its counts when it last looked
 *   run    server process (run_id) whose count `evicted` is
 *   met    when a claim first met that one, ms, by its own clock
 *
 * sealed, done and stopped are seals: no claim of a migration passes them, whatever the
 * control database believes. sealed (a cutover) still lets expiries be settled.
 *
 * Every connect claims: epoch + 1 by compare-and-set. A transaction of an older
 * claim then fails its WATCH or its gate, wherever its bytes still are.
 *
 * Source: reference measurements "Exactly once over MULTI/EXEC" (Redis 6.0 - 8.6,
 * Valkey 8.1, 9.1); MULTI, WATCH and EXEC of both products.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/base/err.h"
#include "services/flow/task_spec.h"
#include "services/redis/redis_client.h"

enum { POSITION_MARK_MAX = 192 };

/* Whose the keys of the mapped databases are. What is wanted once (a person's answer, the
 * mode flush_destination) stands here from the claim on and is taken back by the transaction
 * that does it: neither a crash nor another worker does it again. */
enum position_fresh {
    POSITION_SHARED = 0,         /* there were keys of others */
    POSITION_FRESH = 1,          /* empty when this began: all is ours */
    POSITION_OVERWRITE_ONCE = 2, /* the next snapshot may be written over what is there */
    POSITION_FLUSH_ONCE = 3,     /* what is there goes before the next snapshot is written */
    POSITION_SWEEP_ONCE = 4,     /* as OVERWRITE_ONCE, of what was FRESH */
    POSITION_SWEEPING = 5,       /* being written over an earlier snapshot of ours: keys that
                                    this one does not have go at its end */
    POSITION_OVERWRITING = 6,    /* being written over anything: what goes, nobody can tell */
};

enum position_state {
    POSITION_COPY,
    POSITION_TAIL,
    POSITION_DONE,
    POSITION_STOPPED,
    POSITION_SEALED
};

struct position {
    enum position_state state;
    uint64_t lease, epoch, generation, seq, err;
    enum position_fresh fresh;
    uint64_t snapshot_offset; /* of the snapshot being copied, in `replid` */
    uint64_t tried_until;     /* of that snapshot */
    uint64_t foreign_keys;    /* at least so many keys there are not the copy's; not stored */
    char replid[41];
    uint64_t next; /* first byte that is not applied: of the history, or of the snapshot */
    int source_db;
    char mark[POSITION_MARK_MAX]; /* "" = at the snapshot's beginning */
    bool counts_evicted;          /* a seal has: `evicted` is */
    uint64_t evicted, met_ms;
    char run[41]; /* "" = not known */
};

/* The server process that is claimed, as its INFO has it. */
struct position_server {
    const char *run_id; /* "" = it does not tell: nothing of it is written */
    uint64_t evicted;
    uint64_t clock_ms, began_ms; /* both by its own clock; 0 = it does not tell */
};

enum { POSITION_KEY_MAX = 64 };

/* "{kf}:<job>:<task>". All keys of ours on a destination begin with POSITION_PREFIX. */
#define POSITION_PREFIX "{kf}:"
void position_key(const struct task_spec *spec, char ret_key[POSITION_KEY_MAX]);

const char *position_state_name(enum position_state state);

/* Take a person's answer: what is there is copied over, or goes first. Pure. False: none was
 * given, or the position is a seal, which no answer opens. */
bool position_answer(struct position *position, enum task_recopy recopy);

/* Whose count of evicted keys is compared with from now on. Pure. One that was started since
 * the position met the former one began at 0; any other had a life of its own before it became
 * ours (a replica that was promoted), and what it evicted then was not ours. */
void position_meet(struct position *position, const struct position_server *server);

/* Claim the task on the destination and read where it is. The client must be open
 * and is left in the position's database. A task without a position gets one
 * (state copy, generation 0) when the specification says that none existed before;
 * `spec->recopy` turns a lost or outdated one into a new copy.
 *
 * Errors:
 *   POSITION_MISSING  it existed and is gone
 *   SEALED            the task was stopped or cut over; not when that is to be finished
 *   LEASE_BEHIND      the destination has seen a newer lease
 *   DIVERGED          a command of ours failed there earlier
 *   DEST_NOT_EMPTY    a first claim of a destination that must be empty
 *   DEST_IN_USE       it is to be flushed, and another task's position is there
 *   FENCED            another claim was at work at this very moment
 *   and those of redis_client_command, DEST_... by reply
 * With SEALED and LEASE_BEHIND *ret_position is what stands there.
 */
MUST_CHECK bool position_claim(struct redis_client *client, const struct task_spec *spec,
                               const struct position_server *server, struct position *ret_position,
                               struct err *err);

/* The last write of a task: state stopped or done and the epoch raised, so that no
 * later unit of any worker passes its gate. Nothing may be in flight.
 * Errors: FENCED; those of redis_client_command. */
MUST_CHECK bool position_close(struct redis_client *client, const struct task_spec *spec,
                               struct position *position, enum position_state state,
                               struct err *err);

/* Remove the position of a task that was stopped or cut over: nothing guards the
 * destination against it any more. One that is gone already is no error. The client is
 * left in the position's database.
 * Errors: INVALID_STATE (it is no seal), FENCED; those of redis_client_command. */
MUST_CHECK bool position_forget(struct redis_client *client, const struct task_spec *spec,
                                struct err *err);

/* May another snapshot be written where one was begun? Keys that the source lost since could
 * not be told from keys of others in a destination that had some. */
#define POSITION_NO_RECOPY                                                                         \
    "the copy was interrupted and the destination was not empty before it: keys deleted on the "   \
    "source since then cannot be told from keys that were there"
static inline bool position_may_recopy(const struct position *position) {
    return position->generation == 0 ||
           (position->fresh != POSITION_SHARED && position->fresh != POSITION_OVERWRITING);
}

/* What is wanted once has not happened: of no snapshot anything is written since it was asked for,
 * whatever number the position has. */
static inline bool position_is_to_begin(const struct position *position) {
    return position->fresh == POSITION_OVERWRITE_ONCE || position->fresh == POSITION_FLUSH_ONCE ||
           position->fresh == POSITION_SWEEP_ONCE;
}

/* The members of a "position" message; a new reference. */
json_t *position_to_json(const struct position *position, const char *type);

/* What receive needs of it. Errors: PROTOCOL. */
MUST_CHECK bool position_from_json(const json_t *message, struct position *ret_position,
                                   struct err *err);
