/* retry_clock.h - how long a job keeps trying, and when it tries next.
 *
 * Pure: it is given the time. Two clocks, as the API has them: one for connections
 * (`retry.connection_minutes`) and one for everything else that may heal by itself
 * (`retry.other_minutes`). Each starts with the first failure of its kind and runs
 * until the job was well for a while: a job that fails again at once has not
 * recovered. The pauses between attempts begin anew as soon as it works at all: a
 * link that is cut now and then is taken up quickly each time. Times are wall clock milliseconds,
 * because they outlive the process: the worker that takes a job over goes on with the clock it
 * finds.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/base/err.h"
#include "services/common/backoff.h"

enum retry_kind {
    RETRY_KIND_CONNECTION, /* "connection" */
    RETRY_KIND_OTHER,      /* "other" */
    RETRY_KIND_WAIT,       /* "wait": what it waits for is certain to come; never runs out */
    RETRY_KIND_COUNT
};

struct retry_policy {
    uint32_t minutes[RETRY_KIND_COUNT]; /* of RETRY_KIND_WAIT: not used */
    struct backoff backoff;             /* between attempts; attempt 0 */
};

#define RETRY_POLICY_DEFAULT                                                                       \
    ((struct retry_policy){.minutes = {720, 10, 0}, .backoff = BACKOFF_INIT})

/* How long a job has to be well before its clocks are forgotten. */
enum { RETRY_WELL_MS = 30000 };

struct retry_clock {
    int64_t since_ms[RETRY_KIND_COUNT]; /* 0 = not running */
    int64_t until_ms;                   /* the job fails then; INT64_MAX = never */
    int64_t next_ms;                    /* earliest next attempt */
    uint32_t attempts;                  /* failures since the clocks were forgotten */
    uint32_t delays;                    /* failures since it last worked at all */
    enum retry_kind kind;               /* of the last failure */
    int64_t well_since_ms;              /* 0 = not well */
};

enum retry_kind retry_kind_of(enum err_code code);

/* It failed. Sets when to try next. `random` is any 32 random bits.
 * Returns false when the clock has run out: give up. */
MUST_CHECK bool retry_clock_failed(struct retry_clock *clock, const struct retry_policy *policy,
                                   enum err_code code, int64_t now_ms, uint32_t random);

/* It works at this moment: the next pause is the shortest. After RETRY_WELL_MS of this
 * the clocks are forgotten. */
void retry_clock_well(struct retry_clock *clock, int64_t now_ms);

static inline bool retry_clock_runs(const struct retry_clock *clock) {
    return clock->attempts != 0;
}

/* `retry_state` of the API: {"kind", "target", "attempt", "since", "next_attempt_at",
 * "deadline_at" (null = none), "error": {"code", "detail"}}. A new reference, never
 * NULL. `target` is "source", "destination" or "worker". */
json_t *retry_clock_to_json(const struct retry_clock *clock, const char *target, enum err_code code,
                            const char *detail);

/* Go on where another worker left off. Anything else than what retry_clock_to_json
 * made is a clock that does not run. */
void retry_clock_from_json(const json_t *from, struct retry_clock *ret_clock);
