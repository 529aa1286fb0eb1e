#include <stdio.h>

#include "services/flow/durable.h"
#include "tests/support/cunit_run.h"

static struct durable d;

static uint64_t note(const char *info, uint64_t applied, int64_t now_ms) {
    return durable_note(&d, str_from(info), applied, now_ms);
}

static void begin(void) {
    d = (struct durable){.count = 0};
}

static const char *replicas(int64_t own, int64_t first, int64_t second) {
    static char text[400];

    snprintf(text, sizeof(text),
             "# Replication\r\nrole:master\r\nconnected_slaves:2\r\n"
             "slave0:ip=::1,port=1,state=online,offset=%lld,lag=0\r\n"
             "slave1:ip=::1,port=2,state=online,offset=%lld,lag=0\r\n"
             "master_repl_offset:%lld\r\naof_enabled:1\r\naof_pending_bio_fsync:0\r\n",
             (long long)first, (long long)second, (long long)own);
    return text;
}

static void with_replicas_the_one_that_is_furthest_behind_counts(void) {
    begin();
    CU_ASSERT_EQUAL(note(replicas(1000, 1000, 900), 10, 0), 0);
    CU_ASSERT_EQUAL(note(replicas(2000, 2000, 999), 20, 5000), 0);
    CU_ASSERT_EQUAL(note(replicas(3000, 3000, 1000), 30, 10000), 10);
    CU_ASSERT_EQUAL(note(replicas(4000, 2500, 4000), 40, 15000), 20);
    CU_ASSERT_EQUAL(note(replicas(4000, 4000, 4000), 40, 20000), 40);
}

static void an_append_only_file_counts_once_it_is_synced(void) {
    static const char calm[] = "connected_slaves:0\naof_enabled:1\naof_pending_bio_fsync:0\n"
                               "aof_last_write_status:ok\n";
    static const char busy[] = "connected_slaves:0\naof_enabled:1\naof_pending_bio_fsync:1\n";
    static const char lost[] = "connected_slaves:0\naof_enabled:1\naof_last_write_status:err\n";

    begin();
    CU_ASSERT_EQUAL(note(calm, 10, 0), 0);
    CU_ASSERT_EQUAL(note(calm, 20, DURABLE_FSYNC_MS - 1), 0);
    CU_ASSERT_EQUAL(note(busy, 30, DURABLE_FSYNC_MS), 0);
    CU_ASSERT_EQUAL(note(lost, 30, DURABLE_FSYNC_MS), 0);
    CU_ASSERT_EQUAL(note(calm, 30, DURABLE_FSYNC_MS), 10);
}

static const char *saved(int64_t now_sec, int64_t last_save, const char *status) {
    static char text[300];

    snprintf(text, sizeof(text),
             "server_time_usec:%lld\nconnected_slaves:0\naof_enabled:0\nrdb_last_save_time:%lld\n"
             "rdb_last_bgsave_time_sec:5\nrdb_last_bgsave_status:%s\n",
             (long long)now_sec * 1000000, (long long)last_save, status);
    return text;
}

static void a_snapshot_counts_for_what_was_there_when_it_began(void) {
    begin();
    CU_ASSERT_EQUAL(note(saved(100, 50, "ok"), 10, 0), 0);
    CU_ASSERT_EQUAL(note(saved(110, 105, "ok"), 20, 10000), 0); /* it began at 100 */
    CU_ASSERT_EQUAL(note(saved(120, 107, "err"), 30, 20000), 0);
    CU_ASSERT_EQUAL(note(saved(120, 107, "ok"), 30, 20000), 10);
}

static void who_keeps_nothing_is_not_waited_for_beyond_an_age(void) {
    static const char nothing[] = "connected_slaves:0\naof_enabled:0\n";

    begin();
    CU_ASSERT_EQUAL(note(nothing, 10, 0), 0);
    CU_ASSERT_EQUAL(note(nothing, 20, DURABLE_AGE_MS - 1), 0);
    CU_ASSERT_EQUAL(note(nothing, 30, DURABLE_AGE_MS), 10);
    CU_ASSERT_EQUAL(note("nonsense", 40, 2 * DURABLE_AGE_MS - 1), 20);
}

static void what_the_destination_forgot_is_not_kept_there(void) {
    begin();
    (void)note(replicas(1000, 1000, 1000), 10, 0);
    (void)note(replicas(2000, 2000, 2000), 20, 5000);
    CU_ASSERT_EQUAL(note(replicas(3000, 3000, 3000), 30, 10000), 20);
    CU_ASSERT_EQUAL(note(replicas(500, 500, 500), 15, 15000), 15);
}

static void more_looks_than_there_is_room_for_lose_nothing(void) {
    static const char nothing[] = "connected_slaves:0\naof_enabled:0\n";

    begin();
    for (uint64_t i = 1; i <= 3 * DURABLE_SAMPLES; i++)
        CU_ASSERT_EQUAL(note(nothing, i, (int64_t)i), 0);
    CU_ASSERT_EQUAL(d.count, DURABLE_SAMPLES);
    CU_ASSERT_EQUAL(note(nothing, 1000, DURABLE_AGE_MS + 5), 5);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(with_replicas_the_one_that_is_furthest_behind_counts),
    CUNIT_TEST(an_append_only_file_counts_once_it_is_synced),
    CUNIT_TEST(a_snapshot_counts_for_what_was_there_when_it_began),
    CUNIT_TEST(who_keeps_nothing_is_not_waited_for_beyond_an_age),
    CUNIT_TEST(what_the_destination_forgot_is_not_kept_there),
    CUNIT_TEST(more_looks_than_there_is_room_for_lose_nothing),
};
CUNIT_MAIN("durable", tests)
