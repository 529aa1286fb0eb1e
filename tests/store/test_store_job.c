#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "services/job/job_control.h"
#include "sql/store_event.h"
#include "tests/support/cunit_run.h"
#include "tests/support/store_fixture.h"

static char account[STORE_ID_SIZE], job_id[STORE_ID_SIZE];

static const struct keyring ring = {.keys = {{.id = 1, .key = "0123456789abcdef0123456789abcde"}},
                                    .count = 1};

static struct store_job get(const char *id) {
    struct store_job job = STORE_JOB_INIT;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE_FATAL(store_job_get(store_fixture(), NULL, id, &job, &err));
    return job;
}

static bool is_in(const char *id, const char *state) {
    struct store_job job = get(id);
    bool is = strcmp(job.state, state) == 0;

    if (!is)
        printf("  %s, not %s\n", job.state, state);
    store_job_done(&job);
    return is;
}

static void a_job_comes_back_as_it_was_saved(void) {
    struct secret opened = SECRET_INIT;
    struct err err = ERR_INIT;
    struct job_spec spec;
    struct store_job job;

    store_fixture_account(account);
    store_fixture_spec(7002, 0, &spec);
    CU_ASSERT_TRUE(
        job_control_create(store_fixture(), &ring, account, "key:x", &spec, job_id, &err));
    job = get(job_id);
    CU_ASSERT_STRING_EQUAL(job.state, "configured");
    CU_ASSERT_STRING_EQUAL(job.account, account);
    CU_ASSERT_STRING_EQUAL(job.spec_digest, spec.digest);
    CU_ASSERT_TRUE(json_equal(job.spec, spec.spec));
    CU_ASSERT(strncmp(job.name, "redis-127.0.0.1:7001-to-127.0.0.1:7002-20", 41) == 0);
    CU_ASSERT_EQUAL(job.version, 1);
    CU_ASSERT(job.created_ms > 1700000000000);
    CU_ASSERT_EQUAL(job.started_ms, 0);
    CU_ASSERT_FALSE(job.has_task);
    CU_ASSERT_PTR_NULL(job.attention);
    CU_ASSERT_PTR_NULL(memmem(job.sealed.ptr, job.sealed.len, "hush", 4));
    CU_ASSERT_TRUE(job_control_unseal(&ring, "job", job.id, buf_str(&job.sealed), &opened, &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(opened.ptr, "hush"));
    secret_done(&opened);
    store_job_done(&job);
    job_spec_done(&spec);
}

static void another_account_sees_nothing(void) {
    char other[STORE_ID_SIZE];
    struct store_job job;
    struct err err = ERR_INIT;
    const struct job_move move = {.account = other};

    store_fixture_account(other);
    CU_ASSERT_FALSE(store_job_get(store_fixture(), other, job_id, &job, &err));
    CU_ASSERT_EQUAL(err.code, ERR_NOT_FOUND);
    CU_ASSERT_FALSE(job_control_release(store_fixture(), job_id, &move, &err));
    CU_ASSERT_EQUAL(err.code, ERR_NOT_FOUND);
}

static void a_list_pages_from_the_newest_on(void) {
    struct store_job_filter filter = {.limit = 2};
    char ids[5][STORE_ID_SIZE], mine[STORE_ID_SIZE];
    struct store_job_list list;
    struct err err = ERR_INIT;
    const char *states[] = {"paused"};

    store_fixture_account(mine);
    for (int i = 0; i < 5; i++) {
        store_fixture_job(mine, 7100 + i, ids[i]);
        usleep(2000); /* within a millisecond ids have no order */
    }
    CU_ASSERT_TRUE(store_job_list(store_fixture(), mine, &filter, &list, &err));
    CU_ASSERT_EQUAL_FATAL(list.count, 2);
    CU_ASSERT_STRING_EQUAL(list.jobs[0].id, ids[4]);
    CU_ASSERT_STRING_EQUAL(list.jobs[1].id, ids[3]);
    store_job_list_done(&list);
    filter.before_id = ids[3];
    filter.limit = 200;
    CU_ASSERT_TRUE(store_job_list(store_fixture(), mine, &filter, &list, &err));
    CU_ASSERT_EQUAL(list.count, 3);
    store_job_list_done(&list);
    filter = (struct store_job_filter){.limit = 10, .name_part = ":7102-"};
    CU_ASSERT_TRUE(store_job_list(store_fixture(), mine, &filter, &list, &err));
    CU_ASSERT_EQUAL(list.count, 1);
    store_job_list_done(&list);
    filter = (struct store_job_filter){.limit = 10, .states = states, .state_count = 1};
    CU_ASSERT_TRUE(store_job_list(store_fixture(), mine, &filter, &list, &err));
    CU_ASSERT_EQUAL(list.count, 0);
    store_job_list_done(&list);
}

static void a_move_the_table_does_not_have_is_refused(void) {
    struct err err = ERR_INIT;
    char story[1024];

    CU_ASSERT_FALSE(job_control_move(store_fixture(), job_id, JOB_EV_PAUSE, NULL, NULL, &err));
    CU_ASSERT_EQUAL(err.code, ERR_INVALID_STATE);
    err_format(&err, story, sizeof(story));
    CU_ASSERT_PTR_NOT_NULL(strstr(story, "is configured"));
    CU_ASSERT_PTR_NOT_NULL(strstr(story, "precheck"));
}

static void a_move_writes_its_history(void) {
    const struct job_move move = {.actor = "key:abc", .detail = "because"};
    struct store_job job;
    struct err err = ERR_INIT;
    json_t *events, *last;

    store_fixture_job_in(account, "running", job_id);
    CU_ASSERT_TRUE(job_control_move(store_fixture(), job_id, JOB_EV_PAUSE, &move, NULL, &err));
    CU_ASSERT_TRUE(job_control_move(store_fixture(), job_id, JOB_EV_PAUSED, NULL, NULL, &err));
    job = get(job_id);
    CU_ASSERT_STRING_EQUAL(job.state, "paused");
    CU_ASSERT_EQUAL(job.version, 3);
    store_job_done(&job);
    CU_ASSERT_TRUE(store_event_list(store_fixture(), job_id, 1, 100, &events, &err));
    CU_ASSERT_EQUAL_FATAL(json_array_size(events), 2);
    last = json_array_get(events, 0);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(last, "number")), 2);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(last, "type")), "pause.requested");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(last, "state")), "pausing");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(last, "actor")), "key:abc");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(last, "detail")), "because");
    json_decref(events);
}

