#include <stdio.h>
#include <string.h>

#include "services/job/job_control.h"
#include "tests/support/cunit_run.h"
#include "tests/support/store_fixture.h"

static const struct keyring ring = {.keys = {{.id = 1, .key = "0123456789abcdef0123456789abcde"}},
                                    .count = 1};

static char account[STORE_ID_SIZE], job_id[STORE_ID_SIZE], run_id[STORE_ID_SIZE];
static int64_t epoch;

static void queue(const struct store_precheck_options *options) {
    static int port = 21000;
    struct err err = ERR_INIT;

    store_fixture_account(account);
    store_fixture_job(account, port++, job_id);
    CU_ASSERT_TRUE_FATAL(
        job_control_precheck(store_fixture(), &ring, job_id, NULL, options, run_id, &err));
}

static bool claim(const char *worker) {
    struct store_precheck_claim c;
    struct secret opened = SECRET_INIT;
    struct err err = ERR_INIT;
    bool found = false;

    CU_ASSERT_TRUE_FATAL(
        store_precheck_claim(store_fixture(), worker, "shared", 15, &c, &found, &err));
    if (found) {
        epoch = c.lease_epoch;
        CU_ASSERT_STRING_EQUAL(c.id, run_id);
        CU_ASSERT_TRUE(
            job_control_unseal(&ring, "precheck", c.id, buf_str(&c.sealed), &opened, &err));
        CU_ASSERT_PTR_NOT_NULL(strstr(opened.ptr, "hush"));
    }
    secret_done(&opened);
    store_precheck_claim_done(&c);
    return found;
}

static void item(const char *id, const char *result, bool ignorable) {
    json_t *found = json_pack("{s:s, s:s, s:b, s:s}", "id", id, "result", result, "ignorable",
                              ignorable, "message", "m");
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(store_precheck_item(store_fixture(), run_id, epoch, found, &err));
    json_decref(found);
}

static bool finish(const char *worker, const struct err *failure, struct err *err) {
    json_t *facts = json_pack("{s:{}}", "source");
    bool ok = job_control_precheck_finish(store_fixture(), run_id, worker, epoch, facts, NULL,
                                          failure, err);

    json_decref(facts);
    return ok;
}

static void stands(const char *run_state, const char *job_state) {
    struct store_precheck run;
    struct store_job job;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE_FATAL(store_precheck_get(store_fixture(), account, run_id, &run, &err));
    CU_ASSERT_STRING_EQUAL(run.state, run_state);
    store_precheck_done(&run);
    CU_ASSERT_TRUE_FATAL(store_job_get(store_fixture(), account, job_id, &job, &err));
    CU_ASSERT_STRING_EQUAL(job.state, job_state);
    store_job_done(&job);
}

static void a_run_passes_when_nothing_stands_against_it(void) {
    const struct store_precheck_options options = {.read_only = true};
    struct store_precheck run;
    struct err err = ERR_INIT;

    queue(&options);
    stands("queued", "prechecking");
    CU_ASSERT_TRUE(claim("w1"));
    CU_ASSERT_FALSE(claim("w2"));
    item("src.connect", "pass", false);
    item("src.backlog", "warn", false); /* nobody has to confirm what cannot be ignored */
    item("src.connect", "pass", false); /* said twice */
    CU_ASSERT_TRUE(finish("w1", NULL, &err));
    stands("passed", "precheck_passed");
    CU_ASSERT_TRUE(store_precheck_latest(store_fixture(), account, job_id, &run, &err));
    CU_ASSERT_EQUAL(json_array_size(run.items), 2);
    CU_ASSERT_STRING_EQUAL(run.probe, "read_only");
    CU_ASSERT_PTR_NOT_NULL(run.facts);
    CU_ASSERT(run.finished_ms >= run.started_ms);
    store_precheck_done(&run);
    CU_ASSERT_STRING_EQUAL(store_fixture_value("SELECT count(sealed) FROM precheck"), "0");
    /* Again is no second answer. */
    CU_ASSERT_FALSE(finish("w1", NULL, &err));
    CU_ASSERT_EQUAL(err.code, ERR_FENCED);
}

