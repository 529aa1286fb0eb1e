#include "services/worker/retry_clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "services/common/clock.h"

static const char *const kind_names[RETRY_KIND_COUNT] = {"connection", "other", "wait"};

enum retry_kind retry_kind_of(enum err_code code) {
    switch (code) {
    case ERR_TIMEOUT:
    case ERR_CONNECT:
    case ERR_RESOLVE:
    case ERR_CLOSED:
    case ERR_SOURCE_DOWN:
    case ERR_SOURCE_BUSY:
    case ERR_DEST_DOWN:
    case ERR_DEST_BUSY:
    case ERR_DEST_READONLY: /* a failover in progress looks like this */
        return RETRY_KIND_CONNECTION;
    case ERR_FULL_SYNC_BUDGET: /* the hour passes */
    case ERR_SPOOL_FULL:       /* apply makes room; where it cannot, its own clock runs */
        return RETRY_KIND_WAIT;
    default:
        return RETRY_KIND_OTHER;
    }
}

bool retry_clock_failed(struct retry_clock *clock, const struct retry_policy *policy,
                        enum err_code code, int64_t now_ms, uint32_t random) {
    struct backoff backoff = policy->backoff;
    enum retry_kind kind = retry_kind_of(code);

    clock->well_since_ms = 0;
    clock->kind = kind;
    if (clock->since_ms[kind] == 0)
        clock->since_ms[kind] = now_ms;
    clock->until_ms = kind == RETRY_KIND_WAIT
                          ? INT64_MAX
                          : clock->since_ms[kind] + (int64_t)policy->minutes[kind] * 60000;
    backoff.attempt = clock->delays;
    clock->next_ms = now_ms + backoff_next(&backoff, random);
    if (clock->delays < UINT32_MAX)
        clock->delays++;
    if (clock->attempts < UINT32_MAX)
        clock->attempts++;
    return now_ms < clock->until_ms;
}

void retry_clock_well(struct retry_clock *clock, int64_t now_ms) {
    if (!retry_clock_runs(clock))
        return;
    clock->delays = 0;
    if (clock->well_since_ms == 0 || clock->well_since_ms > now_ms)
        clock->well_since_ms = now_ms;
    else if (now_ms - clock->well_since_ms >= RETRY_WELL_MS)
        *clock = (struct retry_clock){0};
}

static json_t *time_json(int64_t ms) {
    char text[CLOCK_RFC3339_SIZE];

    clock_rfc3339(ms, text);
    return json_string(text);
}

json_t *retry_clock_to_json(const struct retry_clock *clock, const char *target, enum err_code code,
                            const char *detail) {
    json_t *text = json_string(detail);
    json_t *state = json_pack(
        "{s:s, s:s, s:I, s:o, s:o, s:o, s:{s:s, s:o}}", "kind", kind_names[clock->kind], "target",
        target, "attempt", (json_int_t)clock->attempts, "since",
        time_json(clock->since_ms[clock->kind]), "next_attempt_at", time_json(clock->next_ms),
        "deadline_at", clock->until_ms == INT64_MAX ? json_null() : time_json(clock->until_ms),
        "error", "code", err_slug(code), "detail", text ? text : json_string("(not valid UTF-8)"));

    if (!state) /* sizes we chose: out of memory */
        abort();
    return state;
}

/* "2026-11-20T09:54:00.123Z" as clock_rfc3339 writes it; 0 when it is anything else. */
static int64_t time_of(const json_t *value) {
    struct tm tm = {0};
    int ms = 0, end = 0;
    const char *text = json_string_value(value);

    if (!text ||
        sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
               &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &ms, &end) != 7 ||
        text[end] != '\0')
        return 0;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    return (int64_t)timegm(&tm) * 1000 + ms;
}

void retry_clock_from_json(const json_t *from, struct retry_clock *ret_clock) {
    struct retry_clock clock = {0};
    const char *kind = json_string_value(json_object_get(from, "kind"));
    json_int_t attempts = json_integer_value(json_object_get(from, "attempt"));
    int64_t since = time_of(json_object_get(from, "since"));

    *ret_clock = clock;
    if (!kind || attempts <= 0 || since <= 0)
        return;
    for (int i = 0; i < RETRY_KIND_COUNT; i++) {
        if (strcmp(kind, kind_names[i]) != 0)
            continue;
        clock.kind = (enum retry_kind)i;
        clock.since_ms[i] = since;
        clock.attempts = attempts < 1000 ? (uint32_t)attempts : 1000;
        clock.until_ms = time_of(json_object_get(from, "deadline_at"));
        if (clock.until_ms == 0)
            clock.until_ms = INT64_MAX;
        *ret_clock = clock; /* next_ms stays 0: a new worker tries at once */
    }
}
