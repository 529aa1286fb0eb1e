#include "services/common/backoff.h"

#include <stdlib.h>
#include <sys/random.h>

uint32_t backoff_next(struct backoff *b, uint32_t random) {
    uint64_t initial_ms = b->initial_ms ? b->initial_ms : 1;
    uint64_t delay_ms = initial_ms;
    double moved;

    for (uint32_t i = 0; i < b->attempt && delay_ms < b->max_ms; i++)
        delay_ms *= 2;
    if (delay_ms > b->max_ms)
        delay_ms = b->max_ms;
    if (b->attempt < UINT32_MAX)
        b->attempt++;
    moved = (double)delay_ms * (1 + b->jitter * (2.0 * random / UINT32_MAX - 1));
    if (moved < 1)
        return 1;
    return moved > b->max_ms ? b->max_ms : (uint32_t)moved;
}

uint32_t backoff_random(void) {
    uint32_t random;

    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        abort();
    return random;
}
