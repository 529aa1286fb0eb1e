/* What the store does when the server goes away, when transactions meet, and with answers
 * that are given again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "services/common/ulid.h"
#include "services/secret/api_key.h"
#include "sql/store_account.h"
#include "sql/store_event.h"
#include "sql/store_idempotency.h"
#include "sql/store_key.h"
#include "sql/store_listen.h"
#include "sql/store_series.h"
#include "sql/store_txn.h"
#include "sql/store_worker.h"
#include "tests/support/cunit_run.h"
#include "tests/support/store_fixture.h"

static void kill_connections(void) {
    store_fixture_sql("SELECT count(pg_terminate_backend(pid, 60000)) FROM pg_stat_activity"
                      " WHERE application_name = 'test' AND datname = current_database()");
}

static void a_lost_connection_is_made_again(void) {
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(store_ping(store_fixture(), &err));
    kill_connections();
    CU_ASSERT_TRUE(store_ping(store_fixture(), &err));
    CU_ASSERT(store_fd(store_fixture()) >= 0);
}

static bool lose_it(struct store *store, void *arg, struct err *err) {
    int *runs = arg;

    ++*runs;
    kill_connections();
    return store_ping(store, err);
}

static void a_transaction_does_not_outlive_its_connection(void) {
    struct err err = ERR_INIT;
    int runs = 0;

    CU_ASSERT_FALSE(store_txn(store_fixture(), lose_it, &runs, &err));
    CU_ASSERT_EQUAL(err.code, ERR_STORE);
    CU_ASSERT_EQUAL(runs, 1);
    CU_ASSERT_TRUE(store_ping(store_fixture(), &err));
}

/* Two that take two locks in the opposite order: the server lets one fall, and it runs again. */
static bool cross(struct store *store, void *arg, struct err *err) {
    int number = *(int *)arg;

    if (!store_txn_lock(store, number ? "a" : "b", err))
        return false;
    usleep(300000);
    return store_txn_lock(store, number ? "b" : "a", err);
}

static bool cross_here(int number) {
    struct err err = ERR_INIT;

    return store_txn(store_fixture(), cross, &number, &err);
}

static void what_the_server_asks_to_repeat_is_repeated(void) {
    CU_ASSERT_EQUAL(store_fixture_race(2, cross_here), 2);
}

static char account[STORE_ID_SIZE];

/* Waits for a lock that another transaction keeps. */
static bool wait_for_lock(struct store *store, void *arg, struct err *err) {
    struct store *waiting = arg;
    struct err ignored = ERR_INIT;
    bool got;

    if (!store_txn_lock(store, "kept", err))
        return false;
    got = store_txn_lock(waiting, "kept", &ignored);
    CU_ASSERT_FALSE(got);
    CU_ASSERT_EQUAL(ignored.code, ERR_STORE);
    return true;
}

static void a_server_that_does_not_answer_is_given_up(void) {
    struct store *waiting = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE_FATAL(store_open(store_fixture_url(), "test", &waiting, &err));
    store_answer_limit(waiting, 200);
    CU_ASSERT_TRUE(store_txn(store_fixture(), wait_for_lock, waiting, &err));
    CU_ASSERT_TRUE(store_commit_unknown(waiting));
    store_answer_limit(waiting, 60000);
    CU_ASSERT_TRUE(store_ping(waiting, &err)); /* over a new connection */
    store_close(waiting);
}

static bool make_and_fail(struct store *store, void *arg, struct err *err) {
    (void)arg;
    return store_account_put(store, "acct_rolled_back", "x", NULL, err) &&
           err_set(err, ERR_BAD_REQUEST, "no");
}

static void what_fails_leaves_nothing(void) {
    struct err err = ERR_INIT;

    CU_ASSERT_FALSE(store_txn(store_fixture(), make_and_fail, NULL, &err));
    CU_ASSERT_EQUAL(err.code, ERR_BAD_REQUEST);
    CU_ASSERT_STRING_EQUAL(
        store_fixture_value("SELECT count(*) FROM account WHERE id = 'acct_rolled_back'"), "0");
}

struct call {
    const char *key, *hash;
    enum store_idempotency_verdict verdict;
    int status_seen;
    bool fails;
};

static bool run_call(struct store *store, void *arg, struct err *err) {
    struct call *call = arg;
    struct store_answer answer = {.status = 0};
    char hashes[2][STORE_REQUEST_HASH_SIZE] = {"7.of another key"};

    snprintf(hashes[1], sizeof(hashes[1]), "%s", call->hash);
    if (!store_idempotency_begin(store, account, call->key, "POST /v1/jobs", hashes, 2,
                                 &call->verdict, &answer, err))
        return false;
    if (call->verdict != STORE_IDEMPOTENCY_NEW) {
        call->status_seen = answer.status;
        store_answer_done(&answer);
        return true;
    }
    answer = (struct store_answer){.status = 201, .body = json_pack("{s:i}", "n", 1)};
    if (!store_idempotency_finish(store, account, call->key, "POST /v1/jobs", call->hash, &answer,
                                  err)) {
        store_answer_done(&answer);
        return false;
    }
    store_answer_done(&answer);
    return !call->fails || err_set(err, ERR_INTERNAL, "after the effect");
}

