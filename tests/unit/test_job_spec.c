#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/job/job_spec.h"
#include "tests/support/cunit_run.h"

/* A request around the member under test. */
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

static bool has_warning(const struct job_spec *spec, const char *code) {
    size_t i;
    json_t *one;

    json_array_foreach(spec->warnings, i, one) {
        if (strcmp(json_string_value(json_object_get(one, "code")), code) == 0)
            return true;
    }
    return false;
}

static void two_urls_make_a_whole_specification(void) {
    struct job_spec spec;
    struct err err = ERR_INIT;
    const json_t *retry;

    CU_ASSERT_TRUE(read_text(REQUEST(""), &spec, &err));
    CU_ASSERT_TRUE(job_spec_is_complete(&spec));
    CU_ASSERT_EQUAL(json_array_size(spec.errors), 0);
    CU_ASSERT_EQUAL(json_array_size(spec.warnings), 0);
    CU_ASSERT_STRING_EQUAL(spec.destination_key, "new.example:6379");
    CU_ASSERT_EQUAL(spec.destination_database_count, 0);
    CU_ASSERT_EQUAL(strlen(spec.digest), 64);
    retry = json_object_get(spec.spec, "retry");
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(retry, "connection_minutes")), 720);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(retry, "other_minutes")), 10);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(spec.spec, "expiry")), "held");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(spec.spec, "conflict_scope")),
                           "instance");
    CU_ASSERT_TRUE(
        json_is_null(json_object_get(json_object_get(spec.spec, "objects"), "databases")));
    job_spec_done(&spec);
}

static void a_password_is_in_the_sealed_part_and_nowhere_else(void) {
    struct job_spec spec;
    struct err err = ERR_INIT;
    struct credentials cred = CREDENTIALS_INIT;
    char *text;

    CU_ASSERT_TRUE(read_text(REQUEST(""), &spec, &err));
    text = json_dumps(spec.spec, 0);
    CU_ASSERT_PTR_NULL(strstr(text, "s3cret"));
    free(text);
    CU_ASSERT_TRUE(job_spec_credentials(&spec.sealed, "source", &cred, &err));
    CU_ASSERT_TRUE(str_equal(secret_str(&cred.password), STR_LIT("s3cret")));
    credentials_done(&cred);
    CU_ASSERT_TRUE(job_spec_credentials(&spec.sealed, "destination", &cred, &err));
    CU_ASSERT_EQUAL(secret_str(&cred.password).len, 0);
    credentials_done(&cred);
    job_spec_done(&spec);
}

static void no_error_quotes_a_password(void) {
    static const char *const bad[] = {
        "{\"source\": {\"url\": \"redis://user:s3cret@host:99999\"}}",
        "{\"source\": {\"url\": \"redis://s3cret@host\"}}",
        "{\"source\": {\"url\": \"redis://:s3cret@\"}}",
        "{\"source\": {\"inline\": {\"endpoints\": [{\"host\": \"\"}], \"auth\": {\"password\": "
        "\"s3cret\"}}}}",
    };

    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        struct job_spec spec;
        struct err err = ERR_INIT;
        char *text, story[2048];

        CU_ASSERT_FALSE(read_text(bad[i], &spec, &err));
        text = json_dumps(spec.errors, 0);
        err_format(&err, story, sizeof(story));
        CU_ASSERT_PTR_NULL(strstr(text, "s3cret"));
        CU_ASSERT_PTR_NULL(strstr(story, "s3cret"));
        free(text);
        job_spec_done(&spec);
    }
}

static void the_canonical_form_reads_as_itself(void) {
    struct job_spec first, second;
    struct err err = ERR_INIT;
    json_t *again;
    const char *const ends[] = {"source", "destination"};

    CU_ASSERT_TRUE(read_text(
        "{\"source\": {\"url\": \"redis://a:1\"}, \"destination\": {\"url\": \"redis://b:2\"},"
        " \"name\": \"n\", \"labels\": {\"team\": \"x\"}, \"expiry\": \"exact\","
        " \"objects\": {\"databases\": [{\"source\": 3, \"destination\": 0}]}}",
        &first, &err));
    again = json_deep_copy(first.spec);
    for (int i = 0; i < 2; i++) /* an end is asked for as a reference and kept as what it is */
        json_object_set_new(again, ends[i],
                            json_pack("{s:O}", "inline", json_object_get(first.spec, ends[i])));
    CU_ASSERT_TRUE(job_spec_read(again, &second, &err));
    CU_ASSERT_TRUE(json_equal(first.spec, second.spec));
    CU_ASSERT_STRING_EQUAL(first.digest, second.digest);
    json_decref(again);
    job_spec_done(&first);
    job_spec_done(&second);
}

