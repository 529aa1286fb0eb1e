/* ctl_top_view.h - the table of `keyferry top`: who needs somebody comes first.
 *
 * Pure: jobs as the API shows them in, text out. What servers and users wrote is escaped.
 *
 * Errors of all: TOO_BIG, MEMORY.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "proto/base/attrs.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"

/* How much somebody is needed; the first is the worst. */
enum ctl_top_rank {
    CTL_TOP_NEEDS_YOU, /* it stands until a person decides */
    CTL_TOP_RETRIES,   /* an end does not answer, or refuses */
    CTL_TOP_WARNS,     /* it goes on, and something is or will be wrong */
    CTL_TOP_GOES,
    CTL_TOP_RESTS, /* nothing is under way */
    CTL_TOP_OVER,
    CTL_TOP_RANKS
};

enum ctl_top_rank ctl_top_rank(const json_t *job);

/* A new array with the same jobs, by rank, then by lag, then by name. */
json_t *ctl_top_sort(const json_t *jobs);

/* The screen: at most `rows` lines of at most `columns` characters, each ended by '\n'. `jobs` are
 * sorted. rows 0 = all of them. `title` names the service. */
MUST_CHECK bool ctl_top_screen(const json_t *jobs, const char *title, size_t columns, size_t rows,
                               struct buf *out, struct err *err);
