#include <stdlib.h>
#include <string.h>

#include "services/job/job_spec.h"
#include "services/job/job_state.h"
#include "sql/json_load.h"
#include "tests/support/cunit_run.h"
#include "web-api/job_view.h"
#include "web-api/json_text.h"

static const char request[] = "{\"kind\": \"migration\", \"name\": \"said by the specification\","
                              " \"source\": {\"url\": \"redis://s.example\"}, \"destination\": "
                              "{\"url\": \"redis://d.example\"},"
                              " \"labels\": {\"team\": \"gr\\u00fc\\u00dfe\"}}";

static json_t *spec_of(const char *body) {
    json_t *value = json_loads(body, 0, NULL), *spec;
    struct job_spec read;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE_FATAL(job_spec_read(value, &read, &err));
    spec = json_incref(read.spec);
    job_spec_done(&read);
    json_decref(value);
    return spec;
}

static struct store_job job_with(json_t *spec_taken) {
    struct store_job job = STORE_JOB_INIT;

    snprintf(job.id, sizeof(job.id), "job_01M7X5JGZD8M8HR3RV1EHKCWDY");
    snprintf(job.name, sizeof(job.name), "its \"name\"");
    snprintf(job.state, sizeof(job.state), "running");
    job.spec = spec_taken;
    job.version = 7;
    job.created_ms = 1;
    return job;
}

static json_t *at(json_t *view, const char *name) {
    return json_object_get(view, name);
}

static const char *text_at(json_t *view, const char *name) {
    const char *text = json_string_value(at(view, name));

    return text ? text : "(none)";
}

/* Also: no member stands there twice. */
static json_t *view_of(const struct store_job *job, char tag[ETAG_SIZE]) {
    struct buf text = BUF_INIT(JSON_TEXT_MAX);
    json_t *view;

    job_view_write(&text, job, 1000, tag);
    view = json_loads(text.ptr, JSON_REJECT_DUPLICATES, NULL);
    buf_done(&text);
    return view;
}