static void a_precheck_does_not_depend_on_the_name(void) {
    struct job_spec one, two, three;
    struct err err = ERR_INIT;

#define PLAIN(more)                                                                                \
    "{\"source\": {\"url\": \"redis://a:1\"}, \"destination\": {\"url\": \"redis://b:2\"}" more "}"
    CU_ASSERT_TRUE(read_text(PLAIN(""), &one, &err));
    CU_ASSERT_TRUE(
        read_text(PLAIN(", \"name\": \"x\", \"retry\": {\"other_minutes\": 20}"), &two, &err));
    CU_ASSERT_TRUE(read_text(PLAIN(", \"conflict_mode\": \"overwrite\""), &three, &err));
    CU_ASSERT_STRING_EQUAL(one.digest, two.digest);
    CU_ASSERT_STRING_NOT_EQUAL(one.digest, three.digest);
    job_spec_done(&one);
    job_spec_done(&two);
    job_spec_done(&three);
}

/* Or the digest could be tried against a list of passwords. */
static void a_digest_tells_nothing_of_a_password(void) {
    struct job_spec one, two;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(read_text(REQUEST(""), &one, &err));
    CU_ASSERT_TRUE(read_text(REQUEST(""), &two, &err));
    CU_ASSERT_STRING_NOT_EQUAL(one.digest, two.digest);
    job_spec_done(&one);
    job_spec_done(&two);
}

static void without_an_end_it_is_a_draft(void) {
    struct job_spec spec;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(read_text("{\"source\": {\"url\": \"redis://a:1\"}}", &spec, &err));
    CU_ASSERT_FALSE(job_spec_is_complete(&spec));
    CU_ASSERT_EQUAL(json_array_size(spec.missing), 1);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(spec.missing, 0)), "/destination");
    job_spec_done(&spec);
}

static void a_mapping_names_what_is_written_to(void) {
    struct job_spec spec;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(
        read_text(REQUEST(", \"objects\": {\"databases\": [{\"source\": 7, \"destination\": 5},"
                          " {\"source\": 2}]}"),
                  &spec, &err));
    CU_ASSERT_EQUAL(spec.destination_database_count, 2);
    CU_ASSERT_EQUAL(spec.destination_databases[0], 2);
    CU_ASSERT_EQUAL(spec.destination_databases[1], 5);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(spec.spec, "conflict_scope")),
                           "selection");
    job_spec_done(&spec);
}

static void a_database_in_a_url_selects_it(void) {
    struct job_spec spec;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(read_text(
        "{\"source\": {\"url\": \"redis://a:1/3\"}, \"destination\": {\"url\": \"redis://b:2/4\"}}",
        &spec, &err));
    CU_ASSERT_EQUAL(spec.destination_database_count, 1);
    CU_ASSERT_EQUAL(spec.destination_databases[0], 4);
    CU_ASSERT_TRUE(has_warning(&spec, "database_of_url"));
    CU_ASSERT_FALSE(has_warning(&spec, "database_of_url_unused"));
    job_spec_done(&spec);

    /* The list says it all; what the URL of the destination says is not taken in silence. */
    CU_ASSERT_TRUE(read_text("{\"source\": {\"url\": \"redis://a:1\"}, \"destination\": {\"url\": "
                             "\"redis://b:2/4\"}, \"objects\": {\"databases\": [{\"source\": 0}]}}",
                             &spec, &err));
    CU_ASSERT_EQUAL(spec.destination_databases[0], 0);
    CU_ASSERT_TRUE(has_warning(&spec, "database_of_url_unused"));
    job_spec_done(&spec);
    refuses(
        "{\"source\": {\"url\": \"redis://a:1\"}, \"destination\": {\"url\": \"redis://b:2/4\"}}",
        ERR_VALIDATION, "/destination", "invalid");
}