static bool pause_it(int number) {
    struct err err = ERR_INIT;

    (void)number;
    return job_control_move(store_fixture(), job_id, JOB_EV_PAUSE, NULL, NULL, &err);
}

static void of_many_movers_one_wins(void) {
    struct err err = ERR_INIT;
    json_t *events;

    for (int round = 0; round < 5; round++) {
        store_fixture_job_in(account, "running", job_id);
        CU_ASSERT_EQUAL(store_fixture_race(6, pause_it), 1);
        CU_ASSERT_TRUE(store_event_list(store_fixture(), job_id, 0, 100, &events, &err));
        CU_ASSERT_EQUAL(json_array_size(events), 2);
        json_decref(events);
    }
}

static bool add_events(int number) {
    struct err err = ERR_INIT;
    bool ok = true;

    (void)number;
    for (int i = 0; i < 20; i++)
        ok &= store_event_add(store_fixture(), job_id, "test", "Something", NULL, NULL, &err);
    return ok;
}

static void a_history_has_no_gap_whoever_writes_it(void) {
    struct err err = ERR_INIT;
    json_t *events, *one;
    size_t i;

    store_fixture_job_in(account, "running", job_id);
    CU_ASSERT_EQUAL(store_fixture_race(5, add_events), 5);
    CU_ASSERT_TRUE(store_event_list(store_fixture(), job_id, 0, 1000, &events, &err));
    CU_ASSERT_EQUAL(json_array_size(events), 101);
    json_array_foreach(events, i, one)
        CU_ASSERT_EQUAL(json_integer_value(json_object_get(one, "number")), (json_int_t)i + 1);
    json_decref(events);
}

