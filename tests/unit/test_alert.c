/* test_alert.c - rules, the machine of an alert, what a rule sees, and how a notice is signed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/alert/alert_eye.h"
#include "services/alert/webhook_message.h"
#include "services/alert/webhook_schedule.h"
#include "tests/support/cunit_run.h"

enum { MINUTE = 60000 };

static const struct alert_rule latency = {
    .type = ALERT_LATENCY,
    .threshold = 5,
    .resolve_threshold = 4,
    .for_ms = 10000,
    .resolve_for_ms = 3000,
    .repeat_ms = MINUTE,
    .suppress_until_caught_up = true,
    .send_resolved = true,
};

static struct alert_seen bad(double value) {
    return (struct alert_seen){.is_known = true, .value = value};
}

/* One step a second with that value; counts notices. */
static void pass(const struct alert_rule *rule, struct alert_open *open, int64_t *now, int seconds,
                 struct alert_seen seen, int *firing, int *resolved) {
    for (int i = 0; i < seconds; i++, *now += 1000) {
        bool changed;

        switch (alert_machine_step(rule, &seen, *now, open, &changed)) {
        case ALERT_TELL_FIRING:
            CU_ASSERT(changed);
            (*firing)++;
            break;
        case ALERT_TELL_RESOLVED:
            CU_ASSERT(changed);
            (*resolved)++;
            break;
        case ALERT_TELL_NOTHING:
            break;
        }
    }
}

static void it_fires_once_when_it_was_bad_for_long_enough_and_ends_once(void) {
    struct alert_open open = {.state = ALERT_NONE};
    int64_t now = 1000000;
    int firing = 0, resolved = 0;

    pass(&latency, &open, &now, 10, bad(6), &firing, &resolved);
    CU_ASSERT_EQUAL(open.state, ALERT_PENDING);
    CU_ASSERT_EQUAL(firing, 0);
    pass(&latency, &open, &now, 40, bad(6), &firing, &resolved);
    CU_ASSERT_EQUAL(open.state, ALERT_FIRING);
    CU_ASSERT_EQUAL(firing, 1);
    pass(&latency, &open, &now, 3, bad(1), &firing, &resolved);
    CU_ASSERT_EQUAL(open.state, ALERT_FIRING);
    pass(&latency, &open, &now, 5, bad(1), &firing, &resolved);
    CU_ASSERT_EQUAL(open.state, ALERT_RESOLVED);
    CU_ASSERT_EQUAL(resolved, 1);
    CU_ASSERT_EQUAL(firing, 1);
}

static void a_short_spell_leaves_nothing(void) {
    struct alert_open open = {.state = ALERT_NONE};
    int64_t now = 1000000;
    int firing = 0, resolved = 0;

    for (int i = 0; i < 20; i++) {
        pass(&latency, &open, &now, 9, bad(6), &firing, &resolved);
        pass(&latency, &open, &now, 1, bad(1), &firing, &resolved);
        CU_ASSERT_EQUAL(open.state, ALERT_NONE);
    }
    CU_ASSERT_EQUAL(firing + resolved, 0);
}

static void it_is_repeated_until_somebody_takes_care(void) {
    struct alert_open open = {.state = ALERT_NONE};
    int64_t now = 1000000;
    int firing = 0, resolved = 0;

    pass(&latency, &open, &now, 10 + 121, bad(6), &firing, &resolved);
    CU_ASSERT_EQUAL(firing, 3);
    open.acknowledged_ms = now;
    pass(&latency, &open, &now, 600, bad(6), &firing, &resolved);
    CU_ASSERT_EQUAL(firing, 3);
}

static void a_silence_is_kept_and_what_began_in_it_is_told_at_its_end(void) {
    struct alert_open open = {.state = ALERT_NONE};
    int64_t now = 1000000;
    int firing = 0, resolved = 0;

    pass(&latency, &open, &now, 1, bad(6), &firing, &resolved);
    open.silenced_until_ms = now + 30000;
    pass(&latency, &open, &now, 30, bad(6), &firing, &resolved);
    CU_ASSERT_EQUAL(firing, 0);
    CU_ASSERT_EQUAL(open.state, ALERT_FIRING);
    pass(&latency, &open, &now, 5, bad(6), &firing, &resolved);
    CU_ASSERT_EQUAL(firing, 1);
}

