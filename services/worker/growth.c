#include "services/worker/growth.h"

static void add_mark(struct growth *g, int64_t level, int64_t now_ms) {
    int at = (g->oldest + g->count) % GROWTH_MARKS;

    g->mark[at].level = level;
    g->mark[at].at_ms = now_ms;
    if (g->count < GROWTH_MARKS)
        g->count++;
    else
        g->oldest = (g->oldest + 1) % GROWTH_MARKS;
}

void growth_note(struct growth *g, int64_t level, int64_t now_ms) {
    int newest = (g->oldest + g->count + GROWTH_MARKS - 1) % GROWTH_MARKS;

    if (g->count > 0 && level < g->mark[g->oldest].level)
        g->count = g->oldest = 0;
    if (g->count == 0 || now_ms - g->mark[newest].at_ms >= GROWTH_EVERY_MS)
        add_mark(g, level, now_ms);
    g->now.level = level;
    g->now.at_ms = now_ms;
}

int64_t growth_per_second(const struct growth *g) {
    int64_t risen, elapsed_ms;

    if (g->count == 0)
        return 0;
    risen = g->now.level - g->mark[g->oldest].level;
    elapsed_ms = g->now.at_ms - g->mark[g->oldest].at_ms;
    if (elapsed_ms < GROWTH_KNOWN_MS || risen < GROWTH_NOISE)
        return 0;
    return (int64_t)((double)risen * 1000.0 / (double)elapsed_ms);
}
