/* report_view.h - the record of a migration: who, what, when, how it went, what holds and what does
 * not. Pure; services/job/job_report.h makes text of it. */
#pragma once

#include <jansson.h>

#include "sql/series.h"
#include "web-api/key_counts_view.h"

enum { REPORT_EVENTS_MAX = 2000, REPORT_EVENTS_SHOWN = 200 };

struct report {
    struct key_counts counts;              /* with the job; facts_before is the precheck's */
    const struct store_precheck *precheck; /* the last; NULL = none */
    const json_t *steps, *events;          /* of events the first REPORT_EVENTS_MAX */
    const json_t *by_command;
    const struct series_bucket *buckets; /* of all its time, in steps of step_seconds */
    size_t bucket_count;
    int step_seconds;
};

/* A new reference. */
json_t *report_view(const struct report *r);
