#include "services/worker/retry_clock.h"
#include "tests/support/cunit_run.h"

static const struct retry_policy policy = {
    .minutes = {20, 2, 0},
    .backoff = {.initial_ms = 500, .max_ms = 30000, .jitter = 0, .attempt = 0},
};

static const int64_t minute = 60000;

static void attempts_move_apart_up_to_the_limit(void) {
    static const int64_t expected[] = {500, 1000, 2000, 4000, 8000, 16000, 30000, 30000};
    struct retry_clock clock = {0};

    for (uint32_t i = 0; i < LENGTH_OF(expected); i++) {
        CU_ASSERT_TRUE(retry_clock_failed(&clock, &policy, ERR_CLOSED, 1000, 7));
        CU_ASSERT_EQUAL(clock.next_ms, 1000 + expected[i]);
    }
}

static void a_clock_runs_from_the_first_failure(void) {
    struct retry_clock clock = {0};
    int64_t start = 1000000;

    CU_ASSERT_TRUE(retry_clock_failed(&clock, &policy, ERR_SOURCE_DOWN, start, 0));
    CU_ASSERT_EQUAL(clock.until_ms, start + 20 * minute);
    CU_ASSERT_TRUE(retry_clock_failed(&clock, &policy, ERR_CONNECT, start + 19 * minute, 0));
    CU_ASSERT_EQUAL(clock.attempts, 2);
    CU_ASSERT_FALSE(retry_clock_failed(&clock, &policy, ERR_CONNECT, start + 20 * minute, 0));
}

static void each_kind_of_failure_has_its_own_clock(void) {
    struct retry_clock clock = {0};

    CU_ASSERT_TRUE(retry_clock_failed(&clock, &policy, ERR_SOURCE_DOWN, 1, 0));
    /* A server that is back after ten minutes and still busy has two minutes from now. */
    CU_ASSERT_TRUE(retry_clock_failed(&clock, &policy, ERR_DEST_OOM, 10 * minute, 0));
    CU_ASSERT_EQUAL(clock.kind, RETRY_KIND_OTHER);
    CU_ASSERT_EQUAL(clock.until_ms, 12 * minute);
    CU_ASSERT_FALSE(retry_clock_failed(&clock, &policy, ERR_DEST_OOM, 12 * minute, 0));
}

static void waiting_for_what_is_certain_never_runs_out(void) {
    struct retry_clock clock = {0};

    CU_ASSERT_TRUE(retry_clock_failed(&clock, &policy, ERR_FULL_SYNC_BUDGET, 1, 0));
    CU_ASSERT_TRUE(retry_clock_failed(&clock, &policy, ERR_FULL_SYNC_BUDGET, 1440 * minute, 0));
}

static void being_well_for_a_while_forgets_and_a_moment_does_not(void) {
    struct retry_clock clock = {0};

    retry_clock_well(&clock, 5);
    CU_ASSERT_EQUAL(clock.well_since_ms, 0);
    CU_ASSERT_TRUE(retry_clock_failed(&clock, &policy, ERR_CLOSED, 1000, 0));
    retry_clock_well(&clock, 2000);
    retry_clock_well(&clock, 2000 + RETRY_WELL_MS - 1);
    CU_ASSERT_TRUE(retry_clock_runs(&clock));
    CU_ASSERT_TRUE(retry_clock_failed(&clock, &policy, ERR_CLOSED, 33000, 0));
    CU_ASSERT_EQUAL(clock.until_ms, 1000 + 20 * minute);
    retry_clock_well(&clock, 34000);
    retry_clock_well(&clock, 34000 + RETRY_WELL_MS);
    CU_ASSERT_FALSE(retry_clock_runs(&clock));
    CU_ASSERT_EQUAL(clock.since_ms[RETRY_KIND_CONNECTION], 0);
}

static void a_link_that_is_cut_now_and_then_is_taken_up_quickly(void) {
    struct retry_clock clock = {0};

    for (int i = 0; i < 20; i++) {
        CU_ASSERT_TRUE(retry_clock_failed(&clock, &policy, ERR_CLOSED, 1000 + i * 5000, 0));
        CU_ASSERT_EQUAL(clock.next_ms, 1000 + i * 5000 + 500);
        retry_clock_well(&clock, 3000 + i * 5000);
    }
    CU_ASSERT_EQUAL(clock.since_ms[RETRY_KIND_CONNECTION], 1000);
    CU_ASSERT_EQUAL(clock.attempts, 20);
}

static void a_wall_clock_set_back_does_not_make_a_job_well(void) {
    struct retry_clock clock = {0};

    CU_ASSERT_TRUE(retry_clock_failed(&clock, &policy, ERR_CLOSED, 1000000, 0));
    retry_clock_well(&clock, 1000001);
    retry_clock_well(&clock, 500000);
    retry_clock_well(&clock, 500001);
    CU_ASSERT_TRUE(retry_clock_runs(&clock));
}

static void another_worker_goes_on_with_the_clock_it_finds(void) {
    struct retry_clock clock = {0}, found;
    int64_t start = 1700000000123;
    json_t *state;

    CU_ASSERT_TRUE(retry_clock_failed(&clock, &policy, ERR_DEST_DOWN, start, 0));
    CU_ASSERT_TRUE(retry_clock_failed(&clock, &policy, ERR_DEST_DOWN, start + 5000, 0));
    state = retry_clock_to_json(&clock, "destination", ERR_DEST_DOWN, "refused");
    retry_clock_from_json(state, &found);
    CU_ASSERT_EQUAL(found.attempts, 2);
    CU_ASSERT_EQUAL(found.until_ms, start + 20 * minute);
    CU_ASSERT_FALSE(retry_clock_failed(&found, &policy, ERR_DEST_DOWN, start + 20 * minute, 0));
    json_object_set_new(state, "since", json_string("yesterday"));
    retry_clock_from_json(state, &found);
    CU_ASSERT_FALSE(retry_clock_runs(&found));
    retry_clock_from_json(NULL, &found);
    CU_ASSERT_FALSE(retry_clock_runs(&found));
    json_decref(state);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(attempts_move_apart_up_to_the_limit),
    CUNIT_TEST(a_clock_runs_from_the_first_failure),
    CUNIT_TEST(each_kind_of_failure_has_its_own_clock),
    CUNIT_TEST(waiting_for_what_is_certain_never_runs_out),
    CUNIT_TEST(being_well_for_a_while_forgets_and_a_moment_does_not),
    CUNIT_TEST(a_link_that_is_cut_now_and_then_is_taken_up_quickly),
    CUNIT_TEST(a_wall_clock_set_back_does_not_make_a_job_well),
    CUNIT_TEST(another_worker_goes_on_with_the_clock_it_finds),
};
CUNIT_MAIN("retry_clock", tests)