static void a_warning_must_be_accepted_and_a_failure_cannot(void) {
    const struct store_precheck_options options = {.read_only = false};
    struct store_precheck run;
    struct err err = ERR_INIT;

    queue(&options);
    CU_ASSERT_TRUE(claim("w1"));
    item("dst.eviction", "warn", true);
    item("src.backlog", "warn", true);
    CU_ASSERT_TRUE(finish("w1", NULL, &err));
    stands("failed", "precheck_failed");
    CU_ASSERT_TRUE(job_control_precheck_ignore(store_fixture(), account, run_id, "dst.eviction",
                                               "we know", "key:x", &err));
    stands("failed", "precheck_failed");
    CU_ASSERT_FALSE(job_control_precheck_ignore(store_fixture(), account, run_id, "no.such", "r",
                                                "key:x", &err));
    CU_ASSERT_EQUAL(err.code, ERR_NOT_FOUND);
    CU_ASSERT_TRUE(
        job_control_precheck_ignore(store_fixture(), account, run_id, NULL, "all", "key:x", &err));
    stands("passed", "precheck_passed");
    CU_ASSERT_TRUE(job_control_precheck_ignore(store_fixture(), account, run_id, "dst.eviction",
                                               "again", "key:x", &err));
    CU_ASSERT_TRUE(store_precheck_get(store_fixture(), account, run_id, &run, &err));
    CU_ASSERT_STRING_EQUAL(
        json_string_value(json_object_get(json_array_get(run.items, 0), "result")), "ignored");
    CU_ASSERT_STRING_EQUAL(
        json_string_value(json_object_get(json_array_get(run.items, 0), "reason")), "we know");
    store_precheck_done(&run);

    queue(&options);
    CU_ASSERT_TRUE(claim("w1"));
    item("dst.empty", "fail", false);
    CU_ASSERT_TRUE(finish("w1", NULL, &err));
    CU_ASSERT_FALSE(job_control_precheck_ignore(store_fixture(), account, run_id, "dst.empty", "r",
                                                "key:x", &err));
    CU_ASSERT_EQUAL(err.code, ERR_NOT_IGNORABLE);
    CU_ASSERT_TRUE(
        job_control_precheck_ignore(store_fixture(), account, run_id, NULL, "all", "key:x", &err));
    stands("failed", "precheck_failed");
}

static void warnings_can_be_accepted_in_advance(void) {
    const struct store_precheck_options options = {.ignore_warnings = true};
    struct err err = ERR_INIT;

    queue(&options);
    CU_ASSERT_TRUE(claim("w1"));
    item("dst.eviction", "warn", true);
    CU_ASSERT_TRUE(finish("w1", NULL, &err));
    stands("passed", "precheck_passed");
}

static void a_run_that_could_not_be_carried_out_fails(void) {
    const struct store_precheck_options options = {.read_only = false};
    struct err failure = ERR_INIT, err = ERR_INIT;
    struct store_precheck run;

    queue(&options);
    CU_ASSERT_TRUE(claim("w1"));
    item("src.connect", "pass", false);
    err_set(&failure, ERR_TIMEOUT, "took too long");
    CU_ASSERT_TRUE(finish("w1", &failure, &err));
    stands("failed", "precheck_failed");
    CU_ASSERT_TRUE(store_precheck_get(store_fixture(), account, run_id, &run, &err));
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(run.last_error, "code")), "timeout");
    store_precheck_done(&run);

    queue(&options);
    CU_ASSERT_TRUE(claim("w1"));
    CU_ASSERT_TRUE(finish("w1", NULL, &err)); /* not one item: nothing was checked */
    stands("failed", "precheck_failed");
}

static void a_silent_workers_run_begins_again(void) {
    const struct store_precheck_options options = {.read_only = false};
    struct store_precheck run;
    struct err err = ERR_INIT;
    int64_t old;
    bool held = true;

    queue(&options);
    CU_ASSERT_TRUE(claim("w1"));
    item("src.connect", "fail", false);
    old = epoch;
    store_fixture_sql("UPDATE precheck SET lease_until = now() - interval '1 second'"
                      " WHERE state = 'running'");
    CU_ASSERT_TRUE(claim("w2"));
    CU_ASSERT_EQUAL(epoch, old + 1);
    CU_ASSERT_TRUE(store_precheck_renew(store_fixture(), run_id, "w1", old, 15, &held, &err));
    CU_ASSERT_FALSE(held);
    CU_ASSERT_TRUE(store_precheck_get(store_fixture(), account, run_id, &run, &err));
    CU_ASSERT_EQUAL(json_array_size(run.items), 0);
    store_precheck_done(&run);
    item("src.connect", "pass", false);
    CU_ASSERT_TRUE(finish("w2", NULL, &err));
    stands("passed", "precheck_passed");
}

