#include <stdio.h>

#include "services/worker/worker_drain.h"
#include "tests/support/cunit_run.h"

static const struct store_progress near = {
    .position_state = "tail", .backlog_bytes = 1 << 20, .lag_bytes = 1000};

static const char *why(enum job_state state, const struct store_progress *progress) {
    const char *word = worker_drain_why(state, false, true, progress);

    return word ? word : "goes";
}

static void a_tail_that_the_backlog_reaches_goes(void) {
    struct store_progress p = near;

    CU_ASSERT_STRING_EQUAL(why(JOB_RUNNING, &p), "goes");
    CU_ASSERT_STRING_EQUAL(why(JOB_RETRYING, &p), "goes");
    p.lag_bytes = 512 * 1024;
    CU_ASSERT_STRING_EQUAL(why(JOB_RUNNING, &p), "goes");
    p.lag_bytes++; /* the other half is for what is written meanwhile */
    CU_ASSERT_STRING_EQUAL(why(JOB_RUNNING, &p), "catching_up");
    p.backlog_bytes = 0;
    p.lag_bytes = 16 * 1024;
    CU_ASSERT_STRING_EQUAL(why(JOB_RUNNING, &p), "goes");
    p.lag_bytes++;
    CU_ASSERT_STRING_EQUAL(why(JOB_RUNNING, &p), "catching_up");
}

static void what_would_begin_anew_elsewhere_stays(void) {
    struct store_progress p = near;

    snprintf(p.position_state, sizeof(p.position_state), "copy");
    CU_ASSERT_STRING_EQUAL(why(JOB_RUNNING, &p), "copying");
    snprintf(p.position_state, sizeof(p.position_state), "none");
    CU_ASSERT_STRING_EQUAL(why(JOB_STARTING, &p), "copying");
    CU_ASSERT_PTR_NULL(worker_drain_why(JOB_STARTING, false, false, &p));
    CU_ASSERT_PTR_NULL(worker_drain_why(JOB_QUEUED, false, false, &p));
}

static void what_is_about_to_end_stays(void) {
    static const enum job_state ending[] = {JOB_PAUSING, JOB_STOPPING, JOB_CUTTING_OVER,
                                            JOB_COMPLETED};

    for (size_t i = 0; i < LENGTH_OF(ending); i++)
        CU_ASSERT_STRING_EQUAL(why(ending[i], &near), "ending");
    CU_ASSERT_STRING_EQUAL(worker_drain_why(JOB_RUNNING, true, true, &near), "ending");
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_tail_that_the_backlog_reaches_goes),
    CUNIT_TEST(what_would_begin_anew_elsewhere_stays),
    CUNIT_TEST(what_is_about_to_end_stays),
};

int main(void) {
    return cunit_run("worker_drain", tests, (unsigned)LENGTH_OF(tests));
}
