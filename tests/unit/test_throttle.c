/* test_throttle.c - limits: the bucket, the schedule, the adaptive pace. */
#include <stdio.h>
#include <string.h>

#include "services/flow/throttle.h"
#include "services/job/throttle_plan.h"
#include "services/worker/worker_pace.h"
#include "tests/support/cunit_run.h"

/* Monday, 2026-11-16 00:00 UTC. */
static const int64_t monday_ms = 1794787200000;

static json_t *read(const char *text, struct spec_report *report) {
    json_t *throttle = json_loads(text, 0, NULL), *given;

    CU_ASSERT_PTR_NOT_NULL_FATAL(throttle);
    *report = (struct spec_report){.first = ERR_INIT, .errors = json_array()};
    given = json_incref(json_object_get(throttle, "schedule"));
    throttle_plan_read(given, throttle, report);
    json_decref(given);
    return throttle;
}

static struct throttle_limits at(const json_t *throttle, int day, int hour, int minute,
                                 int *ret_window) {
    struct throttle_limits limits;

    throttle_plan_at(throttle, monday_ms + ((day * 24 + hour) * 60 + minute) * (int64_t)60000,
                     &limits, ret_window);
    return limits;
}

static void what_is_taken_in_a_second_is_the_rate(void) {
    static const uint64_t rates[] = {100, 1000, 50000};

    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        struct throttle t = {0};
        int64_t now = 1000000;
        uint64_t taken = 0;

        (void)throttle_wait_us(&t, rates[i], now);
        while (now < 11000000) {
            int64_t wait = throttle_wait_us(&t, rates[i], now);

            if (wait == 0) {
                throttle_take(&t, rates[i] / 20 + 1);
                taken += rates[i] / 20 + 1;
            }
            now += wait + 37; /* a little late each time */
        }
        CU_ASSERT(taken > rates[i] * 95 / 10 && taken < rates[i] * 105 / 10);
    }
}

static void what_went_without_a_limit_is_not_owed_under_one(void) {
    struct throttle t = {0};
    int64_t now = 1000000;

    CU_ASSERT_EQUAL(throttle_wait_us(&t, 0, now), 0);
    throttle_take(&t, 10000000);
    CU_ASSERT_EQUAL(throttle_wait_us(&t, 100, now), 0);
    throttle_take(&t, 1000);
    CU_ASSERT(throttle_wait_us(&t, 100, now) > 9000000);
    throttle_lift(&t);
    throttle_take(&t, 1000);
    CU_ASSERT_EQUAL(throttle_wait_us(&t, 100, now), 0);
}

static void what_is_owed_under_a_high_limit_is_paid_as_soon_under_a_low_one(void) {
    struct throttle t = {0};

    (void)throttle_wait_us(&t, 50000, 1000000);
    throttle_take(&t, 5000); /* a tenth of a second */
    CU_ASSERT(throttle_wait_us(&t, 50000, 1000000) < 200000);
    CU_ASSERT(throttle_wait_us(&t, 100, 1000000) < 200000);
    CU_ASSERT(throttle_wait_us(&t, 50000, 1000000) < 200000);
}

static void a_halt_is_waited_for_and_no_limit_is_not(void) {
    struct throttle t = {0};

    CU_ASSERT_EQUAL(throttle_wait_us(&t, THROTTLE_HALT, 5), THROTTLE_HALT_US);
    CU_ASSERT_EQUAL(throttle_wait_us(&t, THROTTLE_HALT, 5000000), THROTTLE_HALT_US);
    CU_ASSERT_EQUAL(throttle_wait_us(&t, 0, 5000001), 0);
}

static void time_that_is_waited_counts_once(void) {
    int64_t since = 0;

    CU_ASSERT_EQUAL(throttle_waited_us(&since, true, 100), 0);
    CU_ASSERT_EQUAL(throttle_waited_us(&since, true, 150), 50);
    CU_ASSERT_EQUAL(throttle_waited_us(&since, false, 170), 20);
    CU_ASSERT_EQUAL(throttle_waited_us(&since, false, 500), 0);
}

