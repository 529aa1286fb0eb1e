#include "services/worker/lag_clock.h"

/* Every second one of the older half goes. */
static void thin_out(struct lag_clock *c) {
    int kept = 0;

    for (int i = 0; i < c->count; i++) {
        if (i < LAG_CLOCK_MARKS / 2 && i % 2 == 1)
            continue;
        c->mark[kept++] = c->mark[i];
    }
    c->count = kept;
}

void lag_clock_note(struct lag_clock *c, uint64_t offset, int64_t now_ms) {
    if (c->count > 0 && offset < c->mark[c->count - 1].offset)
        c->count = 0;
    if (c->count > 0 && offset == c->mark[c->count - 1].offset) {
        c->mark[c->count - 1].last_ms = now_ms;
        return;
    }
    if (c->count == LAG_CLOCK_MARKS)
        thin_out(c);
    c->mark[c->count].offset = offset;
    c->mark[c->count].first_ms = c->mark[c->count].last_ms = now_ms;
    c->count++;
}

int64_t lag_clock_silence(const struct lag_clock *c, int64_t now_ms) {
    return c->count > 0 ? now_ms - c->mark[c->count - 1].last_ms : -1;
}

int64_t lag_clock_age(const struct lag_clock *c, uint64_t applied, int64_t now_ms) {
    int after = 0;
    double share;
    int64_t since, until;

    while (after < c->count && c->mark[after].offset <= applied)
        after++;
    if (c->count > 0 && after == c->count)
        return 0;
    if (after == 0)
        return -1;
    since = c->mark[after - 1].last_ms;
    until = c->mark[after].first_ms;
    share = (double)(applied - c->mark[after - 1].offset) /
            (double)(c->mark[after].offset - c->mark[after - 1].offset);
    return now_ms - (since + (int64_t)((double)(until - since) * share));
}
