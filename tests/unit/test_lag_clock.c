/* test_lag_clock.c - ages told by offsets, and how fast a level rises. */
#include <string.h>

#include "services/worker/growth.h"
#include "services/worker/lag_clock.h"
#include "tests/support/cunit_run.h"

static struct lag_clock lag;

/* A history that grows by `rate` bytes a second, looked at each second. */
static void grow(int64_t from_s, int64_t to_s, uint64_t rate) {
    for (int64_t s = from_s; s < to_s; s++)
        lag_clock_note(&lag, (uint64_t)s * rate + 1, s * 1000);
}

static void what_is_applied_has_no_age(void) {
    memset(&lag, 0, sizeof(lag));
    CU_ASSERT_EQUAL(lag_clock_age(&lag, 1, 5000), -1);
    grow(0, 10, 100);
    CU_ASSERT_EQUAL(lag_clock_age(&lag, 901, 9000), 0);
    CU_ASSERT_EQUAL(lag_clock_age(&lag, 5000, 9000), 0);
}

static void an_offset_is_as_old_as_the_time_when_the_history_ended_there(void) {
    memset(&lag, 0, sizeof(lag));
    grow(100, 200, 1000);
    CU_ASSERT_EQUAL(lag_clock_age(&lag, 150001, 199000), 49000);
    CU_ASSERT_EQUAL(lag_clock_age(&lag, 150501, 199000), 48500);
    /* It goes on growing while nothing is applied. */
    CU_ASSERT_EQUAL(lag_clock_age(&lag, 150001, 229000), 79000);
}

static void a_pause_of_the_writers_is_no_age(void) {
    memset(&lag, 0, sizeof(lag));
    lag_clock_note(&lag, 10, 0);
    for (int64_t s = 1; s < 1000; s++)
        lag_clock_note(&lag, 10, s * 1000);
    lag_clock_note(&lag, 20, 1000000);
    /* What is not applied was written after the last time the history was seen to end there. */
    CU_ASSERT_EQUAL(lag_clock_age(&lag, 10, 1000000), 1000);
}

static void what_is_older_than_all_marks_is_not_known(void) {
    memset(&lag, 0, sizeof(lag));
    grow(100, 110, 1000);
    CU_ASSERT_EQUAL(lag_clock_age(&lag, 5, 110000), -1);
}

static void another_history_begins_anew(void) {
    memset(&lag, 0, sizeof(lag));
    grow(100, 110, 1000);
    lag_clock_note(&lag, 50, 111000);
    CU_ASSERT_EQUAL(lag_clock_age(&lag, 50, 111000), 0);
    CU_ASSERT_EQUAL(lag_clock_age(&lag, 40, 111000), -1);
}

/* Two days, one mark a second: the answers for all ages stay within a few hundredths. */
static void old_marks_are_thinned_out_and_answers_stay_near(void) {
    memset(&lag, 0, sizeof(lag));
    grow(0, 2 * 86400, 500);
    CU_ASSERT(lag.count <= LAG_CLOCK_MARKS);
    for (int64_t age_s = 1; age_s < 86400; age_s = age_s * 3 / 2 + 1) {
        int64_t now_s = 2 * 86400 - 1;
        int64_t got = lag_clock_age(&lag, (uint64_t)(now_s - age_s) * 500 + 1, now_s * 1000);

        CU_ASSERT(got >= age_s * 950 && got <= age_s * 1050);
    }
}

static void growth_is_known_after_a_while_and_is_the_rate_of_minutes(void) {
    struct growth g = {.count = 0};

    for (int64_t s = 0; s <= 8; s++) {
        growth_note(&g, 100000000 + s * 1000000, s * 1000);
        CU_ASSERT_EQUAL(growth_per_second(&g), 0);
    }
    for (int64_t s = 9; s < 4000; s++) {
        growth_note(&g, 100000000 + s * 1000000, s * 1000);
        CU_ASSERT_EQUAL(growth_per_second(&g), 1000000);
    }
    /* It stands still: the rate fades as the minutes go by. */
    for (int64_t s = 4000; s < 4150; s++)
        growth_note(&g, 100000000 + 3999 * (int64_t)1000000, s * 1000);
    CU_ASSERT(growth_per_second(&g) > 400000 && growth_per_second(&g) < 600000);
    for (int64_t s = 4150; s < 4400; s++)
        growth_note(&g, 100000000 + 3999 * (int64_t)1000000, s * 1000);
    CU_ASSERT_EQUAL(growth_per_second(&g), 0);
}

static void what_comes_and_goes_is_no_growth(void) {
    struct growth g = {.count = 0};

    for (int64_t s = 0; s < 600; s++) {
        growth_note(&g, 50000000 + s * 7919 % 200000, s * 1000);
        CU_ASSERT_EQUAL(growth_per_second(&g), 0);
    }
}

static void after_it_was_emptied_it_is_measured_anew(void) {
    struct growth g = {.count = 0};

    for (int64_t s = 0; s < 300; s++)
        growth_note(&g, 900000000, s * 1000);
    for (int64_t s = 300; s < 330; s++)
        growth_note(&g, 10000000 + (s - 300) * 2000000, s * 1000);
    CU_ASSERT_EQUAL(growth_per_second(&g), 2000000);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(what_is_applied_has_no_age),
    CUNIT_TEST(an_offset_is_as_old_as_the_time_when_the_history_ended_there),
    CUNIT_TEST(a_pause_of_the_writers_is_no_age),
    CUNIT_TEST(what_is_older_than_all_marks_is_not_known),
    CUNIT_TEST(another_history_begins_anew),
    CUNIT_TEST(old_marks_are_thinned_out_and_answers_stay_near),
    CUNIT_TEST(growth_is_known_after_a_while_and_is_the_rate_of_minutes),
    CUNIT_TEST(what_comes_and_goes_is_no_growth),
    CUNIT_TEST(after_it_was_emptied_it_is_measured_anew),
};
CUNIT_MAIN("lag_clock", tests)