static void what_is_wrong_is_named(void) {
    static const struct {
        const char *more, *pointer, *reason;
    } cases[] = {
        {", \"nmae\": \"x\"", "/nmae", "unknown_field"},
        {", \"a/b~c\": 1", "/a~1b~0c", "unknown_field"},
        {", \"name\": \"\"", "/name", "length"},
        {", \"name\": 5", "/name", "type"},
        {", \"name\": \"a\\nb\"", "/name", "length"},
        {", \"retry\": 5", "/retry", "type"},
        {", \"retry\": {\"connection_minutes\": 9}", "/retry/connection_minutes", "range"},
        {", \"retry\": {\"connection_minutes\": 1441}", "/retry/connection_minutes", "range"},
        {", \"retry\": {\"other_minutes\": 0}", "/retry/other_minutes", "range"},
        {", \"retry\": {\"other_minutes\": 1441}", "/retry/other_minutes", "range"},
        {", \"migration\": {\"incremental\": false}, \"throttle\": {\"incremental\": {\"rps\": 5}}",
         "/throttle/incremental/enabled", "invalid"},
        {", \"retry\": {\"connection_minutes\": 1.5}", "/retry/connection_minutes", "type"},
        {", \"retry\": {\"connection_minutes\": 20, \"other_minutes\": 20}", "/retry/other_minutes",
         "range"},
        {", \"retry\": {\"backoff\": {\"initial_ms\": 5000, \"max_ms\": 1000}}",
         "/retry/backoff/max_ms", "range"},
        {", \"retry\": {\"backoff\": {\"jitter\": 1.1}}", "/retry/backoff/jitter", "range"},
        {", \"retry\": {\"backof\": {}}", "/retry/backof", "unknown_field"},
        {", \"migration\": {\"full\": \"yes\"}", "/migration/full", "type"},
        {", \"migration\": {\"full\": false, \"incremental\": false}", "/migration", "invalid"},
        {", \"kind\": \"copy\"", "/kind", "choice"},
        {", \"expiry\": \"soft\"", "/expiry", "choice"},
        {", \"labels\": {\"Team\": \"x\"}", "/labels", "invalid"},
        {", \"labels\": {\"team\": 1}", "/labels", "invalid"},
        {", \"heartbeat\": {\"interval_ms\": 100}", "/heartbeat/interval_ms", "range"},
        {", \"objects\": {\"databases\": []}", "/objects/databases", "range"},
        {", \"objects\": {\"databases\": [{}]}", "/objects/databases/0/source", "required"},
        {", \"objects\": {\"databases\": [{\"source\": 256}]}", "/objects/databases/0/source",
         "range"},
        {", \"objects\": {\"databases\": [{\"source\": 1}, {\"source\": 1, \"destination\": 2}]}",
         "/objects/databases/1", "invalid"},
        {", \"objects\": {\"databases\": [{\"source\": 1}, {\"source\": 2, \"destination\": 1}]}",
         "/objects/databases/1", "invalid"},
        {", \"objects\": {\"databases\": [{\"source\": 1, \"db\": 1}]}", "/objects/databases/0",
         "unknown_field"},
        {", \"objects\": {\"databases\": [3]}", "/objects/databases/0", "type"},
    };

    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        char text[1024];

        snprintf(text, sizeof(text), REQUEST("%s"), cases[i].more);
        refuses(text, ERR_VALIDATION, cases[i].pointer, cases[i].reason);
    }
    refuses("[]", ERR_VALIDATION, "", "type");
    refuses("null", ERR_VALIDATION, "", "type");
}

static void what_is_not_built_yet_is_refused_by_its_pointer(void) {
    static const struct {
        const char *more, *pointer;
    } cases[] = {
        {", \"kind\": \"slot_move\"", "/kind"},
        {", \"migration\": {\"read_mode\": \"scan_follow\"}", "/migration/read_mode"},
        {", \"migration\": {\"full\": false}", "/migration/full"},
        {", \"objects\": {\"cross_slot_policy\": \"fail\"}", "/objects/cross_slot_policy"},
        {", \"verification\": {\"after_full\": true}", "/verification"},
        {", \"alerts\": [{\"type\": \"latency\"}]", "/alerts"},
        {", \"transform\": [{}]", "/transform"},
    };

    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        char text[1024];

        snprintf(text, sizeof(text), REQUEST("%s"), cases[i].more);
        refuses(text, ERR_NOT_SUPPORTED_YET, cases[i].pointer, "not_supported_yet");
    }
    refuses("{\"source\": {\"instance_id\": \"inst_1\"}}", ERR_NOT_SUPPORTED_YET,
            "/source/instance_id", "not_supported_yet");
    refuses("{\"source\": {\"url\": \"redis://who@a\"}}", ERR_AMBIGUOUS_USERINFO, "/source/url",
            "ambiguous_userinfo");
}

