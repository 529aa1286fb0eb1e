#include <string.h>

#include "services/precheck/check.h"
#include "tests/support/cunit_run.h"

static void every_check_has_one_id_and_a_title(void) {
    size_t count;
    const struct check_info *infos = check_catalogue(&count);

    CU_ASSERT(count >= 64);
    for (size_t i = 0; i < count; i++) {
        const char *dot = strchr(infos[i].id, '.');

        CU_ASSERT_PTR_NOT_NULL(dot);
        CU_ASSERT(strlen(infos[i].title) > 0);
        for (size_t n = i + 1; n < count; n++)
            CU_ASSERT_STRING_NOT_EQUAL(infos[i].id, infos[n].id);
    }
}

/* Whoever reads that a check failed must be told what to do. */
static void what_can_stop_a_job_has_a_remedy(void) {
    size_t count;
    const struct check_info *infos = check_catalogue(&count);

    for (size_t i = 0; i < count; i++)
        CU_ASSERT(infos[i].severity == CHECK_INFO || strlen(infos[i].remedy) > 0);
}

static void the_catalogue_says_what_is_built(void) {
    json_t *list = check_catalogue_json();
    const json_t *row;
    size_t i, built = 0;
    bool eviction = false;

    json_array_foreach(list, i, row) {
        const char *id = json_string_value(json_object_get(row, "id"));
        bool is_built = json_is_true(json_object_get(row, "built"));

        built += is_built;
        if (strcmp(id, "dst.eviction") == 0)
            eviction = is_built;
    }
    CU_ASSERT(built >= 64 && built <= i);
    CU_ASSERT_TRUE(eviction);
    json_decref(list);
}

static void a_summary_counts_results_and_leaves_out_what_was_skipped(void) {
    static const struct {
        const char *items;
        int rate, pass, warn;
    } rows[] = {
        {"[]", 0, 0, 0},
        {"[{\"result\":\"pass\"},{\"result\":\"skipped\"}]", 100, 1, 0},
        {"[{\"result\":\"pass\"},{\"result\":\"ignored\"},{\"result\":\"warn\"}]", 66, 1, 1},
        {"[{\"result\":\"fail\"},{\"result\":\"error\"}]", 0, 0, 0},
        {"[{\"result\":\"pass\"},{\"result\":\"warn\",\"ignorable\":false}]", 100, 1, 1},
        {"[{\"result\":\"pass\"},{\"result\":\"warn\",\"ignorable\":true}]", 50, 1, 1},
        {"[{\"result\":\"fail\",\"ignorable\":false}]", 0, 0, 0},
        {"[{\"result\":7},{},{\"result\":\"pass\"}]", 100, 1, 0},
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        json_t *items = json_loads(rows[i].items, 0, NULL), *sum = check_summary(items, false);
        const json_t *counts = json_object_get(sum, "counts");

        CU_ASSERT_EQUAL(json_integer_value(json_object_get(sum, "success_rate")), rows[i].rate);
        CU_ASSERT_EQUAL(json_integer_value(json_object_get(counts, "pass")), rows[i].pass);
        CU_ASSERT_EQUAL(json_integer_value(json_object_get(counts, "warn")), rows[i].warn);
        CU_ASSERT_PTR_NOT_NULL(json_object_get(counts, "error"));
        json_decref(items);
        json_decref(sum);
    }
}

/* A screen that waits for 100 percent must not see it after the first few checks. */
static void while_a_run_goes_on_what_has_not_come_has_not_passed(void) {
    size_t count;
    const struct check_info *infos = check_catalogue(&count);
    json_t *items = json_array(), *sum;
    json_int_t before = -1, rate = 0;

    for (size_t i = 0; i < count; i++) {
        sum = check_summary(items, true);
        rate = json_integer_value(json_object_get(sum, "success_rate"));
        CU_ASSERT(rate >= before && rate < 100);
        before = rate;
        json_decref(sum);
        json_array_append_new(items, json_pack("{s:s, s:s}", "id", infos[i].id, "result", "pass"));
    }
    CU_ASSERT(rate >= 95);
    sum = check_summary(items, true);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(sum, "success_rate")), 100);
    json_decref(sum);
    json_decref(items);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(every_check_has_one_id_and_a_title),
    CUNIT_TEST(what_can_stop_a_job_has_a_remedy),
    CUNIT_TEST(the_catalogue_says_what_is_built),
    CUNIT_TEST(a_summary_counts_results_and_leaves_out_what_was_skipped),
    CUNIT_TEST(while_a_run_goes_on_what_has_not_come_has_not_passed),
};
CUNIT_MAIN("check_catalogue", tests)
