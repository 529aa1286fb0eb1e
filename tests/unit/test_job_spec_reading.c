/* How a source may be read, and what can be said beside it. */
#include "services/job/job_spec.h"
#include "tests/support/cunit_run.h"

#define REQUEST(more)                                                                              \
    "{\"source\": {\"url\": \"redis://:s3cret@Old.Example:6380\"},"                                \
    " \"destination\": {\"url\": \"redis://New.Example:6379\"}" more "}"
#define FULL_ONLY ", \"migration\": {\"incremental\": false"
#define FROM_FILE "{\"source\": {\"url\": \"file:dump.rdb\"}"

static void the_ways_of_reading_and_what_goes_with_them(void) {
    static const struct {
        const char *body, *pointer; /* NULL: it is fine */
    } rows[] = {
        {REQUEST(FULL_ONLY ", \"read_mode\": \"scan\"}"), NULL},
        {REQUEST(FULL_ONLY ", \"read_mode\": \"scan\"}, \"throttle\": {\"full\": "
                           "{\"source_qps\": 5}}"),
         NULL},
        {REQUEST(FULL_ONLY "}, \"throttle\": {\"full\": {\"source_qps\": 5}}"), NULL},
        {FROM_FILE FULL_ONLY "}}", NULL},
        {REQUEST(FULL_ONLY ", \"read_mode\": \"scan\", \"scan\": {\"match\": \"a*\", \"types\": "
                           "[\"hash\", \"set\"]}}"),
         NULL},
        {REQUEST(FULL_ONLY ", \"scan\": {\"match\": \"a*\"}}"), "/migration/scan"},
        {REQUEST(FULL_ONLY
                 ", \"read_mode\": \"scan\", \"scan\": {\"types\": [\"hash\", \"hash\"]}}"),
         "/migration/scan/types/1"},
        {REQUEST(", \"migration\": {\"read_mode\": \"sync\"}"), NULL},
        {REQUEST(FULL_ONLY ", \"read_mode\": \"sync\"}, \"heartbeat\": {\"mode\": \"off\"}"), NULL},
        {REQUEST(", \"migration\": {\"read_mode\": \"sync\"}, \"heartbeat\": {\"mode\": \"off\"}"),
         "/heartbeat/mode"},
        {REQUEST(", \"migration\": {\"read_mode\": \"scan\"}"), "/migration/incremental"},
        {REQUEST(", \"throttle\": {\"full\": {\"source_qps\": 5}}"), "/throttle/full/source_qps"},
        {REQUEST(FULL_ONLY ", \"read_mode\": \"psync\"}, \"throttle\": {\"full\": "
                           "{\"source_qps\": 5}}"),
         "/throttle/full/source_qps"},
        {FROM_FILE "}", "/migration/incremental"},
        {FROM_FILE FULL_ONLY ", \"read_mode\": \"scan\"}}", "/migration/read_mode"},
        {FROM_FILE FULL_ONLY "}, \"throttle\": {\"full\": {\"source_qps\": 5}}}",
         "/throttle/full/source_qps"},
        {"{\"source\": {\"url\": \"file:../dump.rdb\"}" FULL_ONLY "}}", "/source/url"},
        {"{\"destination\": {\"url\": \"file:dump.rdb\"}}", "/destination"},
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct job_spec spec;
        struct err err = ERR_INIT;

        json_t *body = json_loads(rows[i].body, 0, NULL);
        const json_t *first;

        CU_ASSERT_EQUAL(job_spec_read(body, &spec, &err), rows[i].pointer == NULL);
        first = json_array_get(spec.errors, 0);
        if (rows[i].pointer) {
            CU_ASSERT_EQUAL(err.code, ERR_VALIDATION);
            CU_ASSERT_EQUAL(json_array_size(spec.errors), 1);
            CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(first, "pointer")),
                                   rows[i].pointer);
        }
        job_spec_done(&spec);
        json_decref(body);
    }
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(the_ways_of_reading_and_what_goes_with_them),
};
CUNIT_MAIN("job_spec_reading", tests)