static void a_deleted_jobs_run_is_over(void) {
    const struct store_precheck_options options = {.read_only = false};
    const struct job_move move = {.account = account};
    struct err err = ERR_INIT;
    bool held = true;

    queue(&options);
    CU_ASSERT_TRUE(claim("w1"));
    item("src.connect", "pass", false);
    CU_ASSERT_TRUE(job_control_release(store_fixture(), job_id, &move, &err));
    CU_ASSERT_TRUE(store_precheck_renew(store_fixture(), run_id, "w1", epoch, 15, &held, &err));
    CU_ASSERT_FALSE(held);
    CU_ASSERT_FALSE(finish("w1", NULL, &err));
    stands("cancelled", "released");
}

static void a_cancelled_run_gives_the_job_back(void) {
    const struct store_precheck_options options = {.read_only = false};
    struct err err = ERR_INIT;

    queue(&options);
    CU_ASSERT_TRUE(job_control_precheck_cancel(store_fixture(), account, run_id, "key:x", &err));
    stands("cancelled", "configured");
    CU_ASSERT_FALSE(claim("w1"));
    CU_ASSERT_FALSE(job_control_precheck_cancel(store_fixture(), account, run_id, "key:x", &err));
    CU_ASSERT_EQUAL(err.code, ERR_INVALID_STATE);
}

static void a_run_may_stand_alone(void) {
    const struct store_precheck_options options = {.read_only = false};
    struct store_precheck run;
    struct job_spec spec;
    struct err err = ERR_INIT;

    store_fixture_account(account);
    store_fixture_spec(7002, 0, &spec);
    CU_ASSERT_TRUE(job_control_precheck_alone(store_fixture(), &ring, account, "key:x", &spec,
                                              &options, run_id, &err));
    job_spec_done(&spec);
    CU_ASSERT_TRUE(claim("w1"));
    item("src.connect", "pass", false);
    CU_ASSERT_TRUE(finish("w1", NULL, &err));
    CU_ASSERT_TRUE(store_precheck_get(store_fixture(), account, run_id, &run, &err));
    CU_ASSERT_STRING_EQUAL(run.state, "passed");
    CU_ASSERT_STRING_EQUAL(run.job, "");
    store_precheck_done(&run);
}

static void claims(const char *expected) {
    struct store_precheck_claim c;
    struct err err = ERR_INIT;
    bool found = false;

    CU_ASSERT_TRUE_FATAL(store_precheck_claim(store_fixture(), "w1", "fair", 15, &c, &found, &err));
    CU_ASSERT_EQUAL(found, expected != NULL);
    if (found && expected)
        CU_ASSERT_STRING_EQUAL(c.id, expected);
    store_precheck_claim_done(&c);
}

static void who_asks_for_much_keeps_nobody_waiting(void) {
    char other[STORE_ID_SIZE], sql[1200];

    store_fixture_account(account);
    store_fixture_account(other);
    /* Forty tests of connections, then a precheck of theirs, then one of somebody else: by
     * their names alone the tests would all go first. */
    snprintf(sql, sizeof(sql),
             "INSERT INTO precheck (id, account, state, probe, ignore_warnings, spec, spec_digest,"
             " worker_pool, purpose, created_at)"
             " SELECT CASE WHEN n < 41 THEN 'cnt_fair' || n ELSE 'pck_fair' || n END,"
             " CASE WHEN n < 42 THEN '%s' ELSE '%s' END, 'queued', 'full', false, '{}', '', 'fair',"
             " CASE WHEN n < 41 THEN 'connectivity' ELSE 'precheck' END,"
             " now() + n * interval '1 ms' FROM generate_series(1, 42) n",
             account, other);
    store_fixture_sql(sql);
    claims("cnt_fair1");
    claims("pck_fair42");
    claims("cnt_fair2");
    store_fixture_sql("UPDATE precheck SET state = 'passed' WHERE id ~ '^cnt_fair[1-3]?[0-9]$'");
    claims("cnt_fair40");
    claims("pck_fair41");
    claims(NULL);
    store_fixture_sql("DELETE FROM precheck WHERE worker_pool = 'fair'");
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_run_passes_when_nothing_stands_against_it),
    CUNIT_TEST(a_warning_must_be_accepted_and_a_failure_cannot),
    CUNIT_TEST(warnings_can_be_accepted_in_advance),
    CUNIT_TEST(a_run_that_could_not_be_carried_out_fails),
    CUNIT_TEST(a_silent_workers_run_begins_again),
    CUNIT_TEST(a_deleted_jobs_run_is_over),
    CUNIT_TEST(a_cancelled_run_gives_the_job_back),
    CUNIT_TEST(a_run_may_stand_alone),
    CUNIT_TEST(who_asks_for_much_keeps_nobody_waiting),
};
STORE_FIXTURE_MAIN("store_precheck", true, tests)
