#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql/store_job.h"
#include "sql/store_task.h"
#include "tests/support/cunit_run.h"
#include "tests/support/store_fixture.h"

static char account[STORE_ID_SIZE];

static void begin(void) {
    store_fixture_sql("DELETE FROM job; DELETE FROM full_sync");
    store_fixture_account(account);
}

static bool claim(const char *worker, struct store_claim *ret) {
    struct err err = ERR_INIT;
    bool found = false;

    CU_ASSERT_TRUE_FATAL(
        store_task_claim(store_fixture(), worker, "shared", 15, ret, &found, &err));
    return found;
}

static void only_a_job_that_wants_work_is_claimed(void) {
    static const char *const idle[] = {"configured", "precheck_passed", "paused",   "blocked",
                                       "failed",     "stopped",         "completed"};
    struct store_claim c;
    char id[STORE_ID_SIZE];

    begin();
    for (size_t i = 0; i < LENGTH_OF(idle); i++)
        store_fixture_job_in(account, idle[i], id);
    CU_ASSERT_FALSE(claim("w1", &c));
    store_claim_done(&c);
    store_fixture_job_in(account, "stopping", id);
    CU_ASSERT_TRUE(claim("w1", &c));
    CU_ASSERT_STRING_EQUAL(c.job, id);
    CU_ASSERT_STRING_EQUAL(c.state, "stopping");
    CU_ASSERT_STRING_EQUAL(c.account, account);
    CU_ASSERT_EQUAL(c.lease_epoch, 1);
    CU_ASSERT_FALSE(c.claimed_before);
    CU_ASSERT(c.sealed.len > 0);
    CU_ASSERT_TRUE(json_is_object(json_object_get(c.spec, "source")));
    store_claim_done(&c);
    CU_ASSERT_FALSE(claim("w1", &c));
    store_claim_done(&c);
}

static void another_pool_takes_nothing_of_ours(void) {
    struct err err = ERR_INIT;
    struct store_claim c;
    char id[STORE_ID_SIZE];
    bool found = true;

    begin();
    store_fixture_job_in(account, "queued", id);
    CU_ASSERT_TRUE(store_task_claim(store_fixture(), "w", "other", 15, &c, &found, &err));
    CU_ASSERT_FALSE(found);
    store_claim_done(&c);
}

enum { RACE_TASKS = 40 };

/* Claims until nothing is left; each claim is written down by the update of the row. */
static bool claim_all(int number) {
    struct err err = ERR_INIT;
    struct store_claim c;
    char worker[16];
    bool found = true;

    snprintf(worker, sizeof(worker), "w%d", number);
    while (found) {
        if (!store_task_claim(store_fixture(), worker, "shared", 60, &c, &found, &err))
            return false;
        store_claim_done(&c);
    }
    return true;
}

static void in_a_race_each_task_is_claimed_once(void) {
    char id[STORE_ID_SIZE];

    begin();
    for (int i = 0; i < RACE_TASKS; i++)
        store_fixture_job_in(account, "queued", id);
    CU_ASSERT_EQUAL(store_fixture_race(4, claim_all), 4);
    CU_ASSERT_STRING_EQUAL(
        store_fixture_value("SELECT count(*) || ' ' || max(lease_epoch) FROM task"
                            " WHERE lease_until > now() AND lease_owner IS NOT NULL"),
        "40 1");
}

static void a_silent_workers_task_passes_on_with_a_higher_epoch(void) {
    struct store_progress progress = {.keys_done = 5};
    struct store_report report = {.task = 0, .lease_epoch = 1, .progress = &progress};
    struct store_claim c;
    struct err err = ERR_INIT;
    int64_t epoch = 0;
    char id[STORE_ID_SIZE];
    const struct store_lease lease = {.worker = "w1", .job = id, .epoch = 1};

    begin();
    store_fixture_job_in(account, "running", id);
    CU_ASSERT_TRUE(claim("w1", &c));
    store_claim_done(&c);
    store_fixture_sql("UPDATE task SET lease_until = now() - interval '1 second'");
    CU_ASSERT_TRUE(claim("w2", &c));
    CU_ASSERT_EQUAL(c.lease_epoch, 2);
    store_claim_done(&c);

    /* The first one wakes up: nothing it writes counts. */
    snprintf(report.job, sizeof(report.job), "%s", id);
    CU_ASSERT_TRUE(store_task_report(store_fixture(), "w1", 15, &report, 1, &err));
    CU_ASSERT_FALSE(report.is_held);
    CU_ASSERT_TRUE(store_task_release(store_fixture(), &lease, &err));
    CU_ASSERT_FALSE(store_task_claimed_before(store_fixture(), &lease, true, &err));
    CU_ASSERT_EQUAL(err.code, ERR_FENCED);
    CU_ASSERT_FALSE(store_task_raise_epoch(store_fixture(), &lease, 9, &epoch, &err));
    CU_ASSERT_STRING_EQUAL(
        store_fixture_value("SELECT lease_owner || lease_epoch || claimed_before ||"
                            " coalesce(progress ->> 'keys_done', '-') FROM task"),
        "w22false-");
}