static void an_answer_is_given_again_for_the_same_request_only(void) {
    struct call call = {.key = "k", .hash = "h1", .fails = true};
    struct err err = ERR_INIT;

    store_fixture_account(account);
    CU_ASSERT_FALSE(store_txn(store_fixture(), run_call, &call, &err));
    call.fails = false; /* it was rolled back: as if it had not been asked */
    CU_ASSERT_TRUE(store_txn(store_fixture(), run_call, &call, &err));
    CU_ASSERT_EQUAL(call.verdict, STORE_IDEMPOTENCY_NEW);
    CU_ASSERT_TRUE(store_txn(store_fixture(), run_call, &call, &err));
    CU_ASSERT_EQUAL(call.verdict, STORE_IDEMPOTENCY_REPLAY);
    CU_ASSERT_EQUAL(call.status_seen, 201);
    call.hash = "h2";
    CU_ASSERT_TRUE(store_txn(store_fixture(), run_call, &call, &err));
    CU_ASSERT_EQUAL(call.verdict, STORE_IDEMPOTENCY_CONFLICT);
    store_fixture_sql("UPDATE idempotency SET created_at = created_at - interval '25 hours'");
    CU_ASSERT_TRUE(store_txn(store_fixture(), run_call, &call, &err));
    CU_ASSERT_EQUAL(call.verdict, STORE_IDEMPOTENCY_NEW);
    store_fixture_sql("UPDATE idempotency SET created_at = created_at - interval '25 hours'");
    CU_ASSERT_TRUE(store_sweep(store_fixture(), &err));
    CU_ASSERT_STRING_EQUAL(store_fixture_value("SELECT count(*) FROM idempotency"), "0");
}

static void each_step_of_the_charts_is_kept_for_its_time(void) {
    struct series_bucket *found = NULL;
    struct store_series_row row = {.step = 1};
    struct err err = ERR_INIT;
    size_t count;

    store_fixture_account(account);
    store_fixture_job_in(account, "running", row.job);
    series_bucket_init(&row.bucket, 1, 1000000000);
    row.bucket.points[SERIES_lag_bytes][3] = 7;
    CU_ASSERT_TRUE(store_series_put(store_fixture(), &row, 1, &err));
    /* Another worker's seconds of the same minute. */
    row.bucket.points[SERIES_lag_bytes][3] = SERIES_UNKNOWN;
    row.bucket.points[SERIES_lag_bytes][4] = 8;
    CU_ASSERT_TRUE(store_series_put(store_fixture(), &row, 1, &err));
    CU_ASSERT_TRUE_FATAL(
        store_series_get(store_fixture(), row.job, 1, 999999990, 1000000030, &found, &count, &err));
    CU_ASSERT_EQUAL_FATAL(count, 1);
    CU_ASSERT_EQUAL(found[0].points[SERIES_lag_bytes][3], 7);
    CU_ASSERT_EQUAL(found[0].points[SERIES_lag_bytes][4], 8);
    CU_ASSERT_EQUAL(found[0].points[SERIES_latency_us][0], SERIES_UNKNOWN);
    free(found);
    store_fixture_sql("INSERT INTO series SELECT job, s, now() - a, points FROM series,"
                      " (VALUES (1, interval '50 minutes'), (10, '23 hours'), (10, '25 hours'),"
                      "  (60, '30 days'), (60, '32 days')) v (s, a)");
    CU_ASSERT_TRUE(store_sweep(store_fixture(), &err));
    CU_ASSERT_STRING_EQUAL(
        store_fixture_value("SELECT string_agg(step::text, ' ' ORDER BY step) FROM series"),
        "1 10 60");
}

/* Holds the key in a transaction while another connection asks for it. */
static bool ask_from_elsewhere(struct store *store, void *arg, struct err *err) {
    struct call *other = arg;
    struct call mine = {.key = other->key, .hash = other->hash};
    struct store *second = NULL;
    bool ok;

    if (!run_call(store, &mine, err) || !store_open(store_fixture_url(), "test", &second, err))
        return false;
    ok = store_txn(second, run_call, other, err);
    store_close(second);
    return ok;
}