static void a_worker_whose_lease_passed_on_moves_nothing(void) {
    struct store_lease lease = {.worker = "w1", .job = job_id, .epoch = 4};
    struct job_move move = {.lease = &lease};
    struct err err = ERR_INIT;

    store_fixture_job_in(account, "running", job_id);
    store_fixture_sql("UPDATE task SET lease_epoch = 5, lease_owner = 'w2'");
    CU_ASSERT_FALSE(job_control_move(store_fixture(), job_id, JOB_EV_FAIL, &move, NULL, &err));
    CU_ASSERT_EQUAL(err.code, ERR_FENCED);
    CU_ASSERT_TRUE(is_in(job_id, "running"));
    CU_ASSERT_FALSE(store_job_note(store_fixture(), &lease, "x", "y", NULL, &err));
    CU_ASSERT_EQUAL(err.code, ERR_FENCED);
    /* A restored database gave its number to another. */
    lease.epoch = 5;
    CU_ASSERT_FALSE(job_control_move(store_fixture(), job_id, JOB_EV_FAIL, &move, NULL, &err));
    CU_ASSERT_FALSE(store_job_note(store_fixture(), &lease, "x", "y", NULL, &err));
    CU_ASSERT_TRUE(is_in(job_id, "running"));
    lease.worker = "w2";
    CU_ASSERT_TRUE(job_control_move(store_fixture(), job_id, JOB_EV_FAIL, &move, NULL, &err));
    CU_ASSERT_TRUE(store_job_note(store_fixture(), &lease, "x", "y", NULL, &err));
}

static void an_old_version_is_refused(void) {
    struct job_move move = {.expected_version = 7};
    struct err err = ERR_INIT;

    store_fixture_job_in(account, "running", job_id);
    CU_ASSERT_FALSE(job_control_move(store_fixture(), job_id, JOB_EV_PAUSE, &move, NULL, &err));
    CU_ASSERT_EQUAL(err.code, ERR_ETAG_MISMATCH);
    move.expected_version = 1;
    CU_ASSERT_TRUE(job_control_move(store_fixture(), job_id, JOB_EV_PAUSE, &move, NULL, &err));
}

static void attention_lasts_until_somebody_decides(void) {
    json_t *attention = json_pack("{s:s}", "code", "needs_recopy");
    json_t *wanted = json_pack("{s:s}", "on_full_resync_needed", "overwrite");
    struct job_move block = {
        .attention = attention, .error_code = "needs_recopy", .error_detail = "d"};
    struct job_move resume = {.wanted = wanted};
    struct store_job job;
    struct err err = ERR_INIT;

    store_fixture_job_in(account, "running", job_id);
    CU_ASSERT_TRUE(job_control_move(store_fixture(), job_id, JOB_EV_BLOCK, &block, NULL, &err));
    job = get(job_id);
    CU_ASSERT_TRUE(json_equal(job.attention, attention));
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(job.last_error, "code")),
                           "needs_recopy");
    store_job_done(&job);
    CU_ASSERT_TRUE(job_control_move(store_fixture(), job_id, JOB_EV_RESUME, &resume, NULL, &err));
    job = get(job_id);
    CU_ASSERT_PTR_NULL(job.attention);
    CU_ASSERT_PTR_NOT_NULL(job.last_error);
    CU_ASSERT_TRUE(json_equal(job.wanted, wanted));
    store_job_done(&job);
    json_decref(attention);
    json_decref(wanted);
}

/* As a worker would: claims, finds, finishes. */
static void run_precheck(const char *id, const char *result) {
    struct store_precheck_options options = {.read_only = false};
    struct store_precheck_claim claim;
    struct err err = ERR_INIT;
    json_t *item =
        json_pack("{s:s, s:s, s:b}", "id", "dst.empty", "result", result, "ignorable", 1);
    char run[STORE_ID_SIZE];
    bool found = false;

    CU_ASSERT_TRUE_FATAL(
        job_control_precheck(store_fixture(), &ring, id, NULL, &options, run, &err));
    /* A start has asked for one, too. */
    for (bool ours = false; !ours;) {
        CU_ASSERT_TRUE_FATAL(
            store_precheck_claim(store_fixture(), "w", "shared", 15, &claim, &found, &err));
        CU_ASSERT_TRUE_FATAL(found);
        ours = strcmp(claim.id, run) == 0;
        if (!ours)
            store_precheck_claim_done(&claim);
    }
    CU_ASSERT_TRUE(store_precheck_item(store_fixture(), run, claim.lease_epoch, item, &err));
    CU_ASSERT_TRUE(job_control_precheck_finish(store_fixture(), run, "w", claim.lease_epoch, NULL,
                                               NULL, NULL, &err));
    store_precheck_claim_done(&claim);
    json_decref(item);
}