static void between_the_thresholds_it_stays_as_it_is(void) {
    struct alert_open open = {.state = ALERT_NONE};
    int64_t now = 1000000;
    int firing = 0, resolved = 0;

    pass(&latency, &open, &now, 12, bad(6), &firing, &resolved);
    pass(&latency, &open, &now, 60, bad(4.5), &firing, &resolved);
    CU_ASSERT_EQUAL(open.state, ALERT_FIRING);
    pass(&latency, &open, &now, 2, bad(3), &firing, &resolved);
    pass(&latency, &open, &now, 2, bad(4.5), &firing, &resolved);
    pass(&latency, &open, &now, 2, bad(3), &firing, &resolved);
    CU_ASSERT_EQUAL(open.state, ALERT_FIRING); /* the two seconds before do not count */
    CU_ASSERT_EQUAL(resolved, 0);
}

static void what_is_not_known_neither_fires_nor_ends_it(void) {
    struct alert_open open = {.state = ALERT_NONE};
    const struct alert_seen unknown = {.is_known = false};
    int64_t now = 1000000;
    int firing = 0, resolved = 0;

    pass(&latency, &open, &now, 100, unknown, &firing, &resolved);
    CU_ASSERT_EQUAL(open.state, ALERT_NONE);
    pass(&latency, &open, &now, 12, bad(6), &firing, &resolved);
    pass(&latency, &open, &now, 30, unknown, &firing, &resolved);
    CU_ASSERT_EQUAL(open.state, ALERT_FIRING);
}

static void a_job_that_has_ended_ends_it_at_once(void) {
    struct alert_open open = {.state = ALERT_NONE};
    int64_t now = 1000000;
    int firing = 0, resolved = 0;

    pass(&latency, &open, &now, 12, bad(6), &firing, &resolved);
    pass(&latency, &open, &now, 1, (struct alert_seen){.is_over = true}, &firing, &resolved);
    CU_ASSERT_EQUAL(open.state, ALERT_RESOLVED);
    CU_ASSERT_EQUAL(resolved, 1);
}

static void before_the_first_catch_up_only_a_rule_that_wants_it_fires(void) {
    struct alert_rule eager = latency;
    struct alert_open open = {.state = ALERT_NONE};
    struct alert_seen seen = {.is_known = true, .is_excused = true, .value = 100};
    int64_t now = 1000000;
    int firing = 0, resolved = 0;

    pass(&latency, &open, &now, 60, seen, &firing, &resolved);
    CU_ASSERT_EQUAL(firing, 0);
    eager.suppress_until_caught_up = false;
    pass(&eager, &open, &now, 60, seen, &firing, &resolved);
    CU_ASSERT_EQUAL(firing, 1);
}

static struct alert_job job_of(const char *text, json_t **ret_row) {
    struct alert_job job;

    int64_t now_ms;

    *ret_row = json_loads(text, 0, NULL);
    now_ms = json_integer_value(json_object_get(*ret_row, "now_ms"));
    CU_ASSERT_FATAL(alert_job_from_row(*ret_row, now_ms ? now_ms : 2000000, &job));
    return job;
}

static double value_of(enum alert_type type, const char *row_text) {
    struct alert_rule rule = {.type = type};
    struct alert_seen seen;
    struct alert_job job;
    json_t *row;

    job = job_of(row_text, &row);
    job.seen.progress = &job.progress; /* the struct was copied */
    seen = alert_eye_look(&rule, &job);
    json_decref(row);
    return seen.is_over ? -2 : seen.is_known ? seen.value : -1;
}

#define ROW(state, progress)                                                                       \
    "{\"id\":\"job_1\",\"account\":\"acct_1\",\"state\":\"" state "\",\"started_ms\":1000,"        \
    "\"retry_since_ms\":1990000,\"progress\":{" progress "}}"

/* Begun a hundred hours before, and retried for as long. */
#define OLD_ROW(state, progress)                                                                   \
    "{\"id\":\"job_1\",\"account\":\"acct_1\",\"state\":\"" state                                  \
    "\",\"now_ms\":360000000,\"started_ms\":1000,\"retry_since_ms\":1000,\"progress\":{" progress  \
    "}}"