static void a_limit_that_is_not_enabled_is_none(void) {
    struct throttle_limits limits;
    int window;
    json_t *spec = json_loads("{\"throttle\":{\"full\":{\"enabled\":true,\"rps\":100,"
                              "\"bytes_per_second\":null},\"incremental\":{\"enabled\":false,"
                              "\"rps\":5,\"bytes_per_second\":6}}}",
                              0, NULL);

    throttle_plan_at(json_object_get(spec, "throttle"), monday_ms, &limits, &window);
    CU_ASSERT_EQUAL(limits.full_keys, 100);
    CU_ASSERT_EQUAL(limits.full_bytes, 0);
    CU_ASSERT_EQUAL(limits.tail_commands, 0);
    CU_ASSERT_EQUAL(limits.tail_bytes, 0);
    json_decref(spec);
}

static void a_window_over_midnight_belongs_to_the_day_it_began(void) {
    struct spec_report report;
    json_t *t =
        read("{\"full\":{\"enabled\":true,\"rps\":1000},\"incremental\":{\"enabled\":false},"
             "\"schedule\":[{\"days\":[\"mon\"],\"begin\":\"22:00\",\"end\":\"06:00\","
             "\"factor\":0.5}]}",
             &report);
    int window;

    CU_ASSERT_EQUAL(report.total, 0);
    CU_ASSERT_EQUAL(at(t, 0, 21, 59, &window).full_keys, 1000);
    CU_ASSERT_EQUAL(window, -1);
    CU_ASSERT_EQUAL(at(t, 0, 22, 0, &window).full_keys, 501);
    CU_ASSERT_EQUAL(window, 0);
    CU_ASSERT_EQUAL(at(t, 1, 5, 59, &window).full_keys, 501);
    CU_ASSERT_EQUAL(at(t, 1, 6, 0, &window).full_keys, 1000);
    CU_ASSERT_EQUAL(at(t, 0, 5, 59, &window).full_keys, 1000);
    json_decref(t);
    json_decref(report.errors);
}

static void a_zone_moves_the_window(void) {
    struct spec_report report;
    json_t *t = read("{\"schedule\":[{\"begin\":\"08:00\",\"end\":\"10:00\",\"tz\":\"-05:30\","
                     "\"limits\":{\"incremental\":{\"rps\":7}}}]}",
                     &report);
    int window;

    CU_ASSERT_EQUAL(report.total, 0);
    CU_ASSERT_EQUAL(at(t, 2, 13, 29, &window).tail_commands, 0);
    CU_ASSERT_EQUAL(at(t, 2, 13, 30, &window).tail_commands, 7);
    CU_ASSERT_EQUAL(at(t, 2, 15, 29, &window).tail_commands, 7);
    CU_ASSERT_EQUAL(at(t, 2, 15, 30, &window).tail_commands, 0);
    json_decref(t);
    json_decref(report.errors);
}

static void factor_zero_halts_everything(void) {
    struct spec_report report;
    json_t *t =
        read("{\"schedule\":[{\"begin\":\"00:00\",\"end\":\"24:00\",\"factor\":0}]}", &report);
    int window;

    CU_ASSERT_EQUAL(report.total, 0);
    CU_ASSERT_EQUAL(at(t, 6, 23, 59, &window).full_bytes, THROTTLE_HALT);
    CU_ASSERT_EQUAL(at(t, 3, 0, 0, &window).tail_commands, THROTTLE_HALT);
    json_decref(t);
    json_decref(report.errors);
}