/* A control database that was restored gives a number once more. */
static void the_same_epoch_of_another_worker_is_no_lease(void) {
    char id[STORE_ID_SIZE];
    const struct store_lease lease = {.worker = "w1", .job = id, .epoch = 1};
    json_t *facts = json_object();
    struct err err = ERR_INIT;
    struct store_claim c;
    int64_t epoch = 0;

    begin();
    store_fixture_job_in(account, "running", id);
    CU_ASSERT_TRUE(claim("w2", &c));
    CU_ASSERT_EQUAL(c.lease_epoch, 1);
    store_claim_done(&c);
    CU_ASSERT_FALSE(store_task_claimed_before(store_fixture(), &lease, true, &err));
    CU_ASSERT_FALSE(store_task_raise_epoch(store_fixture(), &lease, 9, &epoch, &err));
    CU_ASSERT_FALSE(store_task_facts(store_fixture(), &lease, "source", facts, &err));
    CU_ASSERT_EQUAL(err.code, ERR_FENCED);
    CU_ASSERT_TRUE(store_task_release(store_fixture(), &lease, &err));
    CU_ASSERT_STRING_EQUAL(
        store_fixture_value("SELECT lease_owner || lease_epoch || claimed_before ||"
                            " coalesce(source_facts::text, '-') FROM task"),
        "w21false-");
    json_decref(facts);
}

static void a_report_renews_and_answers_what_is_wanted(void) {
    struct store_progress progress = {
        .phase = "incremental",
        .sync_state = "caught_up",
        .applied_offset = 123456789012345,
        .keys_done = 7,
        .heartbeat_state = 1,
        .latency_us = 900,
        .latency_at_ms = 1700000000000,
        .heartbeat_written_at_ms = 1700000000000,
    };
    struct store_report reports[3] = {
        {.lease_epoch = 1, .progress = &progress}, {.lease_epoch = 1}, {.lease_epoch = 1}};
    struct store_claim c;
    struct store_job job;
    struct err err = ERR_INIT;
    char id[2][STORE_ID_SIZE], expected[120];

    begin();
    for (int i = 0; i < 2; i++) {
        store_fixture_job_in(account, "running", id[i]);
        snprintf(reports[i].job, sizeof(reports[i].job), "%s", id[i]);
        CU_ASSERT_TRUE(claim("w1", &c));
        store_claim_done(&c);
    }
    snprintf(reports[2].job, sizeof(reports[2].job), "job_none");
    store_fixture_sql("UPDATE job SET state = 'stopping', wanted = '{\"drain\": false}'");
    store_fixture_sql("UPDATE task SET lease_until = now() + interval '1 second'");
    CU_ASSERT_TRUE(store_task_report(store_fixture(), "w1", 60, reports, 3, &err));
    CU_ASSERT_TRUE(reports[0].is_held);
    CU_ASSERT_TRUE(reports[1].is_held);
    CU_ASSERT_FALSE(reports[2].is_held);
    CU_ASSERT_STRING_EQUAL(reports[0].state, "stopping");
    CU_ASSERT(reports[0].now_ms > 1700000000000 && reports[2].now_ms == 0);
    CU_ASSERT_TRUE(json_is_false(json_object_get(reports[0].wanted, "drain")));
    json_decref(reports[0].wanted);
    json_decref(reports[1].wanted);
    CU_ASSERT_STRING_EQUAL(
        store_fixture_value(
            "SELECT bool_and(lease_until > now() + interval '30 seconds') FROM task"),
        "t");

    CU_ASSERT_TRUE(store_job_get(store_fixture(), account, id[0], &job, &err));
    CU_ASSERT_STRING_EQUAL(job.phase, "incremental");
    CU_ASSERT_STRING_EQUAL(job.sync_state, "caught_up");
    CU_ASSERT_STRING_EQUAL(job.worker, "w1");
    CU_ASSERT_EQUAL(job.progress.applied_offset, 123456789012345);
    CU_ASSERT(job.read_ms >= reports[0].now_ms);
    CU_ASSERT_EQUAL(job.version, 1); /* progress is no new version */
    store_job_done(&job);
    CU_ASSERT_TRUE(store_job_get(store_fixture(), account, id[1], &job, &err));
    CU_ASSERT_STRING_EQUAL(job.phase, "");
    store_job_done(&job);
    snprintf(expected, sizeof(expected), "DTS_REDIS_TIMESTAMP_HEARTBEAT:%s:0 1 900 1700000000000",
             id[0]);
    CU_ASSERT_STRING_EQUAL(
        store_fixture_value("SELECT concat_ws(' ', key, state, latency_us, kf_ms(written_at))"
                            " FROM heartbeat WHERE kf_ms(seen_at) = 1700000000000"),
        expected);
}

