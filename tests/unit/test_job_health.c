/* test_job_health.c - how late a job is, and what limits how long it can go on. */
#include <string.h>

#include "services/job/job_health.h"
#include "tests/support/cunit_run.h"

enum { NOW = 1000000000 };

static struct store_progress progress;
static struct job_seen job;

/* A tail whose heartbeat of 3 ms was just seen, and that nothing limits. */
static void well(void) {
    memset(&progress, 0, sizeof(progress));
    snprintf(progress.phase, sizeof(progress.phase), "incremental");
    progress.heartbeat_state = 1;
    progress.heartbeat_interval_ms = 1000;
    progress.latency_us = 3000;
    progress.latency_at_ms = NOW - 500;
    progress.sampled_at_ms = NOW - 200;
    job = (struct job_seen){.state = JOB_RUNNING, .progress = &progress, .now_ms = NOW};
}

static void expect_latency(int64_t ms, const char *method, const char *quality) {
    struct job_latency l = job_health_latency(&job);

    CU_ASSERT_EQUAL(l.ms, ms);
    CU_ASSERT_STRING_EQUAL(l.method ? l.method : "-", method);
    CU_ASSERT_STRING_EQUAL(l.quality ? l.quality : "-", quality);
}

static void expect_safe_for(int64_t seconds, const char *by) {
    struct job_safe_for s = job_health_safe_for(&job);

    CU_ASSERT_STRING_EQUAL(s.limited_by ? s.limited_by : "-", by);
    CU_ASSERT_EQUAL(s.limited_by ? s.seconds : 0, seconds);
}

static void a_heartbeat_that_was_seen_is_measured(void) {
    well();
    expect_latency(3, "heartbeat", "measured");
    progress.latency_us = 60000000; /* a minute late, and one arrives each second */
    expect_latency(60000, "heartbeat", "measured");
}

static void what_an_earlier_run_left_is_no_latency(void) {
    well();
    job.state = JOB_CONFIGURED;
    expect_latency(-1, "-", "-");
    job.state = JOB_STOPPED;
    expect_latency(-1, "-", "-");
}

static void a_heartbeat_that_is_overdue_makes_the_latency_grow(void) {
    well();
    /* Just sampled: the last one was seen 2.2 s before that, so the one written a second after it
     * is 1.2 s old and not here. */
    progress.latency_at_ms = progress.sampled_at_ms - 2200;
    expect_latency(1203, "heartbeat", "measured");
    /* One that is missing for as long as an interval may be on its way, and reports take theirs. */
    progress.latency_at_ms = progress.sampled_at_ms - 1900;
    expect_latency(3, "heartbeat", "measured");
}

static void three_missed_heartbeats_are_stale_by_the_job_s_own_interval(void) {
    static const struct {
        int64_t interval_ms, age_ms;
        bool is_stale;
    } cases[] = {{1000, 4900, false},   {1000, 5000, true},   {200, 2500, false}, {200, 2600, true},
                 {10000, 31000, false}, {10000, 32000, true}, {0, 4900, false},   {0, 5000, true}};

    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        well();
        progress.heartbeat_interval_ms = cases[i].interval_ms;
        progress.latency_at_ms = NOW - cases[i].age_ms;
        CU_ASSERT_EQUAL(job_health_beats_are_missed(&job), cases[i].is_stale);
        CU_ASSERT_STRING_EQUAL(job_health_latency(&job).quality,
                               cases[i].is_stale ? "stale" : "measured");
    }
    /* And then it says how old what was last seen is, by the clock of whoever looks. */
    well();
    progress.latency_at_ms = NOW - 60000;
    expect_latency(60000 + 3 - 1000, "heartbeat", "stale");
}

