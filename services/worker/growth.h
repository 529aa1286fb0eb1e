/* growth.h - how fast a level has been rising for the last minutes.
 *
 * Pure. For the memory of a destination, which is told every few seconds: the rate is that from
 * the oldest mark to the newest, so a burst counts for as much as it adds.
 */
#pragma once

#include <stdint.h>

enum {
    GROWTH_MARKS = 30,
    GROWTH_EVERY_MS = 10000,   /* between two marks: five minutes are looked at */
    GROWTH_KNOWN_MS = 9000,    /* nothing is said of less */
    GROWTH_NOISE = 256 * 1024, /* buffers of connections come and go */
};

/* Zero before the first note. */
struct growth {
    struct {
        int64_t level, at_ms;
    } mark[GROWTH_MARKS], now;
    int count, oldest;
};

/* A level below where the window began begins a new window: somebody emptied it. */
void growth_note(struct growth *g, int64_t level, int64_t now_ms);

/* What it rises a second; 0 = it does not, or that is not known yet. */
int64_t growth_per_second(const struct growth *g);
