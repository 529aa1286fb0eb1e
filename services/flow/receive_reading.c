#include <string.h>

#include "services/common/clock.h"
#include "services/flow/child.h"
#include "services/flow/receiver.h"
#include "services/redis/psync_probe.h"

enum { PROBE_MS = 10000 };

#define UNKNOWN "0000000000000000000000000000000000000000"

/* ---- which way -------------------------------------------------------------------------- */

static bool dial(struct receiver *r, struct redis_client *ret, struct err *err) {
    struct credentials cred = CREDENTIALS_INIT;
    struct endpoint ep = r->spec.source; /* borrowed, but for the database */
    bool ok;

    ep.database = -1;
    ok = child_ask_credentials(r->socket_fd, "source", &cred, err) &&
         redis_client_open(ret, &ep, &cred, REDIS_SOURCE, PROBE_MS, err);
    credentials_done(&cred);
    return ok || err_wrap(err, "connecting to the source %s", r->spec.source.label);
}

/* What the account lets us do, asked without starting anything: the attempt itself would
 * cost one of the full syncs of this hour. */
static bool probe(struct receiver *r, enum receive_reading *ret, struct err *err) {
    struct redis_client one = REDIS_CLIENT_INIT, other = REDIS_CLIENT_INIT;
    struct arena arena = ARENA_INIT;
    const struct resp_value *psync, *beside;
    const char *word;
    bool knows_sync = false;
    bool ok = dial(r, &one, err) && psync_probe(&one, &arena, &psync, err) &&
              dial(r, &other, err) && psync_probe_beside(&other, &arena, &beside, &word, err);

    if (ok && psync_probe_is_unknown(psync))
        ok = psync_probe_sync(&other, &arena, &knows_sync, err);
    if (ok)
        *ret = knows_sync                                  ? RECEIVE_SYNC
               : r->spec.incremental                       ? RECEIVE_PSYNC
               : !beside && !psync_probe_is_refusal(psync) ? RECEIVE_PSYNC
                                                           : RECEIVE_SCAN;
    redis_client_close(&one);
    redis_client_close(&other);
    arena_done(&arena);
    return ok;
}

bool receive_choose(struct receiver *r, struct err *err) {
    if (endpoint_is_file(&r->spec.source)) {
        r->reading = RECEIVE_FILE;
        return true;
    }
    switch (r->spec.read_mode) {
    case TASK_READ_PSYNC:
        r->reading = RECEIVE_PSYNC;
        return true;
    case TASK_READ_SYNC:
        r->reading = RECEIVE_SYNC;
        return true;
    case TASK_READ_SCAN:
        r->reading = RECEIVE_SCAN;
        return true;
    case TASK_READ_AUTO:
        break;
    }
    /* What was begun by SCAN goes on that way, whatever has been granted since. */
    if (r->meta.generation > 0 && r->mark.generation == r->meta.generation && r->mark.is_composed) {
        r->reading = RECEIVE_SCAN;
        return true;
    }
    if (!probe(r, &r->reading, err))
        return false;
    /* What SCAN names twice is there the second time. */
    return r->reading != RECEIVE_SCAN || r->spec.conflict != TASK_CONFLICT_FAIL ||
           err_set(err, ERR_SOURCE_NOPERM,
                   "the account may not PSYNC, and fail_on_conflict cannot be had with SCAN");
}

/* ---- where ------------------------------------------------------------------------------- */

/* The mark is of what the logs hold, and nobody has gone past it: what apply was shown, or
 * has applied, would be cut away under it. That can only be when the host failed and the
 * files are of different moments. */
static bool fits(const struct receiver *r, const char *identity) {
    const struct reading_mark *m = &r->mark;
    const struct position *p = &r->position;
    bool begun = p->generation == r->meta.generation;
    uint64_t shown = 0;

    if (atomic_load(&r->control->snapshot_generation) == r->meta.generation)
        shown = atomic_load(&r->control->snapshot_bytes);
    return r->meta.generation > 0 && m->generation == r->meta.generation && m->is_composed &&
           identity && strcmp(r->meta.replid, identity) == 0 && m->end <= r->snapshot.end &&
           shown <= m->end && r->snapshot.start <= (begun ? p->next : 0) &&
           (begun ? p->next : 0) <= m->end;
}

/* Go on with the generation at hand, if the position can be served from it. */
static bool resume(struct receiver *r, bool *ret_resumed, struct err *err) {
    struct err why = ERR_INIT;

    r->new_generation = r->meta.generation;
    if (!receive_serves(r, &r->position))
        return true;
    if (!spool_writer_cut(&r->snapshot, r->mark.end, &why)) {
        if (why.code == ERR_SPOOL_CORRUPT)
            return true;
        *err = why;
        return false;
    }
    *ret_resumed = true;
    receive_publish(r);
    return true;
}

bool receive_go_on(struct receiver *r, const char *identity, bool *ret_resumed, struct err *err) {
    struct repl_position at = {.next = (uint64_t)clock_wall_us()};

    *ret_resumed = false;
    receive_catch_up(r); /* reading a file whole takes its time, and room was made meanwhile */
    if (fits(r, identity) && !resume(r, ret_resumed, err))
        return false;
    if (*ret_resumed)
        return true;
    receive_number(r);
    /* Two readings of one source under one number are told apart by when they began. */
    memcpy(at.replid, identity ? identity : UNKNOWN, sizeof(at.replid));
    return receive_begin(r, &at, err);
}

/* ---- writing ------------------------------------------------------------------------------ */

bool receive_append(struct receiver *r, struct str bytes, struct err *err) {
    if (!spool_writer_append(&r->snapshot, bytes, (uint64_t)clock_wall_ms(), err))
        return false;
    atomic_fetch_add_explicit(&r->control->received_bytes, bytes.len, memory_order_relaxed);
    return true;
}

bool receive_show(struct receiver *r, struct err *err) {
    r->mark.end = r->snapshot.end;
    if (!reading_mark_write(r->spool_fd, &r->mark, err))
        return false;
    atomic_store_explicit(&r->control->snapshot_bytes, r->snapshot.end, memory_order_release);
    control_bell_ring(r->apply_bell, &r->control->apply_sleeps);
    return true;
}
