/* key_counts_view.h - the key counts of both ends, database by database, and what may lie behind a
 * difference. Pure.
 *
 * Counts never show that data are equal, and nothing here says so. A difference is "explained"
 * when what is known of the job may account for all of it; else it is "unexplained", and a
 * comparison must tell.
 */
#pragma once

#include <jansson.h>

#include "sql/store_job.h"
#include "sql/store_precheck.h"

struct key_counts {
    const struct store_job *job;
    const struct store_precheck *reading; /* the last that is over; NULL = none */
    const json_t *facts_before;           /* of the precheck before its start: what was there;
                                             NULL = not known */
    bool is_being_read;                   /* another was asked for and is not over */
    int64_t now_ms;                       /* wall clock */
};

/* A new reference. */
json_t *key_counts_view(const struct key_counts *c);

/* What a look left of one end ("source", "destination"), as /key-counts and /clients show it: label
 * and what went wrong. A new reference. */
json_t *key_counts_view_end(const struct key_counts *c, const char *end);

/* The members every look has: state, read_at, age_seconds. A new reference. */
json_t *key_counts_view_head(const struct key_counts *c);