static void a_start_needs_a_fresh_precheck_of_this_specification(void) {
    struct err err = ERR_INIT;
    char text[128];

    store_fixture_job(account, 7003, job_id);
    CU_ASSERT_FALSE(job_control_start(store_fixture(), job_id, NULL, NULL, &err));
    CU_ASSERT_EQUAL(err.code, ERR_PRECHECK_REQUIRED);
    run_precheck(job_id, "fail");
    CU_ASSERT_TRUE(is_in(job_id, "precheck_failed"));
    CU_ASSERT_FALSE(job_control_start(store_fixture(), job_id, NULL, NULL, &err));
    CU_ASSERT_EQUAL(err.code, ERR_PRECHECK_REQUIRED);
    run_precheck(job_id, "pass");
    CU_ASSERT_TRUE(is_in(job_id, "precheck_passed"));

    snprintf(text, sizeof(text), "UPDATE job SET spec_digest = 'x' || spec_digest WHERE id = '%s'",
             job_id);
    store_fixture_sql(text);
    CU_ASSERT_FALSE(job_control_start(store_fixture(), job_id, NULL, NULL, &err));
    CU_ASSERT_EQUAL(err.code, ERR_PRECHECK_REQUIRED);
    snprintf(text, sizeof(text),
             "UPDATE job SET spec_digest = substr(spec_digest, 2) WHERE id = '%s'", job_id);
    store_fixture_sql(text);

    store_fixture_sql("UPDATE precheck SET finished_at = finished_at - interval '25 hours'");
    CU_ASSERT_FALSE(job_control_start(store_fixture(), job_id, NULL, NULL, &err));
    CU_ASSERT_EQUAL(err.code, ERR_PRECHECK_REQUIRED);
    store_fixture_sql("UPDATE precheck SET finished_at = now()");
    CU_ASSERT_TRUE(job_control_start(store_fixture(), job_id, NULL, NULL, &err));
    CU_ASSERT_TRUE(is_in(job_id, "queued"));
    struct store_job job = get(job_id);
    CU_ASSERT_TRUE(job.has_task);
    CU_ASSERT(job.started_ms > 0);
    CU_ASSERT_STRING_EQUAL(job.instance_class, "unlimited");
    store_job_done(&job);
}

/* Jobs towards one server: 0..n-1 select databases, 0 selects all. */
static void overlapping_selections_do_not_start(void) {
    static const struct {
        int first, second;
        bool overlaps;
    } cases[] = {{0, 0, true}, {0, 2, true}, {2, 0, true}, {3, 1, true}};
    struct err err = ERR_INIT;
    char one[STORE_ID_SIZE], two[STORE_ID_SIZE], story[512];
    struct job_spec spec;

    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        store_fixture_spec(7200 + (int)i, cases[i].first, &spec);
        CU_ASSERT_TRUE(job_control_create(store_fixture(), &ring, account, NULL, &spec, one, &err));
        job_spec_done(&spec);
        store_fixture_spec(7200 + (int)i, cases[i].second, &spec);
        CU_ASSERT_TRUE(job_control_create(store_fixture(), &ring, account, NULL, &spec, two, &err));
        job_spec_done(&spec);
        run_precheck(one, "pass");
        run_precheck(two, "pass");
        CU_ASSERT_TRUE(job_control_start(store_fixture(), one, NULL, NULL, &err));
        CU_ASSERT_FALSE(job_control_start(store_fixture(), two, NULL, NULL, &err));
        CU_ASSERT_EQUAL(err.code, ERR_SELECTION_OVERLAPS);
        err_format(&err, story, sizeof(story));
        CU_ASSERT_PTR_NOT_NULL(strstr(story, one));
        /* A job that has ended is in nobody's way. */
        CU_ASSERT_TRUE(job_control_move(store_fixture(), one, JOB_EV_STOP, NULL, NULL, &err));
        CU_ASSERT_TRUE(is_in(one, "stopped"));
        CU_ASSERT_TRUE(job_control_start(store_fixture(), two, NULL, NULL, &err));
    }
    /* Disjoint ones share a server. */
    store_fixture_sql("UPDATE job SET destination_databases = '{7}', spec = jsonb_set(spec,"
                      " '{objects,databases}', '[{\"source\": 7, \"destination\": 7}]')"
                      " WHERE state = 'queued'"
                      " AND destination_key = '127.0.0.1:7203'");
    store_fixture_spec(7203, 2, &spec);
    CU_ASSERT_TRUE(job_control_create(store_fixture(), &ring, account, NULL, &spec, one, &err));
    job_spec_done(&spec);
    run_precheck(one, "pass");
    CU_ASSERT_TRUE(job_control_start(store_fixture(), one, NULL, NULL, &err));
}

static const char *step_state(const json_t *steps, size_t i) {
    return json_string_value(json_object_get(json_array_get(steps, i), "state"));
}