static void a_wrong_window_is_named(void) {
    static const char *const wrong[] = {
        "{\"schedule\":5}",
        "{\"schedule\":[7]}",
        "{\"schedule\":[{\"begin\":\"8:00\",\"end\":\"10:00\",\"factor\":0}]}",
        "{\"schedule\":[{\"begin\":\"24:00\",\"end\":\"10:00\",\"factor\":0}]}",
        "{\"schedule\":[{\"begin\":\"08:60\",\"end\":\"10:00\",\"factor\":0}]}",
        "{\"schedule\":[{\"begin\":\"08:00\",\"factor\":0}]}",
        "{\"schedule\":[{\"begin\":\"08:00\",\"end\":\"10:00\"}]}",
        "{\"schedule\":[{\"begin\":\"08:00\",\"end\":\"10:00\",\"factor\":1.5}]}",
        "{\"schedule\":[{\"begin\":\"08:00\",\"end\":\"10:00\",\"factor\":0.5}]}",
        "{\"schedule\":[{\"begin\":\"08:00\",\"end\":\"10:00\",\"factor\":0,\"limits\":{}}]}",
        "{\"schedule\":[{\"begin\":\"08:00\",\"end\":\"10:00\",\"factor\":0,\"tz\":\"Europe/"
        "Berlin\"}]}",
        "{\"schedule\":[{\"begin\":\"08:00\",\"end\":\"10:00\",\"factor\":0,\"days\":[\"someday\"]}"
        "]}",
        "{\"schedule\":[{\"begin\":\"08:00\",\"end\":\"10:00\",\"factor\":0,\"days\":[]}]}",
        "{\"schedule\":[{\"begin\":\"08:00\",\"end\":\"10:00\",\"limits\":{\"full\":{\"rps\":0}}}]"
        "}",
        "{\"schedule\":[{\"begin\":\"08:00\",\"end\":\"10:00\",\"factor\":0,\"speed\":1}]}",
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct spec_report report;
        json_t *t = read(wrong[i], &report);

        CU_ASSERT(report.total > 0);
        if (report.total == 0)
            fprintf(stderr, "taken: %s\n", wrong[i]);
        json_decref(t);
        json_decref(report.errors);
    }
}

static void what_a_role_lets_through_goes_on_top(void) {
    struct throttle_limits l = {
        .full_keys = 100, .tail_commands = 5000, .full_bytes = THROTTLE_HALT};

    throttle_plan_cap(&l, 1000, 70000);
    CU_ASSERT_EQUAL(l.full_keys, 100);
    CU_ASSERT_EQUAL(l.full_source_commands, 1000);
    CU_ASSERT_EQUAL(l.tail_commands, 1000);
    CU_ASSERT_EQUAL(l.full_bytes, THROTTLE_HALT);
    CU_ASSERT_EQUAL(l.tail_bytes, 70000);
    throttle_plan_cap(&l, 0, 0);
    CU_ASSERT_EQUAL(l.full_keys, 100);
    CU_ASSERT_EQUAL(l.tail_commands, 1000);
    CU_ASSERT_EQUAL(l.tail_bytes, 70000);
}

static void a_slow_end_halves_the_pace_and_a_quick_one_raises_it(void) {
    struct pace pace = {0};

    worker_pace_step(&pace, false, 8000);
    CU_ASSERT_EQUAL(pace.cap, 0);
    worker_pace_step(&pace, true, 8000);
    CU_ASSERT_EQUAL(pace.cap, 4000);
    worker_pace_step(&pace, true, 3900);
    CU_ASSERT_EQUAL(pace.cap, 1950);
    worker_pace_step(&pace, false, 1950);
    CU_ASSERT_EQUAL(pace.cap, 2438);
    for (int i = 0; i < 30; i++)
        worker_pace_step(&pace, true, 1);
    CU_ASSERT_EQUAL(pace.cap, 100);
}

static void a_pace_that_nobody_uses_is_taken_away(void) {
    struct pace pace = {0};

    worker_pace_step(&pace, true, 1000);
    for (int i = 0; i < 9; i++)
        worker_pace_step(&pace, false, 3);
    CU_ASSERT(pace.cap > 0);
    worker_pace_step(&pace, false, 3);
    CU_ASSERT_EQUAL(pace.cap, 0);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(what_is_taken_in_a_second_is_the_rate),
    CUNIT_TEST(what_went_without_a_limit_is_not_owed_under_one),
    CUNIT_TEST(what_is_owed_under_a_high_limit_is_paid_as_soon_under_a_low_one),
    CUNIT_TEST(a_halt_is_waited_for_and_no_limit_is_not),
    CUNIT_TEST(time_that_is_waited_counts_once),
    CUNIT_TEST(a_limit_that_is_not_enabled_is_none),
    CUNIT_TEST(a_window_over_midnight_belongs_to_the_day_it_began),
    CUNIT_TEST(a_zone_moves_the_window),
    CUNIT_TEST(factor_zero_halts_everything),
    CUNIT_TEST(a_wrong_window_is_named),
    CUNIT_TEST(what_a_role_lets_through_goes_on_top),
    CUNIT_TEST(a_slow_end_halves_the_pace_and_a_quick_one_raises_it),
    CUNIT_TEST(a_pace_that_nobody_uses_is_taken_away),
};
CUNIT_MAIN("throttle", tests)
