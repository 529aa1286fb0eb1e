/* test_series.c - numbers over time: buckets, thinning out, and what a page shows. */
#include <stdio.h>

#include "sql/series.h"
#include "tests/support/cunit_run.h"

enum { START_S = 1794787200 }; /* a multiple of an hour */

struct seen {
    int count, step[64];
    struct series_bucket bucket[64];
};

static void note(void *ctx, int step, const struct series_bucket *b) {
    struct seen *seen = ctx;

    if (seen->count == 64)
        return;
    seen->step[seen->count] = step;
    seen->bucket[seen->count++] = *b;
}

/* The second number n as every value; latency is ten times that. */
static void second(struct series *s, int64_t at_s, int64_t n, struct seen *seen) {
    int64_t values[SERIES_COUNT];

    for (int i = 0; i < SERIES_COUNT; i++)
        values[i] = n;
    values[SERIES_latency_us] = 10 * n;
    series_take(s, at_s, values, note, seen);
}

static void a_bucket_is_handed_over_when_its_sixty_moments_are_past(void) {
    static struct seen seen;
    struct series s = {0};

    for (int i = 0; i < 121; i++)
        second(&s, START_S + i, i, &seen);
    CU_ASSERT_EQUAL(seen.count, 2);
    CU_ASSERT_EQUAL(seen.step[0], 1);
    CU_ASSERT_EQUAL(seen.bucket[1].first_s, START_S + 60);
    CU_ASSERT_EQUAL(seen.bucket[1].points[SERIES_lag_bytes][59], 119);
    CU_ASSERT_EQUAL(s.open[0].points[SERIES_lag_bytes][0], 120);
    CU_ASSERT_EQUAL(s.open[0].points[SERIES_lag_bytes][1], SERIES_UNKNOWN);
}

static void a_longer_step_keeps_the_worst_latency_the_mean_rate_and_the_last_count(void) {
    static struct seen seen;
    struct series s = {0};

    for (int i = 0; i < 10; i++)
        second(&s, START_S + i, i == 3 ? 1000 : i, &seen);
    CU_ASSERT_EQUAL(s.open[1].points[SERIES_latency_us][0], 10000);
    CU_ASSERT_EQUAL(s.open[1].points[SERIES_lag_bytes][0], 104);
    CU_ASSERT_EQUAL(s.open[1].points[SERIES_reconnects][0], 9);
    CU_ASSERT_EQUAL(s.open[2].points[SERIES_latency_us][0], 10000);
}

static void a_gap_stays_unknown_and_a_second_counts_once(void) {
    static struct seen seen;
    struct series s = {0};

    second(&s, START_S, 1, &seen);
    second(&s, START_S, 99, &seen);
    second(&s, START_S + 3, 2, &seen);
    CU_ASSERT_EQUAL(s.open[0].points[SERIES_lag_bytes][0], 1);
    CU_ASSERT_EQUAL(s.open[0].points[SERIES_lag_bytes][1], SERIES_UNKNOWN);
    CU_ASSERT_EQUAL(s.open[0].points[SERIES_lag_bytes][3], 2);
    CU_ASSERT_EQUAL(s.open[1].points[SERIES_lag_bytes][0], 2);
}

static void a_page_folds_moments_and_leaves_out_what_is_not_known(void) {
    static struct seen seen;
    struct series s = {0};
    bool wanted[SERIES_COUNT] = {[SERIES_lag_bytes] = true};
    json_t *points = json_array();

    for (int i = 0; i < 60; i++) {
        if (i < 10 || i >= 30)
            second(&s, START_S + i, i, &seen);
    }
    series_fold_points(&s.open[0], 1, 1, 10, START_S, START_S + 60, wanted, points);
    CU_ASSERT_EQUAL(json_array_size(points), 4);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(json_array_get(points, 0), "lag_bytes")), 5);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(json_array_get(points, 1), "at_s")),
                    START_S + 30);
    CU_ASSERT_PTR_NULL(json_object_get(json_array_get(points, 0), "latency_us"));
    json_array_clear(points);
    series_fold_points(&s.open[0], 1, 1, 1, START_S + 5, START_S + 7, wanted, points);
    CU_ASSERT_EQUAL(json_array_size(points), 2);
    json_decref(points);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_bucket_is_handed_over_when_its_sixty_moments_are_past),
    CUNIT_TEST(a_longer_step_keeps_the_worst_latency_the_mean_rate_and_the_last_count),
    CUNIT_TEST(a_gap_stays_unknown_and_a_second_counts_once),
    CUNIT_TEST(a_page_folds_moments_and_leaves_out_what_is_not_known),
};
CUNIT_MAIN("series", tests)
