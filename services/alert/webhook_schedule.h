/* webhook_schedule.h - what the answer to an attempt means, and when the next one is made.
 *
 * Pure. Source: Standard Webhooks 1.0, "Delivery": a 2xx is success, a redirect is not followed and
 * none; 410 asks to be left alone; other failures are tried again after 5 s, 5 min, 30 min, 2 h,
 * 5 h, 10 h, 14 h, 20 h and 24 h, with some jitter; Retry-After is heeded.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "proto/base/str.h"

enum { WEBHOOK_RETRIES_MAX = 16 };

struct webhook_schedule {
    int64_t after_ms[WEBHOOK_RETRIES_MAX]; /* the n-th failure */
    int count;
};

/* Seconds with blanks between; "" = the standard's. Errors: CONFIG. */
MUST_CHECK bool webhook_schedule_parse(struct str text, struct webhook_schedule *ret,
                                       struct err *err);

struct webhook_answer {
    int status;            /* 0 = none came */
    int64_t retry_after_s; /* 0 = it did not say */
};

enum webhook_verdict { WEBHOOK_DELIVERED, WEBHOOK_AGAIN, WEBHOOK_GIVE_UP, WEBHOOK_DISABLE };

/* After attempt number `attempt` (from 1) of at most `attempts_max` (0 = the schedule's). AGAIN
 * sets *ret_in_ms, with up to a fifth of jitter from `random`. */
enum webhook_verdict webhook_schedule_next(const struct webhook_schedule *schedule,
                                           const struct webhook_answer *answer, int attempt,
                                           int attempts_max, uint32_t random, int64_t *ret_in_ms);