static void each_type_sees_its_figure(void) {
    CU_ASSERT_EQUAL(value_of(ALERT_LATENCY, ROW("running", "\"phase\":\"incremental\","
                                                           "\"latency_us\":7000000,"
                                                           "\"latency_at_ms\":1999000")),
                    7);
    CU_ASSERT_EQUAL(value_of(ALERT_LATENCY, ROW("running", "\"phase\":\"full\"")), -1);
    CU_ASSERT_EQUAL(value_of(ALERT_ERROR, ROW("failed", "")), 1);
    CU_ASSERT_EQUAL(value_of(ALERT_ERROR, ROW("running", "")), 0);
    CU_ASSERT_EQUAL(value_of(ALERT_ERROR, ROW("stopped", "")), -2);
    CU_ASSERT_EQUAL(value_of(ALERT_BLOCKED, ROW("blocked", "")), 1);
    CU_ASSERT_EQUAL(value_of(ALERT_PRECHECK_FAILED, ROW("precheck_failed", "")), 1);
    CU_ASSERT_EQUAL(value_of(ALERT_RETRYING, ROW("retrying", "")), 10);
    CU_ASSERT_EQUAL(
        value_of(ALERT_DESTINATION_MEMORY, ROW("running", "\"destination_memory_bytes\":90,"
                                                          "\"destination_memory_max_bytes\":100")),
        90);
    CU_ASSERT_EQUAL(value_of(ALERT_DESTINATION_MEMORY, ROW("running", "")), -1);
    CU_ASSERT_EQUAL(value_of(ALERT_EVICTION, ROW("running", "\"destination_evicted_keys\":3")), 1);
    CU_ASSERT_EQUAL(value_of(ALERT_SAFE_FOR, ROW("running", "\"source_bytes_per_second\":10,"
                                                            "\"spool_quota_bytes\":1000,"
                                                            "\"spool_bytes\":400")),
                    60);
    CU_ASSERT(value_of(ALERT_FULL_TIMEOUT, ROW("running", "\"phase\":\"full\"")) > 0.5);
    CU_ASSERT_EQUAL(value_of(ALERT_HEARTBEAT_STALE,
                             ROW("running", "\"phase\":\"incremental\",\"heartbeat_state\":1,"
                                            "\"latency_at_ms\":1990000")),
                    1);
    CU_ASSERT_EQUAL(value_of(ALERT_HEARTBEAT_STALE,
                             ROW("running", "\"phase\":\"incremental\",\"heartbeat_state\":2,"
                                            "\"latency_at_ms\":1990000")),
                    0);
    CU_ASSERT_EQUAL(value_of(ALERT_HEARTBEAT_STALE,
                             ROW("running", "\"phase\":\"incremental\",\"heartbeat_state\":1,"
                                            "\"heartbeat_interval_ms\":10000,"
                                            "\"latency_at_ms\":1990000")),
                    0);
    CU_ASSERT_EQUAL(value_of(ALERT_HEARTBEAT_STALE,
                             ROW("paused", "\"phase\":\"incremental\",\"heartbeat_state\":1,"
                                           "\"latency_at_ms\":1990000")),
                    0);
}

