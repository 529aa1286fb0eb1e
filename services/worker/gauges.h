/* gauges.h - what the numbers of a control block mean: rates, lag, latency, time left.
 *
 * Pure: it is given the block and the times. Sampled about once a second per task;
 * rates are moving averages over some seconds. What is not known is said to be
 * unknown (-1 or ""), never shown as zero:
 *
 *   lag_bytes        what the source has and the destination does not: the source's
 *                    own end as last sampled, or what is spooled if that is more
 *   backlog_seconds  while the source does not answer: how long its backlog will
 *                    still hold what we do not have, at the rate it was last written
 *
 * What depends on when one looks (how old a latency is) is said by whoever looks.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "services/flow/control.h"
#include "services/worker/growth.h"
#include "services/worker/lag_clock.h"
#include "sql/store_progress.h"

/* What is remembered from one sample to the next; zero before the first. */
struct gauges {
    int64_t sampled_ms; /* monotonic; 0 = never */
    uint64_t keys, commands, bytes, received, applied, source;
    double keys_rate, commands_rate, bytes_rate, received_rate, source_rate;
    int64_t applied_moved_ms; /* when applied_offset last moved, or had nothing to move for */
    int64_t link_seen_ms;     /* when the link was last up */
    int64_t heard_ms;         /* when the source last sent something */
    uint64_t moved;           /* all that only grows while there is progress */
    uint64_t asked;           /* control.source_asked_at_ms then */
    struct lag_clock clock;   /* where its history ended, and when */
    struct growth memory;     /* of the destination */
    bool caught_up;
};

enum {
    GAUGES_CAUGHT_UP_BYTES = 64 * 1024, /* or half a second's worth, if that is more */
    GAUGES_STALLED_MS = 60000,          /* nothing applied although there is something */
    GAUGES_LINK_DOWN_MS = 10000,        /* then a tail is stalled too */
    GAUGES_SILENT_MS = 15000,           /* so does one that sends nothing; with a heartbeat, or
                                           three of its intervals */
    GAUGES_IDLE_MS = 75000,             /* without: a source pings its replicas now and then */
};

/* Take a sample: fills every number of *progress that comes from the block or from
 * other samples, and leaves the others (position, quota, memory). */
void gauges_sample(struct gauges *gauges, const struct control_block *block, int64_t mono_ms,
                   int64_t wall_ms, struct store_progress *progress);

/* Seed a new block with what was last mirrored, so that counts go on where another
 * process left them. */
void gauges_seed(struct control_block *block, const struct store_progress *progress);
