/* series.h - numbers of a job over time: what a row holds, and how it is thinned out.
 *
 * Pure. Sixty moments are one bucket; three steps are kept. SERIES_UNKNOWN marks a moment of which
 * a number is not known.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"

enum series_name {
#define SERIES(name, keeps) SERIES_##name,
#include "sql/series.def"
#undef SERIES
    SERIES_COUNT
};

enum { SERIES_MOMENTS = 60, SERIES_STEPS = 3 };

/* Rows of a job at most, once what is too old was swept: buckets of a minute for 62 minutes, of ten
 * minutes for a day and ten minutes, of an hour for 31 days and an hour, and of each step the one
 * that is cut by that border. A row is 5 KB before the database compresses it. */
enum { SERIES_ROWS_MAX = 62 + 1 + 145 + 1 + 745 + 1 };
#define SERIES_UNKNOWN INT64_MIN

extern const int series_steps[SERIES_STEPS]; /* seconds: 1, 10, 60 */
extern const int series_kept_seconds[SERIES_STEPS];

const char *series_name_of(enum series_name name);
MUST_CHECK bool series_name_parse(const char *text, enum series_name *ret);

struct series_bucket {
    int64_t first_s; /* Unix time of the first moment */
    int64_t points[SERIES_COUNT][SERIES_MOMENTS];
};

/* Everything unknown. `at_s` lies in the bucket. */
void series_bucket_init(struct series_bucket *b, int step, int64_t at_s);

/* What a step keeps of values v[0..count): SERIES_UNKNOWN when none is known. */
int64_t series_fold(enum series_name name, const int64_t *v, int count);

/* One job in the memory of its worker: the open bucket of each step. */
struct series {
    struct series_bucket open[SERIES_STEPS];
    int64_t seconds[SERIES_STEPS - 1][SERIES_COUNT][SERIES_MOMENTS]; /* of the open moment */
    int filled[SERIES_STEPS - 1];                                    /* seconds in it */
    bool is_changed[SERIES_STEPS];
    int64_t last_s;
};

/* Take the numbers of a second. A second that was taken already is passed over. What leaves memory
 * because its bucket is over is handed to `full`, if it has changed since it was written. */
typedef void series_full(void *ctx, int step, const struct series_bucket *b);
void series_take(struct series *s, int64_t at_s, const int64_t values[SERIES_COUNT],
                 series_full *full, void *ctx);

/* A page of points: {"at" as text is the caller's}; folded from buckets of `step` to `to_step`
 * seconds. Appends objects {"at_s", name: value|null …} for moments in [from_s, to_s) at which
 * anything is known. */
void series_fold_points(const struct series_bucket *buckets, size_t count, int step, int to_step,
                        int64_t from_s, int64_t to_s, const bool wanted[SERIES_COUNT],
                        json_t *into);