static void the_clock_of_a_worker_may_be_hours_off(void) {
    static const int64_t skews_ms[] = {-7200000, 3600000};

    for (size_t i = 0; i < LENGTH_OF(skews_ms); i++) {
        well();
        progress.clock_skew_ms = skews_ms[i];
        job.now_ms = NOW + skews_ms[i]; /* by the control database */
        expect_latency(3, "heartbeat", "measured");
        progress.latency_at_ms = NOW - 60000;
        expect_latency(59003, "heartbeat", "stale");
        progress.certificate_until_ms = NOW + 900000;
        expect_safe_for(900, "certificate");
    }
    /* What a report's way may be is no skew. */
    well();
    progress.clock_skew_ms = -300;
    expect_latency(3, "heartbeat", "measured");
    CU_ASSERT_EQUAL(job_health_worker_now(&job), NOW);
}

static void a_worker_that_says_nothing_makes_it_stale(void) {
    well();
    job.now_ms = NOW + 10000;
    CU_ASSERT_STRING_EQUAL(job_health_latency(&job).quality, "stale");
    well();
    progress.latency_at_ms = 0;
    progress.heartbeat_state = 2;
    job.now_ms = NOW + 10000;
    CU_ASSERT_STRING_EQUAL(job_health_latency(&job).quality, "stale");
}

static void without_a_heartbeat_the_offsets_are_an_estimate(void) {
    well();
    progress.latency_at_ms = 0;
    progress.heartbeat_state = 2;
    expect_latency(0, "offset", "estimated");
    CU_ASSERT_STRING_EQUAL(job_health_latency(&job).reason, "heartbeat_refused");
    progress.lag_bytes = 5000;
    progress.offset_lag_ms = 1700;
    expect_latency(1700, "offset", "estimated");
    progress.offset_lag_ms = -1;
    expect_latency(-1, "offset", "estimated");
    progress.source_bytes_per_second = 1000;
    expect_latency(5000, "offset", "estimated");
    progress.lag_bytes = 0; /* and its source is silent */
    progress.offset_lag_ms = 9000;
    expect_latency(9000, "offset", "estimated");
    progress.heartbeat_state = 0; /* off */
    CU_ASSERT_PTR_NULL(job_health_latency(&job).reason);
}

static void a_heartbeat_that_is_refused_later_gives_way_to_the_offsets(void) {
    well();
    progress.heartbeat_state = 2;
    expect_latency(3, "heartbeat", "measured");
    progress.latency_at_ms = NOW - 6000;
    expect_latency(0, "offset", "estimated");
}

static void there_is_no_latency_before_the_tail_and_after_the_end(void) {
    well();
    job.state = JOB_STOPPED;
    expect_latency(-1, "-", "-");
    well();
    snprintf(progress.phase, sizeof(progress.phase), "full");
    progress.latency_at_ms = 0;
    expect_latency(-1, "-", "-");
}

/* ---- safe for ---- */

static void nothing_in_sight_is_said_so(void) {
    well();
    expect_safe_for(0, "-");
}

static void the_spool_limits_at_the_rate_of_the_source(void) {
    well();
    progress.spool_quota_bytes = 10000;
    progress.spool_bytes = 1000;
    progress.source_bytes_per_second = 10;
    progress.bytes_per_second = 900; /* what is applied fills nothing */
    expect_safe_for(900, "spool");
}

static void the_memory_of_the_destination_limits_at_the_rate_it_grows(void) {
    well();
    progress.spool_quota_bytes = 1000000;
    progress.source_bytes_per_second = 10;
    progress.destination_memory_bytes = 700;
    progress.destination_memory_max_bytes = 1000;
    expect_safe_for(100000, "spool");
    progress.destination_memory_growth = 3;
    expect_safe_for(100, "memory");
    progress.destination_memory_bytes = 1100;
    expect_safe_for(0, "memory");
    progress.destination_memory_max_bytes = 0; /* no limit */
    expect_safe_for(100000, "spool");
}

static void a_copy_that_ends_before_the_memory_does_is_not_limited_by_it(void) {
    well();
    snprintf(progress.phase, sizeof(progress.phase), "full");
    progress.destination_memory_bytes = 500;
    progress.destination_memory_max_bytes = 1000;
    progress.destination_memory_growth = 5;
    progress.bytes_total = 900;
    progress.bytes_done = 500;
    progress.bytes_per_second = 5;
    expect_safe_for(0, "-");
    progress.bytes_total = 1200;
    expect_safe_for(100, "memory");
}

