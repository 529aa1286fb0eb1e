#include <string.h>

#include "services/worker/gauges.h"
#include "tests/support/cunit_run.h"

static struct control_block block;
static struct gauges gauges;
static struct store_progress progress;

static void clean(void) {
    memset(&block, 0, sizeof(block));
    memset(&gauges, 0, sizeof(gauges));
    memset(&progress, 0, sizeof(progress));
    progress.spool_quota_bytes = 1 << 30;
}

/* One second later. */
static void sample(int64_t second) {
    gauges_sample(&gauges, &block, second * 1000 + 1, 1700000000000 + second * 1000, &progress);
}

static void tail(uint64_t source, uint64_t spooled, uint64_t applied) {
    atomic_store(&block.phase, CONTROL_INCREMENTAL);
    atomic_store(&block.link, CONTROL_LINK_STREAM);
    atomic_store(&block.source_offset, source);
    atomic_store(&block.stream_end, spooled);
    atomic_store(&block.applied_offset, applied);
}

static void rates_come_near_the_truth_and_one_sample_is_no_rate(void) {
    clean();
    atomic_store(&block.phase, CONTROL_FULL);
    atomic_store(&block.keys_done, 5000000); /* seeded: another process did them */
    sample(0);
    CU_ASSERT_EQUAL(progress.keys_per_second, 0);
    for (int i = 1; i <= 30; i++) {
        atomic_fetch_add(&block.keys_done, 1000);
        sample(i);
    }
    CU_ASSERT(progress.keys_per_second > 990 && progress.keys_per_second <= 1000);
    /* A copy that begins again counts from zero: no negative rate, no jump. */
    atomic_store(&block.keys_done, 0);
    sample(31);
    CU_ASSERT(progress.keys_per_second >= 0 && progress.keys_per_second < 1000);
    for (int i = 32; i < 92; i++)
        sample(i);
    CU_ASSERT_EQUAL(progress.keys_per_second, 0);
}

/* The time that is left of a copy is reckoned by its rate. */
static void a_copy_has_its_rate_from_the_first_second_on(void) {
    clean();
    atomic_store(&block.phase, CONTROL_FULL);
    sample(0);
    sample(1); /* nothing was acknowledged yet */
    CU_ASSERT_EQUAL(progress.keys_per_second, 0);
    for (int i = 2; i < 6; i++) {
        atomic_fetch_add(&block.keys_done, 400);
        atomic_fetch_add(&block.copy_bytes_done, 12000);
        sample(i);
        CU_ASSERT_EQUAL(progress.keys_per_second, 400);
        CU_ASSERT_EQUAL(progress.bytes_per_second, 12000);
    }
    /* A burst of a tail is smoothed, as it ever was. */
    clean();
    tail(1000, 1000, 1000);
    sample(0);
    atomic_fetch_add(&block.bytes_applied, 12000);
    sample(1);
    CU_ASSERT(progress.bytes_per_second > 0 && progress.bytes_per_second < 6000);
}

static void lag_is_what_the_source_has_and_the_destination_has_not(void) {
    clean();
    tail(1000, 900, 600);
    sample(0);
    CU_ASSERT_EQUAL(progress.lag_bytes, 400);
    tail(1000, 1100, 1100); /* the sample of the source is a second old */
    sample(1);
    CU_ASSERT_EQUAL(progress.lag_bytes, 0);
    CU_ASSERT_STRING_EQUAL(progress.phase, "incremental");
}

static void caught_up_is_earned_kept_and_lost(void) {
    clean();
    tail(10000000, 10000000, 1000);
    sample(0);
    CU_ASSERT_STRING_EQUAL(progress.sync_state, "catching_up");
    tail(10000000, 10000000, 10000000 - GAUGES_CAUGHT_UP_BYTES);
    sample(1);
    CU_ASSERT_STRING_EQUAL(progress.sync_state, "caught_up");
    tail(10000000, 10000000, 10000000 - 3 * GAUGES_CAUGHT_UP_BYTES);
    sample(2);
    CU_ASSERT_STRING_EQUAL(progress.sync_state, "caught_up");
    tail(20000000, 20000000, 11000000);
    sample(3);
    CU_ASSERT_STRING_EQUAL(progress.sync_state, "catching_up");
}

