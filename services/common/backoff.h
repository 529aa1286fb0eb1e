/* backoff.h - how long to wait before trying again.
 *
 * Pure: the caller brings the randomness and does the waiting. Each delay is
 * twice the one before up to a cap, moved by up to `jitter` of itself to either
 * side, so that many jobs on one broken server do not come back in step.
 */
#pragma once

#include <stdint.h>

struct backoff {
    uint32_t initial_ms; /* >= 1 */
    uint32_t max_ms;     /* >= initial_ms; no delay is longer, jitter included */
    double jitter;       /* 0 to 1 */
    uint32_t attempt;    /* delays handed out since the last clear */
};

/* The defaults of a job's retry.backoff. */
#define BACKOFF_INIT                                                                               \
    ((struct backoff){.initial_ms = 500, .max_ms = 30000, .jitter = 0.2, .attempt = 0})

/* The next delay in milliseconds, at least 1. `random` is any 32 random bits. */
uint32_t backoff_next(struct backoff *b, uint32_t random);

/* It worked: the next delay is the first again. */
static inline void backoff_clear(struct backoff *b) {
    b->attempt = 0;
}

/* 32 random bits from the system, for callers that have none. */
uint32_t backoff_random(void);
