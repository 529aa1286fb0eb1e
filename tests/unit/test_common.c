/* Settings, ids, pauses, times and metrics: services/common without its rims. */
#include <string.h>

#include "services/common/backoff.h"
#include "services/common/clock.h"
#include "services/common/config.h"
#include "services/common/metric.h"
#include "services/common/ulid.h"
#include "tests/support/cunit_run.h"

static void load(char *const *environment, bool expect, const char *story_has) {
    struct config c;
    struct err err = ERR_INIT;
    char story[1024];

    config_init(&c);
    CU_ASSERT_EQUAL(config_load(&c, NULL, environment, &err), expect);
    if (!expect) {
        err_format(&err, story, sizeof(story));
        CU_ASSERT_EQUAL(err.code, ERR_CONFIG);
        CU_ASSERT_PTR_NOT_NULL(strstr(story, story_has));
    }
    config_done(&c);
}

static void settings_have_defaults_and_come_from_the_environment(void) {
    char set[] = "KEYFERRY_LISTEN=0.0.0.0:80", number[] = "KEYFERRY_LEASE_SECONDS=30",
         other[] = "HOME=/root";
    char *const environment[] = {set, other, number, NULL};
    struct config c;
    struct err err = ERR_INIT;

    config_init(&c);
    CU_ASSERT_STRING_EQUAL(c.listen, "127.0.0.1:8080");
    CU_ASSERT_EQUAL(c.full_syncs_per_hour, 2);
    CU_ASSERT_TRUE(config_load(&c, NULL, environment, &err));
    CU_ASSERT_STRING_EQUAL(c.listen, "0.0.0.0:80");
    CU_ASSERT_EQUAL(c.lease_seconds, 30);
    config_done(&c);
}

static void a_wrong_setting_is_named_with_what_it_takes(void) {
    char low[] = "KEYFERRY_LEASE_SECONDS=1", word[] = "KEYFERRY_LEASE_SECONDS=ten",
         choice[] = "KEYFERRY_LOG_FORMAT=xml", unknown[] = "KEYFERRY_LISTNE=1";
    char *const a[] = {low, NULL}, *const b[] = {word, NULL}, *const c[] = {choice, NULL},
                *const d[] = {unknown, NULL};

    load(a, false, "from 2 to 3600");
    load(b, false, "\"ten\"");
    load(c, false, "one of logfmt|json");
    load(d, false, "KEYFERRY_LISTNE");
}

static void names_of_clients_and_of_kubernetes_are_no_settings(void) {
    char url[] = "KEYFERRY_URL=http://x", key[] = "KEYFERRY_API_KEY=k",
         test[] = "KEYFERRY_TEST_CORPUS=x", port[] = "KEYFERRY_PORT=tcp://10.0.0.1:8080",
         host[] = "KEYFERRY_SERVICE_HOST=10.0.0.1";
    char *const environment[] = {url, key, test, port, host, NULL};

    load(environment, true, NULL);
}

static void every_setting_is_described(void) {
    struct buf text = BUF_INIT(64 * 1024);
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(config_describe(&text, &err));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text.ptr, "| `KEYFERRY_FULL_SYNCS_PER_HOUR` | `2` | 1 to 1000 |"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text.ptr, "logfmt/json"));
    buf_done(&text);
}