static void a_released_task_is_free_at_once(void) {
    struct err err = ERR_INIT;
    struct store_claim c;
    char id[STORE_ID_SIZE];
    const struct store_lease lease = {.worker = "w1", .job = id, .epoch = 1};

    begin();
    store_fixture_job_in(account, "running", id);
    CU_ASSERT_TRUE(claim("w1", &c));
    CU_ASSERT_TRUE(store_task_claimed_before(store_fixture(), &lease, true, &err));
    CU_ASSERT_TRUE(store_task_release(store_fixture(), &lease, &err));
    store_claim_done(&c);
    CU_ASSERT_TRUE(claim("w2", &c));
    CU_ASSERT_EQUAL(c.lease_epoch, 2);
    CU_ASSERT_TRUE(c.claimed_before);
    store_claim_done(&c);
}

static void an_epoch_is_raised_above_what_the_destination_knows(void) {
    struct err err = ERR_INIT;
    struct store_claim c;
    int64_t epoch = 0;
    char id[STORE_ID_SIZE];
    const struct store_lease lease = {.worker = "w1", .job = id, .epoch = 1};

    begin();
    store_fixture_job_in(account, "running", id);
    CU_ASSERT_TRUE(claim("w1", &c));
    store_claim_done(&c);
    CU_ASSERT_TRUE(store_task_raise_epoch(store_fixture(), &lease, 41, &epoch, &err));
    CU_ASSERT_EQUAL(epoch, 42);
    CU_ASSERT_FALSE(store_task_raise_epoch(store_fixture(), &lease, 41, &epoch, &err));
    CU_ASSERT_EQUAL(err.code, ERR_FENCED);
}

static void facts_of_the_ends_are_kept(void) {
    json_t *facts = json_pack("{s:s, s:s}", "product", "redis", "version", "7.0.15");
    struct err err = ERR_INIT;
    struct store_claim c;
    struct store_job job;
    char id[STORE_ID_SIZE];
    const struct store_lease lease = {.worker = "w1", .job = id, .epoch = 1};

    begin();
    store_fixture_job_in(account, "running", id);
    CU_ASSERT_TRUE(claim("w1", &c));
    store_claim_done(&c);
    CU_ASSERT_TRUE(store_task_facts(store_fixture(), &lease, "destination", facts, &err));
    CU_ASSERT_TRUE(store_job_get(store_fixture(), account, id, &job, &err));
    CU_ASSERT_TRUE(json_equal(job.destination_facts, facts));
    CU_ASSERT_PTR_NULL(job.source_facts);
    store_job_done(&job);
    json_decref(facts);
}

static bool take_one(int number) {
    struct err err = ERR_INIT;
    int64_t after_ms;
    bool allowed = false;

    (void)number;
    return store_task_full_sync(store_fixture(), "src:6379", "job_x", 2, false, &allowed, &after_ms,
                                &err) &&
           allowed;
}

static void a_source_gives_two_full_syncs_an_hour(void) {
    struct err err = ERR_INIT;
    int64_t after_ms = 0;
    bool allowed = true;

    begin();
    CU_ASSERT_EQUAL(store_fixture_race(6, take_one), 2);
    CU_ASSERT_TRUE(store_task_full_sync(store_fixture(), "src:6379", "job_x", 2, false, &allowed,
                                        &after_ms, &err));
    CU_ASSERT_FALSE(allowed);
    CU_ASSERT(after_ms > 3590 * 1000 && after_ms <= 3600 * 1000);
    CU_ASSERT_TRUE(store_task_full_sync(store_fixture(), "other:6379", "job_x", 2, false, &allowed,
                                        &after_ms, &err));
    CU_ASSERT_TRUE(allowed);
    CU_ASSERT_TRUE(store_task_full_sync_unused(store_fixture(), "src:6379", "job_x", &err));
    CU_ASSERT_TRUE(take_one(0));
    CU_ASSERT_FALSE(take_one(0));
    /* Whoever starts another job asks for its first, and for no more. */
    CU_ASSERT_TRUE(store_task_full_sync(store_fixture(), "src:6379", "job_y", 2, true, &allowed,
                                        &after_ms, &err));
    CU_ASSERT_TRUE(allowed);
    CU_ASSERT_TRUE(store_task_full_sync(store_fixture(), "src:6379", "job_y", 2, true, &allowed,
                                        &after_ms, &err));
    CU_ASSERT_FALSE(allowed);
    store_fixture_sql("UPDATE full_sync SET at = at - interval '61 minutes'");
    CU_ASSERT_TRUE(take_one(0));
}