static void certificates_and_roles_limit_by_their_ends(void) {
    well();
    progress.certificate_until_ms = NOW + 7200 * 1000;
    expect_safe_for(7200, "certificate");
    progress.role_until_ms = NOW + 600 * 1000;
    expect_safe_for(600, "role");
    progress.certificate_until_ms = NOW - 1000;
    expect_safe_for(0, "certificate");
    job.state = JOB_PAUSED;
    expect_safe_for(0, "certificate");
    job.state = JOB_STOPPED;
    expect_safe_for(0, "-");
    well();
    progress.certificate_until_ms = NOW + (int64_t)400 * 86400 * 1000;
    expect_safe_for(0, "-");
}

static void while_it_retries_the_clock_and_the_backlog_run(void) {
    well();
    job.state = JOB_RETRYING;
    job.retry_deadline_ms = NOW + 90000;
    progress.backlog_seconds = -1;
    progress.spool_quota_bytes = 1;
    progress.source_bytes_per_second = 1;
    expect_safe_for(90, "retry");
    progress.backlog_bytes = 1000;
    progress.backlog_seconds = 60;
    progress.sampled_at_ms = NOW - 10000;
    expect_safe_for(50, "backlog");
    progress.backlog_seconds = 0;
    expect_safe_for(0, "backlog");
}

static void what_is_paused_or_waits_for_a_person_is_limited_by_the_backlog(void) {
    static const enum job_state states[] = {JOB_PAUSED, JOB_BLOCKED, JOB_FAILED};

    for (size_t i = 0; i < LENGTH_OF(states); i++) {
        well();
        job.state = states[i];
        progress.backlog_bytes = 10000;
        progress.source_offset = 600;
        progress.stream_end = 100;
        progress.source_bytes_per_second = 10;
        progress.sampled_at_ms = NOW - 50000;
        expect_safe_for(950 - 50, "backlog");
        progress.source_bytes_per_second = 0; /* nobody writes */
        expect_safe_for(0, "-");
    }
}

static void what_must_be_copied_again_cannot_get_worse(void) {
    well();
    job.state = JOB_BLOCKED;
    job.attention = "needs_recopy";
    progress.backlog_bytes = progress.source_offset = progress.source_bytes_per_second = 10;
    expect_safe_for(0, "-");
    job.attention = "role_revoked";
    CU_ASSERT_PTR_NOT_NULL(job_health_safe_for(&job).limited_by);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_heartbeat_that_was_seen_is_measured),
    CUNIT_TEST(what_an_earlier_run_left_is_no_latency),
    CUNIT_TEST(a_heartbeat_that_is_overdue_makes_the_latency_grow),
    CUNIT_TEST(three_missed_heartbeats_are_stale_by_the_job_s_own_interval),
    CUNIT_TEST(the_clock_of_a_worker_may_be_hours_off),
    CUNIT_TEST(a_worker_that_says_nothing_makes_it_stale),
    CUNIT_TEST(without_a_heartbeat_the_offsets_are_an_estimate),
    CUNIT_TEST(a_heartbeat_that_is_refused_later_gives_way_to_the_offsets),
    CUNIT_TEST(there_is_no_latency_before_the_tail_and_after_the_end),
    CUNIT_TEST(nothing_in_sight_is_said_so),
    CUNIT_TEST(the_spool_limits_at_the_rate_of_the_source),
    CUNIT_TEST(the_memory_of_the_destination_limits_at_the_rate_it_grows),
    CUNIT_TEST(a_copy_that_ends_before_the_memory_does_is_not_limited_by_it),
    CUNIT_TEST(certificates_and_roles_limit_by_their_ends),
    CUNIT_TEST(while_it_retries_the_clock_and_the_backlog_run),
    CUNIT_TEST(what_is_paused_or_waits_for_a_person_is_limited_by_the_backlog),
    CUNIT_TEST(what_must_be_copied_again_cannot_get_worse),
};
CUNIT_MAIN("job_health", tests)
