#include <stdio.h>
#include <string.h>

#include "services/ctl/ctl_top_view.h"
#include "tests/support/cunit_run.h"

static json_t *job(const char *text) {
    json_t *value = json_loads(text, 0, NULL);

    CU_ASSERT_PTR_NOT_NULL_FATAL(value);
    return value;
}

static enum ctl_top_rank rank(const char *text) {
    json_t *value = job(text);
    enum ctl_top_rank found = ctl_top_rank(value);

    json_decref(value);
    return found;
}

static void who_stands_needs_somebody(void) {
    CU_ASSERT_EQUAL(rank("{\"state\":\"blocked\"}"), CTL_TOP_NEEDS_YOU);
    CU_ASSERT_EQUAL(rank("{\"state\":\"failed\"}"), CTL_TOP_NEEDS_YOU);
    CU_ASSERT_EQUAL(rank("{\"state\":\"paused\",\"attention\":{\"code\":\"role_revoked\"}}"),
                    CTL_TOP_NEEDS_YOU);
    CU_ASSERT_EQUAL(rank("{\"state\":\"retrying\"}"), CTL_TOP_RETRIES);
}

static void who_goes_on_may_still_worry(void) {
    CU_ASSERT_EQUAL(rank("{\"state\":\"running\"}"), CTL_TOP_GOES);
    CU_ASSERT_EQUAL(rank("{\"state\":\"running\",\"safe_for\":{\"seconds\":1799}}"), CTL_TOP_WARNS);
    CU_ASSERT_EQUAL(rank("{\"state\":\"running\",\"safe_for\":{\"seconds\":1800}}"), CTL_TOP_GOES);
    CU_ASSERT_EQUAL(rank("{\"state\":\"running\",\"safe_for\":{\"seconds\":null}}"), CTL_TOP_GOES);
    CU_ASSERT_EQUAL(rank("{\"state\":\"running\",\"latency\":{\"quality\":\"stale\"}}"),
                    CTL_TOP_WARNS);
    CU_ASSERT_EQUAL(rank("{\"state\":\"stopped\"}"), CTL_TOP_OVER);
    CU_ASSERT_EQUAL(rank("{\"state\":\"configured\"}"), CTL_TOP_RESTS);
}

static void the_worst_comes_first_and_those_that_go_by_their_name(void) {
    json_t *jobs =
        job("[{\"id\":\"1\",\"name\":\"b\",\"state\":\"running\",\"latency\":{\"ms\":9}},"
            "{\"id\":\"2\",\"name\":\"a\",\"state\":\"running\",\"latency\":{\"ms\":2}},"
            "{\"id\":\"3\",\"name\":\"z\",\"state\":\"stopped\"},"
            "{\"id\":\"4\",\"name\":\"x\",\"state\":\"retrying\",\"latency\":{\"ms\":1}},"
            "{\"id\":\"5\",\"name\":\"y\",\"state\":\"retrying\",\"latency\":{\"ms\":9000}},"
            "{\"id\":\"6\",\"name\":\"z\",\"state\":\"blocked\"}]");
    json_t *sorted = ctl_top_sort(jobs), *one;
    char order[16] = "";
    size_t i;

    json_array_foreach(sorted, i, one)
        strncat(order, json_string_value(json_object_get(one, "id")), 1);
    CU_ASSERT_STRING_EQUAL(order, "654213");
    json_decref(sorted);
    json_decref(jobs);
}

/* Names may be alike; every other command wants the id. */
static void who_needs_somebody_is_told_with_the_next_command(void) {
    json_t *jobs = job(
        "[{\"id\":\"job_7\",\"name\":\"b\",\"state\":\"blocked\",\"attention\":{\"code\":\"x\","
        "\"choices\":[{\"action\":\"resume\",\"body\":{\"on_full_resync_needed\":\"overwrite\"}},"
        "{\"action\":\"stop\",\"body\":{\"drain\":true}}]}}]");
    struct buf out = BUF_INIT(4096);
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(ctl_top_screen(jobs, "http://x", 80, 24, &out, &err));
    CU_ASSERT_PTR_NOT_NULL_FATAL(out.ptr);
    CU_ASSERT_PTR_NOT_NULL(strstr(out.ptr, "\n    keyferry job show job_7\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.ptr, "\n    you may: resume overwrite | stop\n"));
    buf_done(&out);
    json_decref(jobs);
}

/* A screen of every size: no line is too long, there are never too many. */
static void a_screen_fits_whatever_its_size(void) {
    json_t *jobs = json_array();

    for (int i = 0; i < 30; i++)
        json_array_append_new(jobs, json_pack("{s:o, s:s, s:{s:s, s:s, s:[{s:s}]}}", "name",
                                              json_sprintf("job %d\n\x1b[31m %0200d", i, i),
                                              "state", i < 5 ? "blocked" : "running", "attention",
                                              "code", i < 5 ? "needs_recopy" : "", "detail",
                                              "why\nand how", "choices", "action", "restart"));
    for (size_t columns = 1; columns < 220; columns += 13) {
        for (size_t rows = 1; rows < 45; rows += 3) {
            struct buf out = BUF_INIT(1 << 20);
            struct err err = ERR_INIT;
            struct str rest, line;
            size_t lines = 0;

            CU_ASSERT_TRUE(ctl_top_screen(jobs, "http://x", columns, rows, &out, &err));
            rest = buf_str(&out);
            while (str_cut(&rest, '\n', &line)) {
                lines += line.len > 0 || rest.len > 0;
                CU_ASSERT_TRUE(line.len <= (columns < 40 ? 40 : columns));
                CU_ASSERT_PTR_NULL(memchr(line.ptr, '\x1b', line.len));
            }
            CU_ASSERT_TRUE(lines <= rows);
            buf_done(&out);
        }
    }
    json_decref(jobs);
}

static void jobs_that_do_not_fit_are_counted(void) {
    json_t *jobs = json_array();
    struct buf out = BUF_INIT(4096);
    struct err err = ERR_INIT;

    for (int i = 0; i < 10; i++)
        json_array_append_new(jobs, json_pack("{s:s, s:s}", "name", "n", "state", "running"));
    CU_ASSERT_TRUE(ctl_top_screen(jobs, "x", 80, 6, &out, &err));
    CU_ASSERT_TRUE(buf_printf(&out, &err, "%s", "")); /* ends it */
    CU_ASSERT_PTR_NOT_NULL(strstr(out.ptr, "10 ok"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.ptr, "and 8 more"));
    buf_clear(&out);
    CU_ASSERT_TRUE(ctl_top_screen(jobs, "x", 80, 0, &out, &err));
    CU_ASSERT_PTR_NULL(strstr(out.ptr, "more"));
    json_decref(jobs);
    buf_done(&out);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(who_stands_needs_somebody),
    CUNIT_TEST(who_goes_on_may_still_worry),
    CUNIT_TEST(the_worst_comes_first_and_those_that_go_by_their_name),
    CUNIT_TEST(who_needs_somebody_is_told_with_the_next_command),
    CUNIT_TEST(a_screen_fits_whatever_its_size),
    CUNIT_TEST(jobs_that_do_not_fit_are_counted),
};
CUNIT_MAIN("ctl_top", tests)