static void steps_are_told_by_the_history(void) {
    static const enum job_event way[] = {JOB_EV_CLAIMED, JOB_EV_RUNNING, JOB_EV_COPIED,
                                         JOB_EV_CAUGHT_UP};
    struct err err = ERR_INIT;
    json_t *steps;

    store_fixture_job(account, 7300, job_id);
    run_precheck(job_id, "pass");
    CU_ASSERT_TRUE(job_control_start(store_fixture(), job_id, NULL, NULL, &err));
    CU_ASSERT_TRUE(store_job_steps(store_fixture(), job_id, &steps, &err));
    CU_ASSERT_EQUAL_FATAL(json_array_size(steps), 3);
    CU_ASSERT_STRING_EQUAL(step_state(steps, 0), "passed");
    CU_ASSERT_STRING_EQUAL(step_state(steps, 1), "waiting");
    json_decref(steps);
    for (size_t i = 0; i < LENGTH_OF(way); i++)
        CU_ASSERT_TRUE(job_control_move(store_fixture(), job_id, way[i], NULL, NULL, &err));
    CU_ASSERT_TRUE(store_job_steps(store_fixture(), job_id, &steps, &err));
    CU_ASSERT_STRING_EQUAL(step_state(steps, 1), "done");
    CU_ASSERT_STRING_EQUAL(step_state(steps, 2), "running");
    json_decref(steps);
    CU_ASSERT_TRUE(job_control_move(store_fixture(), job_id, JOB_EV_FULL_RESYNC, NULL, NULL, &err));
    CU_ASSERT_TRUE(store_job_steps(store_fixture(), job_id, &steps, &err));
    CU_ASSERT_STRING_EQUAL(step_state(steps, 1), "running");
    CU_ASSERT_STRING_EQUAL(step_state(steps, 2), "waiting");
    json_decref(steps);
    CU_ASSERT_TRUE(store_job_steps(store_fixture(), "job_none", &steps, &err));
    CU_ASSERT_PTR_NULL(steps);
}

static void a_text_the_database_cannot_hold_is_the_callers_fault(void) {
    const struct job_move move = {.detail = "bad \xff bytes"};
    struct err err = ERR_INIT;

    store_fixture_job_in(account, "running", job_id);
    CU_ASSERT_FALSE(job_control_move(store_fixture(), job_id, JOB_EV_PAUSE, &move, NULL, &err));
    CU_ASSERT_EQUAL(err.code, ERR_VALIDATION);
    CU_ASSERT_TRUE(is_in(job_id, "running"));
}

static void a_summary_counts_by_state(void) {
    struct err err = ERR_INIT;
    char mine[STORE_ID_SIZE], id[STORE_ID_SIZE];
    json_t *summary;

    store_fixture_account(mine);
    CU_ASSERT_TRUE(store_job_summary(store_fixture(), mine, &summary, &err));
    CU_ASSERT_EQUAL(json_object_size(json_object_get(summary, "states")), 0);
    json_decref(summary);
    store_fixture_job_in(mine, "running", id);
    store_fixture_job_in(mine, "running", id);
    CU_ASSERT_TRUE(store_job_summary(store_fixture(), mine, &summary, &err));
    CU_ASSERT_EQUAL(
        json_integer_value(json_object_get(json_object_get(summary, "states"), "running")), 2);
    json_decref(summary);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_job_comes_back_as_it_was_saved),
    CUNIT_TEST(another_account_sees_nothing),
    CUNIT_TEST(a_list_pages_from_the_newest_on),
    CUNIT_TEST(a_move_the_table_does_not_have_is_refused),
    CUNIT_TEST(a_move_writes_its_history),
    CUNIT_TEST(of_many_movers_one_wins),
    CUNIT_TEST(a_history_has_no_gap_whoever_writes_it),
    CUNIT_TEST(a_worker_whose_lease_passed_on_moves_nothing),
    CUNIT_TEST(an_old_version_is_refused),
    CUNIT_TEST(attention_lasts_until_somebody_decides),
    CUNIT_TEST(a_start_needs_a_fresh_precheck_of_this_specification),
    CUNIT_TEST(overlapping_selections_do_not_start),
    CUNIT_TEST(steps_are_told_by_the_history),
    CUNIT_TEST(a_text_the_database_cannot_hold_is_the_callers_fault),
    CUNIT_TEST(a_summary_counts_by_state),
};
STORE_FIXTURE_MAIN("store_job", true, tests)