static void a_later_field_may_say_its_default(void) {
    struct job_spec spec;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(read_text(
        REQUEST(", \"throttle\": {\"full\": {\"enabled\": false, \"rps\": null}}, \"alerts\": [],"
                " \"verification\": null, \"objects\": {\"databases\": null, \"publish\": false},"
                " \"conflict_scope\": \"instance\", \"migration\": {\"start_at\": null}"),
        &spec, &err));
    job_spec_done(&spec);
}

static void what_one_should_know_is_a_warning(void) {
    struct job_spec spec;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(read_text(
        REQUEST(", \"expiry\": {\"mode\": \"exact\"}, \"migration\": {\"incremental\": false},"
                " \"retry\": {\"connection_minutes\": 30, \"other_minutes\": 9}"),
        &spec, &err));
    CU_ASSERT_TRUE(has_warning(&spec, "expiry_exact"));
    CU_ASSERT_TRUE(has_warning(&spec, "full_only"));
    CU_ASSERT_TRUE(has_warning(&spec, "retry_short"));
    CU_ASSERT_EQUAL(json_array_size(spec.warnings), 4);
    job_spec_done(&spec);
}

static void errors_are_many_but_not_endless(void) {
    json_t *body = json_object();
    struct job_spec spec;
    struct err err = ERR_INIT;
    char name[16];

    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        json_object_set_new(body, name, json_true());
    }
    CU_ASSERT_FALSE(job_spec_read(body, &spec, &err));
    CU_ASSERT_EQUAL(json_array_size(spec.errors), JOB_SPEC_ERRORS_MAX);
    job_spec_done(&spec);
    json_decref(body);
}

static void an_end_reads_back_from_the_specification(void) {
    struct job_spec spec;
    struct endpoint ep = ENDPOINT_INIT;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(read_text(REQUEST(""), &spec, &err));
    CU_ASSERT_TRUE(job_spec_endpoint(spec.spec, "source", &ep, &err));
    CU_ASSERT_EQUAL(ep.port, 6380);
    CU_ASSERT_TRUE(ep.has_password);
    endpoint_done(&ep);
    job_spec_done(&spec);
}

static void a_limit_that_is_given_is_enabled(void) {
    static const struct {
        const char *throttle;
        bool enabled;
        int rps; /* -1 = null */
    } rows[] = {
        {"{\"full\": {\"rps\": 5}}", true, 5},
        {"{\"full\": {\"rps\": 5, \"enabled\": false}}", false, 5},
        {"{\"full\": {\"rps\": -1}}", false, -1},
        {"{\"full\": {\"rps\": null, \"enabled\": true}}", true, -1},
        {"{\"full\": {\"bytes_per_second\": 65536}}", true, -1},
        {"{\"full\": {\"source_qps\": -1}}", false, -1},
        {"{}", false, -1},
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct job_spec spec;
        struct err err = ERR_INIT;
        json_t *body = json_pack("{s:o}", "throttle", json_loads(rows[i].throttle, 0, NULL)), *full;

        CU_ASSERT_TRUE(job_spec_read(body, &spec, &err));
        full = json_object_get(json_object_get(spec.spec, "throttle"), "full");
        CU_ASSERT_EQUAL(json_is_true(json_object_get(full, "enabled")), rows[i].enabled);
        if (rows[i].rps < 0)
            CU_ASSERT_TRUE(json_is_null(json_object_get(full, "rps")))
        else
            CU_ASSERT_EQUAL(json_integer_value(json_object_get(full, "rps")), rows[i].rps)
        json_decref(body);
        job_spec_done(&spec);
    }
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_limit_that_is_given_is_enabled),
    CUNIT_TEST(two_urls_make_a_whole_specification),
    CUNIT_TEST(a_password_is_in_the_sealed_part_and_nowhere_else),
    CUNIT_TEST(no_error_quotes_a_password),
    CUNIT_TEST(the_canonical_form_reads_as_itself),
    CUNIT_TEST(a_precheck_does_not_depend_on_the_name),
    CUNIT_TEST(a_digest_tells_nothing_of_a_password),
    CUNIT_TEST(without_an_end_it_is_a_draft),
    CUNIT_TEST(a_mapping_names_what_is_written_to),
    CUNIT_TEST(a_database_in_a_url_selects_it),
    CUNIT_TEST(what_is_wrong_is_named),
    CUNIT_TEST(what_is_not_built_yet_is_refused_by_its_pointer),
    CUNIT_TEST(a_later_field_may_say_its_default),
    CUNIT_TEST(what_one_should_know_is_a_warning),
    CUNIT_TEST(errors_are_many_but_not_endless),
    CUNIT_TEST(an_end_reads_back_from_the_specification),
};
CUNIT_MAIN("job_spec", tests)