/* The example of the ULID specification's reference implementation: time 1469918176385. */
static void a_ulid_is_time_then_chance(void) {
    uint8_t zero[10] = {0}, ones[10];
    char text[ULID_LEN + 1];

    memset(ones, 0xff, sizeof(ones));
    ulid_format(1469918176385, zero, text);
    CU_ASSERT_STRING_EQUAL(text, "01ARYZ6S410000000000000000");
    ulid_format(281474976710655, ones, text);
    CU_ASSERT_STRING_EQUAL(text, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    ulid_format(0, zero, text);
    CU_ASSERT_STRING_EQUAL(text, "00000000000000000000000000");
}

static void an_id_is_recognised_by_its_form(void) {
    char id[ULID_ID_SIZE], other[ULID_ID_SIZE];

    ulid_make("job", id);
    ulid_make("job", other);
    CU_ASSERT_STRING_NOT_EQUAL(id, other);
    CU_ASSERT_EQUAL(strlen(id), 30);
    CU_ASSERT_TRUE(ulid_is(str_from(id), "job"));
    CU_ASSERT_FALSE(ulid_is(str_from(id), "pre"));
    CU_ASSERT_FALSE(ulid_is(str_first(str_from(id), 29), "job"));
    CU_ASSERT_FALSE(ulid_is(STR_LIT("job_01ARYZ6S41000000000000000U"), "job"));
    CU_ASSERT_FALSE(ulid_is(STR_LIT("job_01aryz6s410000000000000000"), "job"));
    CU_ASSERT_FALSE(ulid_is(STR_LIT("job_81ARYZ6S410000000000000000"), "job"));
    CU_ASSERT_EQUAL(ulid_ms(STR_LIT("job_01ARYZ6S410000000000000000")), 1469918176385);
}

static void pauses_double_up_to_their_cap(void) {
    struct backoff b = {.initial_ms = 100, .max_ms = 1000, .jitter = 0};
    const uint32_t expected[] = {100, 200, 400, 800, 1000, 1000};

    for (size_t i = 0; i < LENGTH_OF(expected); i++)
        CU_ASSERT_EQUAL(backoff_next(&b, (uint32_t)i * 12345), expected[i]);
    backoff_clear(&b);
    CU_ASSERT_EQUAL(backoff_next(&b, 0), 100);
}

static void jitter_stays_within_its_share_and_the_cap(void) {
    const uint32_t randoms[] = {0, 1, UINT32_MAX / 2, UINT32_MAX - 1, UINT32_MAX};

    for (size_t i = 0; i < LENGTH_OF(randoms); i++) {
        struct backoff b = BACKOFF_INIT;
        uint32_t first = backoff_next(&b, randoms[i]);

        CU_ASSERT(first >= 399 && first <= 600);
        for (int k = 0; k < 5000; k++)
            CU_ASSERT(backoff_next(&b, randoms[i]) <= 30000);
    }
    struct backoff none = {.initial_ms = 0, .max_ms = 0};
    CU_ASSERT_EQUAL(backoff_next(&none, 7), 1);
}

static void times_are_rfc_3339(void) {
    char text[CLOCK_RFC3339_SIZE];

    clock_rfc3339(1469918176385, text);
    CU_ASSERT_STRING_EQUAL(text, "2016-07-30T22:36:16.385Z");
    clock_rfc3339(-5, text);
    CU_ASSERT_STRING_EQUAL(text, "1970-01-01T00:00:00.000Z");
    clock_rfc3339(INT64_MAX, text);
    CU_ASSERT_STRING_EQUAL(text, "9999-12-31T23:59:59.999Z");
}

static void a_metric_is_described_once_and_counts(void) {
    struct buf text = BUF_INIT(64 * 1024);
    struct err err = ERR_INIT;
    const char *type;

    metric_add(METRIC_HTTP_4XX, 2);
    metric_set(METRIC_STORE_UP, 1);
    metric_add(METRIC_HTTP_MICROSECONDS, 2500001);
    CU_ASSERT_TRUE(metric_format(METRIC_OF_API, &text, &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(text.ptr, "keyferry_http_requests_total{class=\"4xx\"} 2\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text.ptr, "\nkeyferry_store_up 1\n"));
    type = strstr(text.ptr, "# TYPE keyferry_http_requests_total counter\n");
    CU_ASSERT_PTR_NOT_NULL_FATAL(type);
    CU_ASSERT_PTR_NULL(strstr(type + 1, "# TYPE keyferry_http_requests_total"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text.ptr, "\nkeyferry_http_request_seconds_total 2.500001\n"));
    buf_clear(&text);
    /* A process shows its own, and what all have. */
    CU_ASSERT_TRUE(metric_format(METRIC_OF_WORKER, &text, &err));
    CU_ASSERT_PTR_NULL(strstr(text.ptr, "keyferry_http_"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text.ptr, "\nkeyferry_worker_tasks_held 0\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text.ptr, "\nkeyferry_store_up 1\n"));
    buf_done(&text);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(settings_have_defaults_and_come_from_the_environment),
    CUNIT_TEST(a_wrong_setting_is_named_with_what_it_takes),
    CUNIT_TEST(names_of_clients_and_of_kubernetes_are_no_settings),
    CUNIT_TEST(every_setting_is_described),
    CUNIT_TEST(a_ulid_is_time_then_chance),
    CUNIT_TEST(an_id_is_recognised_by_its_form),
    CUNIT_TEST(pauses_double_up_to_their_cap),
    CUNIT_TEST(jitter_stays_within_its_share_and_the_cap),
    CUNIT_TEST(times_are_rfc_3339),
    CUNIT_TEST(a_metric_is_described_once_and_counts),
};
CUNIT_MAIN("common", tests)