static void a_call_that_still_runs_is_in_flight(void) {
    struct call other = {.key = "slow", .hash = "h"};
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(store_txn(store_fixture(), ask_from_elsewhere, &other, &err));
    CU_ASSERT_EQUAL(other.verdict, STORE_IDEMPOTENCY_IN_FLIGHT);
}

static bool call_once(int number) {
    struct call call = {.key = "race", .hash = "h"};
    struct err err = ERR_INIT;

    (void)number;
    return store_txn(store_fixture(), run_call, &call, &err) &&
           call.verdict == STORE_IDEMPOTENCY_NEW;
}

static void of_equal_calls_at_once_one_has_an_effect(void) {
    CU_ASSERT_EQUAL(store_fixture_race(6, call_once), 1);
}

static void a_key_is_found_by_its_prefix_and_known_by_its_hash(void) {
    struct secret key = SECRET_INIT;
    struct store_key_new row;
    struct store_key found;
    struct err err = ERR_INIT;
    unsigned char hash[API_KEY_HASH_SIZE];
    char prefix[API_KEY_PREFIX_LEN + 1], id[ULID_ID_SIZE];
    int64_t usable = 0;

    store_fixture_account(account);
    ulid_make("ak", id);
    CU_ASSERT_TRUE(api_key_make(&key, prefix, &err));
    api_key_hash(secret_str(&key), hash);
    row = (struct store_key_new){.id = id,
                                 .account = account,
                                 .name = "admin",
                                 .prefix = prefix,
                                 .hash = hash,
                                 .scopes = "admin"};
    CU_ASSERT_TRUE(store_key_insert(store_fixture(), &row, &err));
    CU_ASSERT_TRUE(store_key_find(store_fixture(), prefix, &found, &err));
    CU_ASSERT_TRUE(api_key_hash_equal(found.hash, hash));
    CU_ASSERT_TRUE(found.is_usable);
    CU_ASSERT_STRING_EQUAL(found.account, account);
    CU_ASSERT_STRING_EQUAL(found.scopes, "admin");
    row.id = "ak_2";
    CU_ASSERT_FALSE(store_key_insert(store_fixture(), &row, &err));
    CU_ASSERT_EQUAL(err.code, ERR_STORE_CONFLICT);
    CU_ASSERT_TRUE(store_key_used(store_fixture(), id, &err));
    CU_ASSERT_TRUE(store_key_count(store_fixture(), &usable, &err));
    CU_ASSERT_EQUAL(usable, 1);
    store_fixture_sql("UPDATE api_key SET revoked_at = now()");
    CU_ASSERT_TRUE(store_key_find(store_fixture(), prefix, &found, &err));
    CU_ASSERT_FALSE(found.is_usable);
    CU_ASSERT_FALSE(store_key_find(store_fixture(), "nosuchxx", &found, &err));
    CU_ASSERT_EQUAL(err.code, ERR_NOT_FOUND);
    secret_done(&key);
}

static void a_change_of_a_job_wakes_who_listens(void) {
    struct store_listen *listen = NULL;
    struct store_wake wake;
    struct err err = ERR_INIT;
    char id[STORE_ID_SIZE];

    store_fixture_account(account);
    CU_ASSERT_TRUE_FATAL(store_listen_open(store_fixture_url(), "test", &listen, &err));
    store_listen_next(listen, 0, &wake);
    CU_ASSERT_EQUAL(wake.kind, STORE_WAKE_NONE);
    store_fixture_job(account, 7400, id);
    store_listen_next(listen, 2000, &wake);
    CU_ASSERT_EQUAL(wake.kind, STORE_WAKE_NOTE);
    CU_ASSERT_STRING_EQUAL(wake.channel, STORE_CHANNEL_JOB);
    CU_ASSERT_STRING_EQUAL(wake.id, id);

    kill_connections();
    store_listen_next(listen, 3000, &wake);
    CU_ASSERT_EQUAL(wake.kind, STORE_WAKE_LOST);
    CU_ASSERT_TRUE(store_event_add(store_fixture(), id, "x", "y", NULL, NULL, &err));
    store_listen_next(listen, 2000, &wake);
    CU_ASSERT_EQUAL(wake.kind, STORE_WAKE_NOTE);
    store_listen_close(listen);
}

