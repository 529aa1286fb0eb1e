/* metric.h - counters and gauges of this process, as Prometheus text.
 *
 * Rows of metric_names.def; an unknown name does not compile. Numbers are atomic:
 * any thread may touch them. No label ever comes from a user.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"

enum metric {
#define METRIC(symbol, kind, process, name, labels, help) METRIC_##symbol,
#include "services/common/metric_names.def"
#undef METRIC
    METRIC_COUNT
};

void metric_add(enum metric m, int64_t n); /* n may be negative for a gauge */
void metric_set(enum metric m, int64_t value);
int64_t metric_get(enum metric m);

enum metric_process { METRIC_OF_ALL, METRIC_OF_API, METRIC_OF_WORKER, METRIC_OF_ALERTER };

/* Append what a process of that kind shows, in the Prometheus text format 0.0.4.
 * Errors: TOO_BIG. */
MUST_CHECK bool metric_format(enum metric_process process, struct buf *out, struct err *err);