static void a_tail_that_does_not_move_is_stalled_and_an_idle_one_is_not(void) {
    clean();
    tail(5, 5, 5);
    for (int i = 0; i < 200; i++) {
        if (i % 10 == 0)
            atomic_fetch_add(&block.received_bytes, 14); /* PING */
        sample(i);
    }
    CU_ASSERT_STRING_EQUAL(progress.sync_state, "caught_up");
    tail(10000000, 10000000, 5);
    for (int i = 200; i < 258; i++) {
        atomic_fetch_add(&block.received_bytes, 14);
        sample(i);
    }
    CU_ASSERT_STRING_EQUAL(progress.sync_state, "catching_up");
    for (int i = 258; i < 262; i++)
        sample(i);
    CU_ASSERT_STRING_EQUAL(progress.sync_state, "stalled");
}

static void a_source_that_is_gone_stalls_the_tail(void) {
    clean();
    tail(5, 5, 5);
    sample(0);
    atomic_store(&block.link, CONTROL_LINK_DOWN);
    sample(9);
    CU_ASSERT_STRING_EQUAL(progress.sync_state, "caught_up");
    sample(10);
    CU_ASSERT_STRING_EQUAL(progress.sync_state, "stalled");
}

static void a_source_that_says_nothing_is_not_caught_up_with(void) {
    clean();
    tail(5, 5, 5);
    atomic_store(&block.heartbeat_state, 1);
    for (int i = 0; i < 15; i++)
        sample(i);
    CU_ASSERT_STRING_EQUAL(progress.sync_state, "caught_up");
    sample(16);
    CU_ASSERT_STRING_EQUAL(progress.sync_state, "stalled");
}

static void cut_off_the_backlog_is_what_is_left(void) {
    clean();
    tail(1, 1, 1);
    atomic_store(&block.backlog_bytes, 1000000);
    for (int i = 0; i < 30; i++) {
        uint64_t at = (uint64_t)i * 1000 + 1;

        tail(at, at, at);
        sample(i);
    }
    atomic_store(&block.link, CONTROL_LINK_DOWN);
    for (int i = 30; i < 60; i++)
        sample(i);
    CU_ASSERT(progress.backlog_seconds > 950 && progress.backlog_seconds < 1000);
    for (int i = 60; i < 1200; i++)
        sample(i);
    CU_ASSERT_EQUAL(progress.backlog_seconds, 0);
    atomic_store(&block.link, CONTROL_LINK_STREAM);
    sample(1200);
    CU_ASSERT_EQUAL(progress.backlog_seconds, -1);
}

static void what_does_not_move_although_it_should_is_dated(void) {
    const int64_t start_ms = 1700000000000;

    clean();
    tail(1000, 1000, 500);
    sample(0);
    CU_ASSERT_EQUAL(progress.moved_at_ms, start_ms);
    for (int i = 1; i < 50; i++)
        sample(i);
    CU_ASSERT_EQUAL(progress.moved_at_ms, start_ms);
    tail(1000, 1000, 600);
    sample(50);
    CU_ASSERT_EQUAL(progress.moved_at_ms, start_ms + 50000);
    /* With nothing to do it is well. */
    tail(1000, 1000, 1000);
    sample(51);
    atomic_fetch_add(&block.received_bytes, 14);
    sample(60);
    CU_ASSERT_EQUAL(progress.moved_at_ms, start_ms + 60000);
    /* Another worker begins with what the last one knew: it has to move first. */
    memset(&gauges, 0, sizeof(gauges));
    tail(2000, 2000, 1000);
    sample(100);
    CU_ASSERT_EQUAL(progress.moved_at_ms, start_ms + 100000);
    sample(130);
    CU_ASSERT_EQUAL(progress.moved_at_ms, start_ms + 100000);
}

