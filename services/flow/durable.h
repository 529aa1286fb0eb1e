/* durable.h - up to which offset the destination surely keeps what it acknowledged.
 *
 * Pure: it is given the text of INFO and the times. An acknowledgement says that the destination
 * has executed a unit, not that it will still have it after a crash or a failover. From time to
 * time an offset that is applied is put beside what INFO says at that moment; a later INFO
 * tells when that moment was safe:
 *
 *   with replicas   every one of them has reached the destination's own offset of then: whichever
 *                   is promoted has it. One that is not connected is not waited for
 *   with an AOF     it was synced since: nothing is pending, and FSYNC_MS have passed. With
 *                   appendfsync no the kernel may still hold it, which INFO does not tell
 *   else            a snapshot was begun since and written
 *   in any case     AGE_MS have passed: who keeps nothing must not keep us from trimming for ever
 *
 * Until then the spool holds what it needs to be written again (receive.c).
 *
 * Source: INFO replication and persistence of Redis 6.0 to 8.6, Valkey 8 and 9.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/str.h"

enum { DURABLE_SAMPLES = 128, DURABLE_FSYNC_MS = 3000, DURABLE_AGE_MS = 10 * 60 * 1000 };

struct durable_sample {
    uint64_t applied;
    int64_t offset;    /* the destination's own then; -1 = not told */
    int64_t at_ms;     /* monotonic, ours */
    int64_t server_us; /* the destination's clock; 0 = not told */
};

struct durable {
    struct durable_sample samples[DURABLE_SAMPLES]; /* oldest first */
    uint32_t count;
    uint64_t durable; /* 0 = nothing is known to be */
};

/* INFO was asked when `applied` was the applied offset; its answer is here at now_ms.
 * Returns the durable offset. An applied offset that went back (the destination forgot)
 * takes everything beyond it along. */
uint64_t durable_note(struct durable *d, struct str info, uint64_t applied, int64_t now_ms);
