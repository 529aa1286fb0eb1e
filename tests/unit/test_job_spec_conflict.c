/* What a specification may say about keys the destination has already. */
#include <stdio.h>
#include <string.h>

#include "services/job/job_spec.h"
#include "services/job/job_spec_conflict.h"
#include "tests/support/cunit_run.h"

#define REQUEST(more)                                                                              \
    "{\"source\": {\"url\": \"redis://:s3cret@Old.Example:6380\"},"                                \
    " \"destination\": {\"url\": \"redis://New.Example:6379\"}" more "}"

static bool read_text(const char *text, struct job_spec *ret, struct err *err) {
    json_t *body = json_loads(text, JSON_DECODE_ANY, NULL);
    bool ok;

    CU_ASSERT_PTR_NOT_NULL_FATAL(body);
    ok = job_spec_read(body, ret, err);
    json_decref(body);
    return ok;
}

static bool has_warning(const struct job_spec *spec, const char *code) {
    size_t i;
    json_t *one;

    json_array_foreach(spec->warnings, i, one) {
        if (strcmp(json_string_value(json_object_get(one, "code")), code) == 0)
            return true;
    }
    return false;
}

/* The request is refused, and this is one of the reasons. */
static void refuses(const char *text, enum err_code code, const char *pointer, const char *reason) {
    struct job_spec spec;
    struct err err = ERR_INIT;
    bool found = false;
    size_t i;
    json_t *one;

    CU_ASSERT_FALSE(read_text(text, &spec, &err));
    CU_ASSERT_EQUAL(err.code, code);
    json_array_foreach(spec.errors, i, one) {
        found |= strcmp(json_string_value(json_object_get(one, "pointer")), pointer) == 0 &&
                 strcmp(json_string_value(json_object_get(one, "code")), reason) == 0;
    }
    if (!found) {
        char *shown = json_dumps(spec.errors, 0);

        printf("  %s: no %s at %s in %s\n", text, reason, pointer, shown);
        free(shown);
    }
    CU_ASSERT_TRUE(found);
    job_spec_done(&spec);
}

static void a_flush_is_confirmed_with_the_name_of_the_destination(void) {
    static const struct {
        const char *more, *reason;
    } cases[] = {
        {", \"conflict_mode\": \"flush_destination\"", "required"},
        {", \"conflict_mode\": \"flush_destination\", \"confirm_flush\": \"old.example:6380\"",
         "invalid"},
        {", \"conflict_mode\": \"flush_destination\", \"confirm_flush\": \"new.example\"",
         "invalid"},
        {", \"confirm_flush\": \"new.example:6379\"", "invalid"},
    };
    struct job_spec spec;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        char text[512];

        snprintf(text, sizeof(text), REQUEST("%s"), cases[i].more);
        refuses(text, ERR_VALIDATION, "/confirm_flush", cases[i].reason);
    }
    CU_ASSERT_TRUE(read_text(REQUEST(", \"conflict_mode\": \"flush_destination\","
                                     " \"confirm_flush\": \"NEW.example:6379\""),
                             &spec, &err));
    job_spec_done(&spec);
    /* The database is no part of the name. */
    CU_ASSERT_TRUE(read_text("{\"source\": {\"url\": \"redis://a/1\"},"
                             " \"destination\": {\"url\": \"redis://b/2\"},"
                             " \"conflict_mode\": \"flush_destination\","
                             " \"confirm_flush\": \"b:6379\"}",
                             &spec, &err));
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(spec.spec, "conflict_scope")),
                           "selection");
    job_spec_done(&spec);
}

static void a_selection_may_look_at_the_whole_instance(void) {
    static const char some[] = REQUEST(", \"objects\": {\"databases\": [{\"source\": 7}]},"
                                       " \"conflict_scope\": \"instance\"");
    static const char all[] = REQUEST(", \"conflict_scope\": \"selection\"");
    struct job_spec spec;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(read_text(some, &spec, &err));
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(spec.spec, "conflict_scope")),
                           "instance");
    CU_ASSERT_TRUE(job_spec_conflict_is_chosen(spec.spec));
    job_spec_done(&spec);
    /* Every database selected: the two are one. */
    CU_ASSERT_TRUE(read_text(all, &spec, &err));
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(spec.spec, "conflict_scope")),
                           "instance");
    CU_ASSERT_FALSE(job_spec_conflict_is_chosen(spec.spec));
    job_spec_done(&spec);
}

static void a_key_that_is_kept_and_followed_earns_a_warning(void) {
    struct job_spec spec;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(read_text(REQUEST(", \"conflict_mode\": \"skip_existing\""), &spec, &err));
    CU_ASSERT_TRUE(has_warning(&spec, "kept_keys_change"));
    job_spec_done(&spec);
    CU_ASSERT_TRUE(read_text(REQUEST(", \"conflict_mode\": \"skip_existing\","
                                     " \"migration\": {\"incremental\": false}"),
                             &spec, &err));
    CU_ASSERT_FALSE(has_warning(&spec, "kept_keys_change"));
    job_spec_done(&spec);
    refuses(REQUEST(", \"conflict_mode\": \"fail_on_conflict\","
                    " \"migration\": {\"incremental\": false, \"read_mode\": \"scan\"}"),
            ERR_VALIDATION, "/conflict_mode", "invalid");
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_flush_is_confirmed_with_the_name_of_the_destination),
    CUNIT_TEST(a_selection_may_look_at_the_whole_instance),
    CUNIT_TEST(a_key_that_is_kept_and_followed_earns_a_warning),
};
CUNIT_MAIN("job_spec_conflict", tests)