static void progress_reads_back_and_what_is_missing_is_nothing(void) {
    struct store_progress one = {.phase = "full", .keys_done = INT64_MAX, .settled = 1}, two;
    json_t *text = store_progress_to_json(&one),
           *odd = json_pack("{s:i, s:s}", "phase", 5, "keys_done", "x");

    store_progress_from_json(text, &two);
    CU_ASSERT_STRING_EQUAL(two.phase, "full");
    CU_ASSERT_EQUAL(two.keys_done, INT64_MAX);
    CU_ASSERT_EQUAL(two.settled, 1);
    store_progress_from_json(odd, &two);
    CU_ASSERT_STRING_EQUAL(two.phase, "");
    CU_ASSERT_EQUAL(two.keys_done, 0);
    store_progress_from_json(NULL, &two);
    CU_ASSERT_EQUAL(two.settled, 0);
    json_decref(text);
    json_decref(odd);
}

static bool reads_alike(const char *text) {
    struct store_progress one, two;
    json_t *value = json_loads(text, 0, NULL);

    store_progress_from_json(value, &one);
    store_progress_from_text(str_from(text), &two);
    json_decref(value);
    return memcmp(&one, &two, offsetof(struct store_progress, sampled_at_ms)) == 0 &&
           one.sampled_at_ms == two.sampled_at_ms;
}

static void progress_reads_from_text_as_from_a_value(void) {
    static const char *const texts[] = {
        "",
        "{}",
        "[1]",
        "{\"phase\": \"full\", \"keys_done\": 9223372036854775807, \"link\": -1, \"other\": "
        "{\"a\": 1}}",
        "{\"phase\": 5, \"keys_done\": \"x\", \"settled\": 1.5, \"link\": null, \"sampled_at_ms\": "
        "true}",
        "{\"cutover_detail\": \"said \\\"no\\\", gr\xc3\xbc\xc3\x9f"
        "e\\n\", \"sampled_at_ms\": 7}",
        "{\"phase\": \"longer than any phase there is, by far\"}",
        "{\"phase\": \"a\\\"longer than any phase there is, by far\"}",
    };
    struct store_progress all;
    char *text;
    json_t *value;

    for (size_t i = 0; i < LENGTH_OF(texts); i++)
        CU_ASSERT_TRUE(reads_alike(texts[i]));
    memset(&all, 0, sizeof(all));
#define PROGRESS_TEXT(name, size) snprintf(all.name, size, "%s", #name);
#define PROGRESS_INT(name) all.name = (int64_t)offsetof(struct store_progress, name);
#include "sql/progress_fields.def"
#undef PROGRESS_TEXT
#undef PROGRESS_INT
    value = store_progress_to_json(&all);
    text = json_dumps(value, 0);
    CU_ASSERT_TRUE(reads_alike(text));
    json_decref(value);
    free(text);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(only_a_job_that_wants_work_is_claimed),
    CUNIT_TEST(another_pool_takes_nothing_of_ours),
    CUNIT_TEST(in_a_race_each_task_is_claimed_once),
    CUNIT_TEST(a_silent_workers_task_passes_on_with_a_higher_epoch),
    CUNIT_TEST(the_same_epoch_of_another_worker_is_no_lease),
    CUNIT_TEST(a_report_renews_and_answers_what_is_wanted),
    CUNIT_TEST(a_released_task_is_free_at_once),
    CUNIT_TEST(an_epoch_is_raised_above_what_the_destination_knows),
    CUNIT_TEST(facts_of_the_ends_are_kept),
    CUNIT_TEST(a_source_gives_two_full_syncs_an_hour),
    CUNIT_TEST(progress_reads_back_and_what_is_missing_is_nothing),
    CUNIT_TEST(progress_reads_from_text_as_from_a_value),
};
STORE_FIXTURE_MAIN("store_task", true, tests)
