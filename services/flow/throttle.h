/* throttle.h - no more than so many a second.
 *
 * Pure: the caller brings the clock. A bucket that fills with the rate and holds a
 * quarter of a second of it, so that who is late by less misses nothing; what was taken
 * may overdraw it once (a unit is never split), and then one waits until it holds a
 * twentieth again: taking each token as it comes would make a unit of every key.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define THROTTLE_HALT UINT64_MAX /* as a limit: nothing may move */
#define THROTTLE_HALT_US 200000  /* look again then */

/* Of two limits the one that lets less through; 0 is none. What is halted stays halted. */
static inline uint64_t throttle_stricter(uint64_t a, uint64_t b) {
    if (a == THROTTLE_HALT || b == THROTTLE_HALT)
        return THROTTLE_HALT;
    return a == 0 || (b != 0 && b < a) ? b : a;
}

struct throttle {
    double level; /* what may be taken now; negative = overdrawn */
    bool rests;   /* it was overdrawn and is not worth a unit yet */
    int64_t filled_us;
    uint64_t per_second; /* that `level` was filled at; 0 = no limit */
};

/* No limit: nothing is owed, and what is taken meanwhile is not counted. */
static inline void throttle_lift(struct throttle *t) {
    *t = (struct throttle){0};
}

/* How long to wait before the next may be taken at `per_second` (0 = no limit);
 * 0 = now. `now_us` is monotonic. */
static inline int64_t throttle_wait_us(struct throttle *t, uint64_t per_second, int64_t now_us) {
    double rate = (double)per_second / 1e6;

    if (per_second == 0 || per_second == THROTTLE_HALT) {
        throttle_lift(t);
        return per_second == 0 ? 0 : THROTTLE_HALT_US;
    }
    if (t->per_second == 0)
        t->filled_us = now_us;
    else if (t->per_second != per_second) /* what is owed is owed in time */
        t->level *= (double)per_second / (double)t->per_second;
    t->per_second = per_second;
    t->level += rate * (double)(now_us - t->filled_us);
    t->filled_us = now_us;
    if (t->level > rate * 2.5e5)
        t->level = rate * 2.5e5;
    t->rests = t->level < 0 || (t->rests && t->level < rate * 5e4);
    return t->rests ? (int64_t)((rate * 5e4 - t->level) / rate) + 1 : 0;
}

static inline void throttle_take(struct throttle *t, uint64_t n) {
    if (t->per_second != 0)
        t->level -= (double)n;
}

/* Say whether a limit keeps one waiting now. *since_us (0 = it did not) is kept for the next
 * call; returns what has passed while it did, each microsecond once. */
static inline uint64_t throttle_waited_us(int64_t *since_us, bool waits, int64_t now_us) {
    uint64_t passed = *since_us ? (uint64_t)(now_us - *since_us) : 0;

    *since_us = waits ? now_us : 0;
    return passed;
}
