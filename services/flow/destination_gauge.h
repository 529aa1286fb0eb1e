/* destination_gauge.h - how full the destination is and what it surely keeps, looked at now and
 * then.
 *
 * I/O over a connection of its own, which is asked without waiting for the answer, so that
 * nothing is held up by it. Opening it does wait, hardly longer than it took to open the
 * connection that claimed. It is tried when a stage begins and a minute after it
 * broke. An account without INFO leaves the numbers unknown.
 */
#pragma once

#include "services/flow/applier.h"
#include "services/flow/durable.h"

struct destination_gauge {
    struct applier *a;
    struct redis_client client;
    struct buf in;
    int64_t next_ms;  /* monotonic: ask or open again then */
    int64_t asked_ms; /* 0 = nothing is outstanding */
    bool is_calm;     /* set by the owner: nothing of ours changes there, ask less often */
    int64_t shown_ms; /* monotonic: when it was connected with certificates; 0 = without */
    uint64_t applied; /* when it was asked */
    struct durable durable;
    int64_t evicted_before; /* its count when the first answer came; -1 = none came */
};

void destination_gauge_init(struct destination_gauge *g, struct applier *a);

/* Do what is due; call it every few seconds or more often. Sets control.destination_memory_bytes,
 * destination_memory_max_bytes, destination_evicted_keys, destination_certificate_until_ms and
 * durable_offset. Its failures are nobody's: the lane has its own. */
void destination_gauge_tick(struct destination_gauge *g);

/* Before a job ends because both ends differ: what was evicted is told, for it may be why.
 * Waits for the answer. */
void destination_gauge_last_look(struct destination_gauge *g);

void destination_gauge_done(struct destination_gauge *g);