static void a_worker_is_listed_while_it_is_seen(void) {
    const struct store_worker worker = {
        .id = "w1", .host = "h", .pool = "shared", .version = "1", .pid = 7, .tasks_held = 3};
    struct err err = ERR_INIT;
    struct store_worker_wish wish = {.drain = true, .places = -1};
    json_t *list;

    CU_ASSERT_TRUE(store_worker_seen(store_fixture(), &worker, &wish, &err));
    CU_ASSERT_FALSE(wish.drain);
    CU_ASSERT_EQUAL(wish.places, 0);
    CU_ASSERT_TRUE(store_worker_seen(store_fixture(), &worker, NULL, &err));
    CU_ASSERT_TRUE(store_worker_list(store_fixture(), NULL, NULL, &list, &err));
    CU_ASSERT_EQUAL(json_array_size(list), 1);
    CU_ASSERT_TRUE(json_is_true(json_object_get(json_array_get(list, 0), "alive")));
    json_decref(list);
    CU_ASSERT_TRUE(store_worker_gone(store_fixture(), "w1", &err));
    CU_ASSERT_TRUE(store_worker_list(store_fixture(), NULL, NULL, &list, &err));
    CU_ASSERT_EQUAL(json_array_size(list), 0);
    json_decref(list);
}

static void say_hello(const char *id, const char *pool, int held, int max,
                      struct store_worker_wish *ret_wish) {
    json_t *reported = json_pack("{s:i, s:[s], s:s}", "tasks_max", max, "egress", "203.0.113.7",
                                 "egress_source", "configured");
    const struct store_worker worker = {.id = id,
                                        .host = "h",
                                        .pool = pool,
                                        .version = "1",
                                        .tasks_held = held,
                                        .reported = reported};
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(store_worker_seen(store_fixture(), &worker, ret_wish, &err));
    json_decref(reported);
}

static void a_worker_is_told_of_a_drain_and_of_the_places_elsewhere(void) {
    struct store_worker_wish wish;
    struct err err = ERR_INIT;
    bool found = false;

    say_hello("d1", "north", 5, 10, NULL);
    say_hello("d2", "north", 7, 10, NULL);
    say_hello("d3", "south", 0, 10, NULL);
    CU_ASSERT_TRUE(store_worker_drain(store_fixture(), "d1", true, &found, &err));
    CU_ASSERT_TRUE(found);
    say_hello("d1", "north", 5, 10, &wish);
    CU_ASSERT_TRUE(wish.drain);
    CU_ASSERT_EQUAL(wish.places, 3);
    say_hello("d2", "north", 7, 10, &wish);
    CU_ASSERT_FALSE(wish.drain);
    CU_ASSERT_EQUAL(wish.places, 0); /* who is drained takes nothing */
    CU_ASSERT_TRUE(store_worker_drain(store_fixture(), "d1", false, &found, &err));
    say_hello("d1", "north", 5, 10, &wish);
    CU_ASSERT_FALSE(wish.drain);
    CU_ASSERT_TRUE(store_worker_drain(store_fixture(), "nobody", true, &found, &err));
    CU_ASSERT_FALSE(found);
}

static void the_addresses_of_a_pool_are_those_its_workers_said(void) {
    struct err err = ERR_INIT;
    json_t *pools = NULL, *addresses;

    say_hello("e1", "east", 0, 10, NULL);
    say_hello("e2", "east", 0, 10, NULL);
    CU_ASSERT_TRUE(store_worker_egress(store_fixture(), "east", &pools, &err));
    CU_ASSERT_EQUAL_FATAL(json_array_size(pools), 1);
    addresses = json_object_get(json_array_get(pools, 0), "addresses");
    CU_ASSERT_EQUAL(json_array_size(addresses), 1);
    CU_ASSERT_STRING_EQUAL(
        json_string_value(json_object_get(json_array_get(addresses, 0), "address")), "203.0.113.7");
    json_decref(pools);
    CU_ASSERT_TRUE(store_worker_pools(store_fixture(), "east", &pools, &err));
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(json_array_get(pools, 0), "tasks_max")), 20);
    json_decref(pools);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_lost_connection_is_made_again),
    CUNIT_TEST(a_transaction_does_not_outlive_its_connection),
    CUNIT_TEST(what_the_server_asks_to_repeat_is_repeated),
    CUNIT_TEST(a_server_that_does_not_answer_is_given_up),
    CUNIT_TEST(what_fails_leaves_nothing),
    CUNIT_TEST(an_answer_is_given_again_for_the_same_request_only),
    CUNIT_TEST(each_step_of_the_charts_is_kept_for_its_time),
    CUNIT_TEST(a_call_that_still_runs_is_in_flight),
    CUNIT_TEST(of_equal_calls_at_once_one_has_an_effect),
    CUNIT_TEST(a_key_is_found_by_its_prefix_and_known_by_its_hash),
    CUNIT_TEST(a_change_of_a_job_wakes_who_listens),
    CUNIT_TEST(a_worker_is_listed_while_it_is_seen),
    CUNIT_TEST(a_worker_is_told_of_a_drain_and_of_the_places_elsewhere),
    CUNIT_TEST(the_addresses_of_a_pool_are_those_its_workers_said),
};
STORE_FIXTURE_MAIN("store_conn", true, tests)
