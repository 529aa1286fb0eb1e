#include <stdio.h>
#include <string.h>

#include "tests/support/cunit_run.h"
#include "web-api/key_counts_why.h"

/* What a difference of one database comes to: "verdict: code code". */
static const char *judged(const struct key_counts_pair *pair) {
    static char text[400];
    enum key_counts_verdict verdict;
    json_t *why = key_counts_why(pair, &verdict), *one;
    size_t i;

    snprintf(text, sizeof(text), "%s:", key_counts_verdict_name(verdict));
    json_array_foreach(why, i, one) {
        strcat(text, " ");
        strcat(text, json_string_value(json_object_get(one, "code")));
    }
    json_decref(why);
    return text;
}

/* A job that follows, caught up and quiet. */
static struct store_job following(void) {
    struct store_job job = STORE_JOB_INIT;

    strcpy(job.state, "running");
    strcpy(job.progress.phase, "incremental");
    strcpy(job.progress.position_state, "tail");
    job.spec = json_pack("{s:s, s:s, s:{s:b}}", "expiry", "held", "conflict_mode", "precheck_error",
                         "migration", "incremental", 1);
    return job;
}

static struct key_counts_side side(int64_t keys, int64_t expires) {
    return (struct key_counts_side){
        .is_known = true, .tells_expires = true, .keys = keys, .expires = expires};
}

static void counts_that_agree_are_the_same_and_no_more(void) {
    struct store_job job = following();
    struct key_counts_pair p = {.job = &job, .source = side(9, 3), .destination = side(9, 3)};

    CU_ASSERT_STRING_EQUAL(judged(&p), "same_counts:");
    /* As many keys, but other ones expire. */
    p.destination = side(9, 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(judged(&p), "unexplained"));
    store_job_done(&job);
}

static void what_expires_explains_no_key_that_does_not(void) {
    struct store_job job = following();
    struct key_counts_pair p = {.job = &job, .source = side(100, 50), .destination = side(60, 10)};

    CU_ASSERT_STRING_EQUAL(judged(&p), "explained: expired_at_source");
    p.destination = side(60, 20); /* ten of the others are missing too */
    CU_ASSERT_STRING_EQUAL(judged(&p), "unexplained: expired_at_source");
    p.destination = side(150, 100); /* more of those that expire: held */
    CU_ASSERT_STRING_EQUAL(judged(&p), "explained: held_expiry");
    job.progress.settled = 1;
    CU_ASSERT_STRING_EQUAL(judged(&p), "explained: expired_at_destination");
    store_job_done(&job);
}

static void bytes_that_are_not_applied_explain_only_so_many_keys(void) {
    struct store_job job = following();
    struct key_counts_pair p = {.job = &job, .source = side(100, 0), .destination = side(90, 0)};

    CU_ASSERT_STRING_EQUAL(judged(&p), "unexplained:");
    job.progress.lag_bytes = 400;
    CU_ASSERT_STRING_EQUAL(judged(&p), "explained: not_yet_applied");
    job.progress.lag_bytes = 40;
    CU_ASSERT_STRING_EQUAL(judged(&p), "unexplained: not_yet_applied");
    strcpy(job.state, "paused"); /* how much it is now nobody knows */
    CU_ASSERT_STRING_EQUAL(judged(&p), "explained: not_yet_applied");
    store_job_done(&job);
}

static void a_copy_explains_fewer_keys_and_never_more(void) {
    struct store_job job = following();
    struct key_counts_pair p = {.job = &job, .source = side(100, 0), .destination = side(40, 0)};

    strcpy(job.progress.phase, "full");
    strcpy(job.progress.position_state, "copy");
    CU_ASSERT_STRING_EQUAL(judged(&p), "explained: not_yet_copied");
    p.destination = side(140, 0);
    CU_ASSERT_STRING_EQUAL(judged(&p), "unexplained:");
    p.keys_before = 40;
    CU_ASSERT_STRING_EQUAL(judged(&p), "explained: destination_had_keys");
    p.keys_before = 39;
    CU_ASSERT_STRING_EQUAL(judged(&p), "unexplained: destination_had_keys");
    store_job_done(&job);
}

static void what_cannot_be_compared_is_not(void) {
    struct store_job job = following();
    struct key_counts_pair p = {.job = &job, .source = side(100, 0), .destination = side(40, 0)};

    p.has_prefixes = true;
    CU_ASSERT_PTR_NOT_NULL(strstr(judged(&p), "not_comparable"));
    p.has_prefixes = false;
    p.is_one_node = true;
    CU_ASSERT_PTR_NOT_NULL(strstr(judged(&p), "not_comparable: one_node"));
    p.is_one_node = false;
    p.destination.is_known = false;
    CU_ASSERT_STRING_EQUAL(judged(&p), "unknown:");
    /* Without the count of expiries all of it may be of keys that expire. */
    p.destination = (struct key_counts_side){.is_known = true, .keys = 90};
    p.source = side(100, 10);
    CU_ASSERT_STRING_EQUAL(judged(&p), "explained: expired_at_source");
    store_job_done(&job);
}

static void what_was_kept_is_told_although_the_counts_agree(void) {
    struct store_job job = following();
    struct key_counts_pair p = {.job = &job, .source = side(9, 0), .destination = side(9, 0)};

    job.progress.keys_conflict = 4;
    CU_ASSERT_STRING_EQUAL(judged(&p), "same_counts: skipped_by_conflict");
    store_job_done(&job);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(counts_that_agree_are_the_same_and_no_more),
    CUNIT_TEST(what_expires_explains_no_key_that_does_not),
    CUNIT_TEST(bytes_that_are_not_applied_explain_only_so_many_keys),
    CUNIT_TEST(a_copy_explains_fewer_keys_and_never_more),
    CUNIT_TEST(what_cannot_be_compared_is_not),
    CUNIT_TEST(what_was_kept_is_told_although_the_counts_agree),
};
CUNIT_MAIN("key_counts", tests)
