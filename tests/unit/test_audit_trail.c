/* Names of changes, what differs, and how many requests a second. */
#include <string.h>

#include "tests/support/cunit_run.h"
#include "web-api/audit_trail.h"
#include "web-api/rate.h"

static void a_change_is_named_by_its_path(void) {
    static const struct {
        const char *method, *path, *action;
    } rows[] = {
        {"POST", "/v1/jobs", "jobs.create"},
        {"PATCH", "/v1/jobs/{job}", "jobs.update"},
        {"DELETE", "/v1/jobs/{job}", "jobs.delete"},
        {"POST", "/v1/jobs/{job}/pause", "jobs.pause"},
        {"PUT", "/v1/jobs/{job}/throttle", "jobs.throttle"},
        {"POST", "/v1/jobs/batch", "jobs.batch"},
        {"POST", "/v1/jobs/{job}/prechecks/{p}/items/{c}/ignore", "jobs.prechecks.items.ignore"},
        {"POST", "/v1/api-keys/{key}/rotate", "api-keys.rotate"},
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        const struct route route = {.method = rows[i].method, .path = rows[i].path};
        char action[AUDIT_ACTION_SIZE];

        audit_trail_action(&route, action);
        CU_ASSERT_STRING_EQUAL(action, rows[i].action);
    }
}

static void every_route_that_changes_something_is_audited(void) {
    for (size_t i = 0; i < route_count; i++) {
        bool asks = strcmp(routes[i].method, "GET") == 0 || routes[i].scope <= SCOPE_READ;

        CU_ASSERT_EQUAL(audit_trail_applies(&routes[i]), !asks);
    }
}

static void only_what_differs_is_kept(void) {
    json_t *before = json_loads("{\"a\": 1, \"b\": {\"c\": 1, \"d\": [1]}, \"gone\": 2}", 0, NULL);
    json_t *after = json_loads("{\"a\": 1, \"b\": {\"c\": 2, \"d\": [1]}, \"new\": 3}", 0, NULL);
    json_t *left = json_loads("{\"b\": {\"c\": 1}, \"gone\": 2}", 0, NULL);
    json_t *right = json_loads("{\"b\": {\"c\": 2}, \"new\": 3}", 0, NULL);

    audit_trail_reduce(before, after);
    CU_ASSERT(json_equal(before, left));
    CU_ASSERT(json_equal(after, right));
    audit_trail_reduce(NULL, after);
    CU_ASSERT(json_equal(after, right));
    json_decref(before);
    json_decref(after);
    json_decref(left);
    json_decref(right);
}

static void a_bucket_holds_two_seconds_and_fills_with_the_rate(void) {
    struct rate *rate = rate_new(5);
    struct rate_verdict v;

    for (int i = 0; i < 10; i++)
        CU_ASSERT(rate_take(rate, STR_LIT("a"), 1000).is_allowed);
    v = rate_take(rate, STR_LIT("a"), 1000);
    CU_ASSERT_FALSE(v.is_allowed);
    CU_ASSERT_EQUAL(v.left, 0);
    CU_ASSERT(v.wait_ms > 0 && v.wait_ms <= 201);
    CU_ASSERT_EQUAL(v.full_in_seconds, 2);
    CU_ASSERT(rate_take(rate, STR_LIT("b"), 1000).is_allowed);
    CU_ASSERT(rate_take(rate, STR_LIT("a"), 1000 + v.wait_ms).is_allowed);
    CU_ASSERT_FALSE(rate_take(rate, STR_LIT("a"), 1000 + v.wait_ms).is_allowed);
    for (int i = 0; i < 10; i++)
        CU_ASSERT(rate_take(rate, STR_LIT("a"), 100000).is_allowed);
    CU_ASSERT_FALSE(rate_take(rate, STR_LIT("a"), 100000).is_allowed);
    rate_free(rate);
}

static void a_flood_of_names_does_not_forget_who_asks_all_the_time(void) {
    struct rate *rate = rate_new(5);
    int allowed = 0;
    char name[16];

    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        (void)rate_take(rate, str_from(name), 1000 + i / 1000);
        allowed += rate_take(rate, STR_LIT("busy"), 1000 + i / 1000).is_allowed;
    }
    CU_ASSERT_EQUAL(allowed, 10);
    rate_free(rate);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_change_is_named_by_its_path),
    CUNIT_TEST(every_route_that_changes_something_is_audited),
    CUNIT_TEST(only_what_differs_is_kept),
    CUNIT_TEST(a_bucket_holds_two_seconds_and_fills_with_the_rate),
    CUNIT_TEST(a_flood_of_names_does_not_forget_who_asks_all_the_time),
};
CUNIT_MAIN("audit_trail", tests)
