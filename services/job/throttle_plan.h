/* throttle_plan.h - which limits hold at a moment: the configured ones and a schedule's.
 *
 * Pure on jansson. `throttle` is that member of a job's specification:
 *
 *   "full": {"enabled", "source_qps", "rps", "bytes_per_second"},
 *   "incremental": {"enabled", "rps", "bytes_per_second"},
 *   "schedule": [{"days": ["mon", …], "begin": "22:00", "end": "06:00", "tz": "+01:00",
 *                 "factor": 0.5}                    of the configured limits; 0 halts
 *                {…, "limits": {"full": {…}, "incremental": {…}}}]   in their place
 *
 * The first window that holds counts. One whose end is not after its begin ends on the next
 * day, and belongs to the day it began. Zones are "UTC" or a fixed distance from it: what a
 * worker does must not depend on which zone names its host knows.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "services/job/job_spec_fields.h"

/* Per second; 0 = none, THROTTLE_HALT (services/flow/throttle.h) = nothing may move. */
struct throttle_limits {
    uint64_t full_bytes, full_keys, full_source_commands, tail_bytes, tail_commands;
};

enum { THROTTLE_WINDOWS_MAX = 24 };

/* Check throttle.schedule as it was `given` (NULL, null: none) and set it in `throttle`,
 * canonical, whose other members are read already. */
void throttle_plan_read(const json_t *given, json_t *throttle, struct spec_report *report);

/* What roles let through goes on top; 0 is no limit. */
void throttle_plan_cap(struct throttle_limits *limits, uint64_t per_second,
                       uint64_t bytes_per_second);

/* The limits at a moment. *ret_window is the window that holds, or -1. */
void throttle_plan_at(const json_t *throttle, int64_t wall_ms, struct throttle_limits *ret_limits,
                      int *ret_window);