static void memory_certificates_and_ages_are_told(void) {
    clean();
    for (int i = 0; i < 40; i++) {
        uint64_t at = (uint64_t)i * 1000 + 1;

        tail(at, at, i < 20 ? at : 20001);
        atomic_store(&block.destination_memory_bytes, 1000000 + (uint64_t)i * 100000);
        sample(i);
    }
    CU_ASSERT_EQUAL(progress.destination_memory_growth, 100000);
    CU_ASSERT_EQUAL(progress.offset_lag_ms, 19000);
    CU_ASSERT(progress.source_bytes_per_second >= 990 && progress.source_bytes_per_second <= 1000);
    CU_ASSERT_EQUAL(progress.certificate_until_ms, 0);
    atomic_store(&block.destination_certificate_until_ms, 70);
    sample(40);
    CU_ASSERT_EQUAL(progress.certificate_until_ms, 70);
    atomic_store(&block.source_certificate_until_ms, 60);
    sample(41);
    CU_ASSERT_EQUAL(progress.certificate_until_ms, 60);
}

static void a_source_that_says_nothing_is_as_late_as_its_last_word(void) {
    clean();
    progress.heartbeat_interval_ms = 1000;
    for (int i = 0; i < 5; i++) {
        tail(1000, 1000, 1000);
        atomic_store(&block.source_asked_at_ms, 1700000000000 + (uint64_t)i * 1000);
        sample(i);
        CU_ASSERT_EQUAL(progress.offset_lag_ms, 0);
    }
    /* Its link stands, and it answers no more. */
    for (int i = 5; i < 9; i++) {
        sample(i);
        CU_ASSERT_EQUAL(progress.offset_lag_ms, 0);
    }
    sample(34);
    CU_ASSERT_EQUAL(progress.offset_lag_ms, 30000);
    /* Cut off, what comes from the last answer is no news. */
    atomic_store(&block.link, CONTROL_LINK_DOWN);
    atomic_store(&block.source_asked_at_ms, 1700000040000);
    sample(64);
    CU_ASSERT_EQUAL(progress.offset_lag_ms, 60000);
    tail(1000, 1000, 1000);
    atomic_store(&block.source_asked_at_ms, 1700000065000);
    sample(65);
    CU_ASSERT_EQUAL(progress.offset_lag_ms, 0);
}

static void a_slow_heartbeat_is_no_silence(void) {
    clean();
    tail(5, 5, 5);
    atomic_store(&block.heartbeat_state, 1);
    progress.heartbeat_interval_ms = 60000;
    for (int i = 0; i < 179; i++)
        sample(i);
    CU_ASSERT_STRING_EQUAL(progress.sync_state, "caught_up");
    sample(181);
    CU_ASSERT_STRING_EQUAL(progress.sync_state, "stalled");
}

static void a_new_block_goes_on_where_the_last_one_was(void) {
    struct store_progress found = {0};

    clean();
    found.commands_applied = 77;
    found.keys_done = 5;
    found.full_syncs = -3; /* not ours to believe */
    gauges_seed(&block, &found);
    sample(0);
    CU_ASSERT_EQUAL(progress.commands_applied, 77);
    CU_ASSERT_EQUAL(progress.keys_done, 5);
    CU_ASSERT_EQUAL(progress.full_syncs, 0);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(rates_come_near_the_truth_and_one_sample_is_no_rate),
    CUNIT_TEST(a_copy_has_its_rate_from_the_first_second_on),
    CUNIT_TEST(lag_is_what_the_source_has_and_the_destination_has_not),
    CUNIT_TEST(caught_up_is_earned_kept_and_lost),
    CUNIT_TEST(a_tail_that_does_not_move_is_stalled_and_an_idle_one_is_not),
    CUNIT_TEST(a_source_that_is_gone_stalls_the_tail),
    CUNIT_TEST(a_source_that_says_nothing_is_not_caught_up_with),
    CUNIT_TEST(cut_off_the_backlog_is_what_is_left),
    CUNIT_TEST(what_does_not_move_although_it_should_is_dated),
    CUNIT_TEST(memory_certificates_and_ages_are_told),
    CUNIT_TEST(a_source_that_says_nothing_is_as_late_as_its_last_word),
    CUNIT_TEST(a_slow_heartbeat_is_no_silence),
    CUNIT_TEST(a_new_block_goes_on_where_the_last_one_was),
};
CUNIT_MAIN("gauges", tests)
