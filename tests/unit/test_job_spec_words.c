#include <string.h>

#include "services/job/job_spec.h"
#include "tests/support/cunit_run.h"

/* A request around the member under test. */
#define REQUEST(more)                                                                              \
    "{\"source\": {\"url\": \"redis://old.example\"},"                                             \
    " \"destination\": {\"url\": \"redis://new.example\"}" more "}"

static bool has_warning(const struct job_spec *spec, const char *code) {
    size_t i;
    json_t *one;

    json_array_foreach(spec->warnings, i, one) {
        if (strcmp(json_string_value(json_object_get(one, "code")), code) == 0)
            return true;
    }
    return false;
}

static void accepts(const char *request, struct job_spec *ret) {
    json_t *body = json_loads(request, 0, NULL);
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(job_spec_read(body, ret, &err));
    json_decref(body);
}

/* A form shows the sentence beside its field: whole numbers, and nothing of another field. */
static void what_is_wrong_is_told_in_words_of_the_field_alone(void) {
    static const struct {
        const char *request, *pointer, *detail;
    } cases[] = {
        {REQUEST(", \"extend_ttl_seconds\": -1"), "/extend_ttl_seconds",
         "must be from 0 to 315360000"},
        {REQUEST(", \"throttle\": {\"full\": {\"rps\": 0}}"), "/throttle/full/rps",
         "must be from 1 to 1000000000000000"},
        {REQUEST(", \"retry\": {\"connection_minutes\": 10}"), "/retry/other_minutes",
         "is 10 unless it is said and must be less than connection_minutes, 10"},
        {REQUEST(", \"retry\": {\"connection_minutes\": 20, \"other_minutes\": 30}"),
         "/retry/other_minutes", "is 30 and must be less than connection_minutes, 20"},
        {"{\"source\": {\"inline\": {\"endpoints\": [{\"host\": \"a\", \"port\": 0}]}}}",
         "/source/inline/endpoints/0/port", "must be a whole number from 1 to 65535"},
        {"{\"source\": 5}", "/source", "must be an object"},
        /* What the database in the destination's URL goes with cannot be told here. */
        {"{\"source\": {\"url\": \"redis://a/256\"}, \"destination\": {\"url\": \"redis://b/1\"}}",
         "/source/url", "the path of the URL is not a database number from 0 to 255"},
    };

    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        json_t *body = json_loads(cases[i].request, 0, NULL);
        struct err err = ERR_INIT;
        struct job_spec spec;
        const json_t *first;

        CU_ASSERT_FALSE(job_spec_read(body, &spec, &err));
        first = json_array_get(spec.errors, 0);
        CU_ASSERT_EQUAL(json_array_size(spec.errors), 1);
        CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(first, "pointer")),
                               cases[i].pointer);
        CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(first, "detail")),
                               cases[i].detail);
        job_spec_done(&spec);
        json_decref(body);
    }
}

static void what_makes_no_difference_is_warned_of(void) {
    struct job_spec spec;

    accepts(REQUEST(", \"throttle\": {\"full\": {\"enabled\": true}}"), &spec);
    CU_ASSERT_TRUE(has_warning(&spec, "throttle_without_limit"));
    job_spec_done(&spec);
    accepts(REQUEST(", \"throttle\": {\"full\": {\"enabled\": true, \"rps\": 9}}"), &spec);
    CU_ASSERT_EQUAL(json_array_size(spec.warnings), 0);
    job_spec_done(&spec);
    accepts("{\"source\": {\"url\": \"file:a.rdb\"}, \"destination\": {\"url\": \"redis://b\"}, "
            "\"migration\": {\"incremental\": false}}",
            &spec);
    CU_ASSERT_FALSE(has_warning(&spec, "full_only"));
    job_spec_done(&spec);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(what_is_wrong_is_told_in_words_of_the_field_alone),
    CUNIT_TEST(what_makes_no_difference_is_warned_of),
};
CUNIT_MAIN("job_spec_words", tests)