/* Each type with what is bad for it, at its default threshold, and what is just well. */
static void each_type_has_a_side_on_which_it_fires_and_one_on_which_it_does_not(void) {
    static const struct {
        enum alert_type type;
        const char *bad, *well;
    } cases[] = {
        {ALERT_LATENCY,
         ROW("running", "\"phase\":\"incremental\",\"latency_us\":61000000,"
                        "\"latency_at_ms\":1999000"),
         ROW("running", "\"phase\":\"incremental\",\"latency_us\":59000000,"
                        "\"latency_at_ms\":1999000")},
        {ALERT_ERROR, ROW("failed", ""), ROW("retrying", "")},
        {ALERT_ERROR, ROW("blocked", ""), ROW("paused", "")},
        {ALERT_BLOCKED, ROW("blocked", ""), ROW("failed", "")},
        {ALERT_PRECHECK_FAILED, ROW("precheck_failed", ""), ROW("running", "")},
        {ALERT_FULL_TIMEOUT, OLD_ROW("running", "\"phase\":\"full\""),
         OLD_ROW("running", "\"phase\":\"incremental\"")},
        {ALERT_FULL_TIMEOUT, OLD_ROW("running", "\"phase\":\"snapshot_wait\""),
         ROW("running", "\"phase\":\"full\"")},
        {ALERT_STALLED, ROW("running", "\"moved_at_ms\":1300000"),
         ROW("running", "\"moved_at_ms\":1500000")},
        {ALERT_STALLED, ROW("stopping", "\"moved_at_ms\":1300000"),
         ROW("paused", "\"moved_at_ms\":1300000")},
        {ALERT_RETRYING, OLD_ROW("retrying", ""), ROW("retrying", "")},
        {ALERT_RETRYING, OLD_ROW("retrying", ""), OLD_ROW("running", "")},
        {ALERT_HEARTBEAT_STALE,
         ROW("running", "\"phase\":\"incremental\",\"heartbeat_state\":1,"
                        "\"latency_at_ms\":1994000"),
         ROW("running", "\"phase\":\"incremental\",\"heartbeat_state\":1,"
                        "\"latency_at_ms\":1996000")},
        {ALERT_DESTINATION_MEMORY,
         ROW("running", "\"destination_memory_bytes\":86,\"destination_memory_max_bytes\":100"),
         ROW("running", "\"destination_memory_bytes\":84,\"destination_memory_max_bytes\":100")},
        {ALERT_EVICTION, ROW("running", "\"destination_evicted_keys\":1"), ROW("running", "")},
        {ALERT_SAFE_FOR, ROW("running", "\"source_bytes_per_second\":1,\"spool_quota_bytes\":1799"),
         ROW("running", "\"source_bytes_per_second\":1,\"spool_quota_bytes\":1801")},
        {ALERT_SAFE_FOR,
         ROW("running", "\"destination_memory_bytes\":1,\"destination_memory_max_bytes\":1701,"
                        "\"destination_memory_growth\":1"),
         ROW("running", "\"destination_memory_bytes\":1,\"destination_memory_max_bytes\":1901,"
                        "\"destination_memory_growth\":1")},
        {ALERT_SAFE_FOR, ROW("running", "\"certificate_until_ms\":3700000"),
         ROW("running", "\"certificate_until_ms\":3900000")},
        {ALERT_CERTIFICATE_EXPIRING, ROW("running", "\"certificate_until_ms\":1211000000"),
         ROW("running", "\"certificate_until_ms\":1212000000")},
        {ALERT_CERTIFICATE_EXPIRING, ROW("paused", "\"certificate_until_ms\":1000"),
         ROW("running", "")},
        {ALERT_ROLE_EXPIRING, ROW("running", "\"role_until_ms\":1211000000"),
         ROW("running", "\"role_until_ms\":1212000000")},
    };
    bool is_tried[ALERT_TYPE_COUNT] = {false};

    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct alert_rule rule = {.type = cases[i].type,
                                  .threshold = alert_type_row(cases[i].type)->threshold};

        rule.resolve_threshold = rule.threshold;
        is_tried[cases[i].type] = true;
        CU_ASSERT(alert_rule_is_bad(&rule, value_of(cases[i].type, cases[i].bad)));
        CU_ASSERT_FALSE(alert_rule_is_well(&rule, value_of(cases[i].type, cases[i].bad)));
        CU_ASSERT_FALSE(alert_rule_is_bad(&rule, value_of(cases[i].type, cases[i].well)));
        CU_ASSERT(alert_rule_is_well(&rule, value_of(cases[i].type, cases[i].well)));
    }
    for (int type = 0; type < ALERT_TYPE_COUNT; type++)
        CU_ASSERT(is_tried[type]);
}

static void labels_and_account_choose_the_jobs(void) {
    json_t *want = json_pack("{s:s}", "team", "a"),
           *has = json_pack("{s:s, s:s}", "team", "a", "x", "y"),
           *other = json_pack("{s:s}", "team", "b");
    struct alert_rule rule = {.account = "acct_1", .labels = want};

    CU_ASSERT(alert_rule_covers(&rule, "acct_1", "job_1", has));
    CU_ASSERT_FALSE(alert_rule_covers(&rule, "acct_2", "job_1", has));
    CU_ASSERT_FALSE(alert_rule_covers(&rule, "acct_1", "job_1", other));
    CU_ASSERT_FALSE(alert_rule_covers(&rule, "acct_1", "job_1", NULL));
    rule.job = "job_2";
    CU_ASSERT_FALSE(alert_rule_covers(&rule, "acct_1", "job_1", has));
    json_decref(want);
    json_decref(has);
    json_decref(other);
}

/* The example of the specification's reference libraries. */
static void a_message_is_signed_as_the_standard_says(void) {
    struct buf out = BUF_INIT(1024);
    struct err err = ERR_INIT;

    CU_ASSERT_FATAL(webhook_message_sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                                         "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
                                         STR_LIT("{\"test\": 2432232314}"), &out, &err));
    CU_ASSERT(str_equal(buf_str(&out), STR_LIT("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")));
    buf_done(&out);
}

