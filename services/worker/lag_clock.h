/* lag_clock.h - how old is what is not applied yet, told by offsets alone.
 *
 * Pure. It is told now and then how far the source's history reaches, and keeps those marks: a
 * place in the history was written between two of them. For sources that take no heartbeat. Few
 * marks are kept, the older ones further apart, so an answer is as exact as about a hundredth of
 * it, and never better than the time between two marks.
 */
#pragma once

#include <stdint.h>

enum { LAG_CLOCK_MARKS = 128 };

/* Zero before the first mark. */
struct lag_clock {
    struct {
        uint64_t offset;
        int64_t first_ms, last_ms; /* when the history was seen to end there */
    } mark[LAG_CLOCK_MARKS];
    int count;
};

/* The history ends at `offset` now. Times only grow; an offset that goes back is another history,
 * and what was known is forgotten. */
void lag_clock_note(struct lag_clock *c, uint64_t offset, int64_t now_ms);

/* How long ago the history was last seen to end anywhere; -1 = never. */
int64_t lag_clock_silence(const struct lag_clock *c, int64_t now_ms);

/* How long ago the byte at `applied` was written, which is the next one wanted. 0 = the history
 * ends there; -1 = not known: it is older than the first mark. */
int64_t lag_clock_age(const struct lag_clock *c, uint64_t applied, int64_t now_ms);
