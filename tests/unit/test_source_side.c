/* The source's clock, of which relative expiries count. */
#include "services/flow/source_side.h"
#include "tests/support/cunit_run.h"

static void a_wall_clock_of_ours_that_is_set_moves_no_expiry(void) {
    struct source_side side = {.clock_ms = 1700000000000, .clock_at_ms = 5000};

    CU_ASSERT_EQUAL(source_side_clock_ms(&side, 5000, 1700000000000), 1700000000000);
    CU_ASSERT_EQUAL(source_side_clock_ms(&side, 5250, 1700000000000 - 3600000), 1700000000250);
    CU_ASSERT_EQUAL(source_side_clock_ms(&side, 5250, 1700000000000 + 3600000), 1700000000250);
}

static void one_that_does_not_tell_has_ours(void) {
    struct source_side side = {.clock_at_ms = 5000};

    CU_ASSERT_EQUAL(source_side_clock_ms(&side, 9000, 1700000000123), 1700000000123);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_wall_clock_of_ours_that_is_set_moves_no_expiry),
    CUNIT_TEST(one_that_does_not_tell_has_ours),
};
CUNIT_MAIN("source_side", tests)