static void a_secret_of_another_form_is_refused(void) {
    static const char *const wrong[] = {"",
                                        "whsec_",
                                        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                                        "whsec_c2hvcnQ=",
                                        "whsec_!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!",
                                        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS"};
    unsigned char key[WEBHOOK_SECRET_SIZE];
    char made[WEBHOOK_SECRET_TEXT_SIZE];
    struct err err = ERR_INIT;
    size_t len;

    for (size_t i = 0; i < LENGTH_OF(wrong); i++) {
        CU_ASSERT_FALSE(webhook_secret_parse(wrong[i], key, &len, &err));
        err_clear(&err);
    }
    CU_ASSERT_FATAL(webhook_secret_make(made, &err));
    CU_ASSERT(webhook_secret_parse(made, key, &len, &err));
    CU_ASSERT_EQUAL(len, 32);
}

static void answers_decide_when_it_is_sent_again(void) {
    struct webhook_schedule s;
    struct err err = ERR_INIT;
    int64_t in_ms = 0;

    CU_ASSERT_FATAL(webhook_schedule_parse(STR_EMPTY, &s, &err));
    CU_ASSERT_EQUAL(webhook_schedule_next(&s, &(struct webhook_answer){204, 0}, 1, 0, 0, &in_ms),
                    WEBHOOK_DELIVERED);
    CU_ASSERT_EQUAL(webhook_schedule_next(&s, &(struct webhook_answer){410, 0}, 1, 0, 0, &in_ms),
                    WEBHOOK_DISABLE);
    CU_ASSERT_EQUAL(webhook_schedule_next(&s, &(struct webhook_answer){302, 0}, 1, 0, 0, &in_ms),
                    WEBHOOK_AGAIN);
    CU_ASSERT_EQUAL(in_ms, 5000);
    CU_ASSERT_EQUAL(webhook_schedule_next(&s, &(struct webhook_answer){0, 0}, 2, 0, 999, &in_ms),
                    WEBHOOK_AGAIN);
    CU_ASSERT(in_ms > 300000 && in_ms <= 360000);
    CU_ASSERT_EQUAL(webhook_schedule_next(&s, &(struct webhook_answer){429, 3600}, 1, 0, 0, &in_ms),
                    WEBHOOK_AGAIN);
    CU_ASSERT_EQUAL(in_ms, 3600000);
    CU_ASSERT_EQUAL(webhook_schedule_next(&s, &(struct webhook_answer){500, 0}, 10, 0, 0, &in_ms),
                    WEBHOOK_GIVE_UP);
    CU_ASSERT_EQUAL(webhook_schedule_next(&s, &(struct webhook_answer){500, 0}, 1, 1, 0, &in_ms),
                    WEBHOOK_GIVE_UP);
    CU_ASSERT_FATAL(webhook_schedule_parse(STR_LIT("1 2  3"), &s, &err));
    CU_ASSERT_EQUAL(s.count, 3);
    CU_ASSERT_FALSE(webhook_schedule_parse(STR_LIT("1 soon"), &s, &err));
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(it_fires_once_when_it_was_bad_for_long_enough_and_ends_once),
    CUNIT_TEST(a_short_spell_leaves_nothing),
    CUNIT_TEST(it_is_repeated_until_somebody_takes_care),
    CUNIT_TEST(a_silence_is_kept_and_what_began_in_it_is_told_at_its_end),
    CUNIT_TEST(between_the_thresholds_it_stays_as_it_is),
    CUNIT_TEST(what_is_not_known_neither_fires_nor_ends_it),
    CUNIT_TEST(a_job_that_has_ended_ends_it_at_once),
    CUNIT_TEST(before_the_first_catch_up_only_a_rule_that_wants_it_fires),
    CUNIT_TEST(each_type_sees_its_figure),
    CUNIT_TEST(each_type_has_a_side_on_which_it_fires_and_one_on_which_it_does_not),
    CUNIT_TEST(labels_and_account_choose_the_jobs),
    CUNIT_TEST(a_message_is_signed_as_the_standard_says),
    CUNIT_TEST(a_secret_of_another_form_is_refused),
    CUNIT_TEST(answers_decide_when_it_is_sent_again),
};
CUNIT_MAIN("alert", tests)