static void every_member_of_the_specification_is_shown_with_what_became_of_it(void) {
    struct store_job job = job_with(spec_of(request));
    char tag[ETAG_SIZE];
    const char *name;
    json_t *view, *value;

    job.source_facts = json_pack("{s:s, s:s}", "product", "redis", "version", "7.0.15");
    view = view_of(&job, tag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(view);
    json_object_foreach(job.spec, name, value) {
        static const char *const told_otherwise = " name source destination expiry cutover ";
        const char *found = strstr(told_otherwise, name);

        CU_ASSERT_PTR_NOT_NULL(at(view, name));
        if (!found || found[-1] != ' ' || found[strlen(name)] != ' ')
            CU_ASSERT_TRUE(json_equal(at(view, name), value));
    }
    CU_ASSERT_STRING_EQUAL(text_at(view, "name"), "its \"name\"");
    CU_ASSERT_STRING_EQUAL(text_at(view, "etag"), tag);
    CU_ASSERT_STRING_EQUAL(text_at(at(view, "source"), "label"), "s.example:6379");
    CU_ASSERT_STRING_EQUAL(text_at(at(view, "source"), "product"), "redis");
    /* As was asked for, until somebody has looked. */
    CU_ASSERT_STRING_EQUAL(text_at(at(view, "source"), "topology"), "standalone");
    CU_ASSERT_TRUE(json_is_null(at(at(view, "destination"), "product")));
    CU_ASSERT_STRING_EQUAL(text_at(at(view, "expiry"), "mode"), "held");
    CU_ASSERT_TRUE(json_is_null(at(view, "cutover")));
    json_decref(view);
    store_job_done(&job);
}

static void a_draft_that_names_no_ends_shows_none(void) {
    struct store_job job = job_with(spec_of("{\"kind\": \"migration\"}"));
    json_t *view = view_of(&job, NULL);

    CU_ASSERT_PTR_NOT_NULL_FATAL(view);
    CU_ASSERT_TRUE(json_is_null(at(view, "source")));
    CU_ASSERT_TRUE(json_is_null(at(view, "destination")));
    json_decref(view);
    store_job_done(&job);
}

/* As PostgreSQL writes it: blanks, all digits, another order. */
static void the_text_of_the_database_gives_the_same_bytes_as_the_value(void) {
    struct store_job job = job_with(json_loads("{\"name\": null, \"kind\": \"migration\", "
                                               "\"retry\": {\"jitter\": 0.2, \"max\": 10}}",
                                               0, NULL));
    struct job_template spec = JOB_TEMPLATE_INIT;
    struct buf one = BUF_INIT(JSON_TEXT_MAX), two = BUF_INIT(JSON_TEXT_MAX);

    for (int i = 0; i < 2; i++) { /* also of a template that was used before */
        buf_clear(&two);
        job_template_make(&spec, STR_LIT("{\"name\": null, \"kind\": \"migration\", \"retry\": "
                                         "{\"jitter\": 0.20000000000000001, \"max\": 10}}"));
        job_view_fill(&two, &job, &spec, 1000, NULL);
    }
    job_view_write(&one, &job, 1000, NULL);
    CU_ASSERT_STRING_EQUAL(one.ptr, two.ptr);
    job_template_done(&spec);
    buf_done(&one);
    buf_done(&two);
    store_job_done(&job);
}

static void what_a_job_can_be_asked_for_depends_on_its_state_and_its_ends(void) {
    struct store_job job = job_with(spec_of(request));
    size_t actions;

    (void)job_state_actions(&actions);
    for (int state = 0; state < JOB_STATE_COUNT; state++) {
        json_t *view;

        snprintf(job.state, sizeof(job.state), "%s", job_state_name((enum job_state)state));
        view = view_of(&job, NULL);
        CU_ASSERT_EQUAL(json_array_size(at(view, "allowed_actions")) +
                            json_array_size(at(view, "blocked_actions")),
                        actions);
        json_decref(view);
    }
    store_job_done(&job);

    const struct {
        const char *state;
        struct str spec;
        bool may_start;
    } rows[] = {
        {"precheck_passed", STR_LIT("{\"source\": {\"topology\": \"standalone\"}}"), true},
        {"precheck_passed", STR_LIT("{\"source\": {\"topology\": \"cluster\"}}"), false},
        {"precheck_passed", STR_LIT("{\"destination\": {\"topology\": \"cluster\"}}"), false},
        {"running", STR_LIT("{\"source\": {\"topology\": \"standalone\"}}"), false},
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct job_template spec = JOB_TEMPLATE_INIT;
        struct buf text = BUF_INIT(JSON_TEXT_MAX);
        json_t *view, *action;
        bool may_start = false;
        size_t k;

        job = job_with(NULL);
        snprintf(job.state, sizeof(job.state), "%s", rows[i].state);
        job_template_make(&spec, rows[i].spec);
        job_view_fill(&text, &job, &spec, 1000, NULL);
        view = json_loads(text.ptr, JSON_REJECT_DUPLICATES, NULL);
        json_array_foreach(at(view, "allowed_actions"), k, action) may_start |=
            strcmp(json_string_value(action), "start") == 0;
        CU_ASSERT_EQUAL(may_start, rows[i].may_start);
        json_decref(view);
        job_template_done(&spec);
        buf_done(&text);
    }
}

static void the_percentage_is_a_hundred_only_at_the_end(void) {
    struct store_job job = job_with(spec_of(request));
    const struct {
        int64_t done, total;
        const char *position;
        double percent;
    } rows[] = {
        {0, 0, "copy", 0.0},        {1, 3, "copy", 33.3},     {999999, 1000000, "copy", 99.9},
        {2000, 1000, "copy", 99.9}, {5, 1000, "tail", 100.0}, {5, 1000, "copy", 0.5},
    };

    job.has_task = true;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        json_t *view;

        job.progress.bytes_done = rows[i].done;
        job.progress.bytes_total = rows[i].total;
        snprintf(job.progress.position_state, sizeof(job.progress.position_state), "%s",
                 rows[i].position);
        view = view_of(&job, NULL);
        CU_ASSERT_DOUBLE_EQUAL(json_real_value(at(at(at(view, "progress"), "full"), "percent")),
                               rows[i].percent, 1e-9);
        json_decref(view);
    }
    store_job_done(&job);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(every_member_of_the_specification_is_shown_with_what_became_of_it),
    CUNIT_TEST(a_draft_that_names_no_ends_shows_none),
    CUNIT_TEST(the_text_of_the_database_gives_the_same_bytes_as_the_value),
    CUNIT_TEST(what_a_job_can_be_asked_for_depends_on_its_state_and_its_ends),
    CUNIT_TEST(the_percentage_is_a_hundred_only_at_the_end),
};
CUNIT_MAIN("job_view", tests)
