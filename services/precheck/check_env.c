/* Clocks and round trips, as seen from this worker. */
#include <inttypes.h>
#include <stdlib.h>

#include "services/common/clock.h"
#include "services/precheck/check_shards.h"

enum { CLOCK_WARN_MS = 1000, RTT_WARN_US = 10000 };

/* What is known of the other end in a shard's run is asked in runs of its own, as the shards of
 * a cluster are. */
static bool is_there(const struct check_end *end) {
    return end->reached == CHECK_STAGE_LOGGED_IN && !end->is_view && !check_has_shards(end);
}

/* How far the end's clock is from ours; the answer was made in the middle of the round trip. */
static bool clock_difference(struct check_run *run, struct check_end *end, int64_t *ret_ms,
                             bool *ret_known, struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    int64_t before = clock_wall_ms(), after, seconds, micros;

    *ret_known = false;
    if (!check_ask(run, end, &arena, &reply, err, "TIME"))
        return false;
    after = clock_wall_ms();
    if (reply->type == RESP_ARRAY && reply->count == 2 &&
        str_parse_i64(reply->items[0].str, &seconds) &&
        str_parse_i64(reply->items[1].str, &micros) && seconds > 0 && seconds < INT32_MAX * 8LL) {
        *ret_ms = seconds * 1000 + micros / 1000 - (before + after) / 2;
        *ret_known = true;
    }
    arena_done(&arena);
    return true;
}

bool check_env_worker_clock(struct check_run *run, struct check_finding *ret, struct err *err) {
    struct check_end *ends[] = {&run->source, &run->destination};
    const char *silent = NULL;
    int asked = 0;

    check_threshold(ret, "%d ms", CLOCK_WARN_MS);
    for (size_t i = 0; i < LENGTH_OF(ends); i++) {
        int64_t difference;
        bool known;

        if (!is_there(ends[i]))
            continue;
        if (!clock_difference(run, ends[i], &difference, &known, err))
            return false;
        if (!known) {
            silent = ends[i]->name;
            continue;
        }
        asked++;
        if (llabs(difference) > CLOCK_WARN_MS) {
            check_observed(ret, "%s: %+" PRId64 " ms", ends[i]->name, difference);
            return check_warn(ret,
                              "The clock of the %s differs by %" PRId64 " ms from this worker's: "
                              "the times it reports are wrong by as much",
                              ends[i]->name, difference);
        }
    }
    if (!asked)
        return check_skip(ret, "Neither end told its time");
    if (silent)
        return check_pass(ret, "The clocks agree; that of the %s is not told (TIME)", silent);
    return check_pass(ret, "The clocks agree");
}

static int by_size(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static bool measure(struct check_run *run, struct check_end *end, struct err *err) {
    int64_t times[CHECK_PINGS];

    for (size_t i = 0; i < CHECK_PINGS; i++) {
        struct arena arena = ARENA_INIT;
        const struct resp_value *reply;
        int64_t before = clock_mono_us();
        bool ok = check_ask(run, end, &arena, &reply, err, "PING");

        times[i] = clock_mono_us() - before;
        arena_done(&arena);
        if (!ok)
            return false;
    }
    qsort(times, CHECK_PINGS, sizeof(times[0]), by_size);
    end->rtt_us = times[CHECK_PINGS / 2];
    return true;
}

/* The median: one late answer on a busy machine says nothing about the way. */
bool check_net_latency(struct check_run *run, struct check_finding *ret, struct err *err) {
    struct check_end *ends[] = {&run->source, &run->destination};
    const struct check_end *slowest = NULL;

    for (size_t i = 0; i < LENGTH_OF(ends); i++) {
        if (!is_there(ends[i]))
            continue;
        if (!measure(run, ends[i], err))
            return false;
        if (!slowest || ends[i]->rtt_us > slowest->rtt_us)
            slowest = ends[i];
    }
    if (!slowest)
        return check_skip(ret, "Neither end could be asked");
    check_observed(ret, "%.2f ms to the %s, half of %d pings", (double)slowest->rtt_us / 1000,
                   slowest->name, CHECK_PINGS);
    check_threshold(ret, "%d ms", RTT_WARN_US / 1000);
    if (slowest->rtt_us > RTT_WARN_US)
        return check_warn(ret,
                          "A round trip to the %s takes %.1f ms: lag is at least that, and "
                          "units grow",
                          slowest->name, (double)slowest->rtt_us / 1000);
    return check_pass(ret, "Both ends are near");
}
