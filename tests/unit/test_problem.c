#include "tests/support/cunit_run.h"
#include "web-api/problem.h"

static struct arena arena;

static json_t *problem(const struct err *err, json_t *fields, struct reply *ret_reply) {
    *ret_reply = REPLY_INIT(&arena);
    problem_reply(ret_reply, err, fields, "req_1");
    return json_loadb(ret_reply->body.ptr, ret_reply->body.len, 0, NULL);
}

static const char *member(const json_t *doc, const char *name) {
    return json_string_value(json_object_get(doc, name));
}

static void every_code_is_a_whole_document_with_its_rows_status(void) {
    static const char *const members[] = {"type",     "title", "detail",
                                          "instance", "code",  "request_id"};

    for (int code = ERR_NONE + 1; code < ERR_COUNT; code++) {
        struct err err = ERR_INIT;
        struct reply reply;
        json_t *doc;

        err_set(&err, (enum err_code)code, "why");
        doc = problem(&err, NULL, &reply);
        CU_ASSERT_STRING_EQUAL(reply.content_type, "application/problem+json");
        CU_ASSERT_EQUAL(reply.status, err_http(err.code));
        CU_ASSERT_EQUAL(json_integer_value(json_object_get(doc, "status")), reply.status);
        CU_ASSERT(json_is_boolean(json_object_get(doc, "retryable")));
        for (size_t i = 0; i < LENGTH_OF(members); i++)
            CU_ASSERT_PTR_NOT_NULL(member(doc, members[i]));
        CU_ASSERT_EQUAL(json_array_size(json_object_get(doc, "errors")), reply.status == 422);
        json_decref(doc);
    }
    arena_done(&arena);
}

static void a_type_is_the_code_with_dashes(void) {
    struct err err = ERR_INIT;
    struct reply reply;

    err_set(&err, ERR_NOT_FOUND, "no such job");
    json_t *doc = problem(&err, NULL, &reply);

    CU_ASSERT_STRING_EQUAL(member(doc, "type"), "/problems/not-found");
    CU_ASSERT_STRING_EQUAL(member(doc, "code"), "not_found");
    CU_ASSERT_STRING_EQUAL(member(doc, "detail"), "no such job");
    CU_ASSERT_STRING_EQUAL(member(doc, "instance"), "/requests/req_1");
    json_decref(doc);
    arena_done(&arena);
}

static void our_own_failure_shows_only_the_request(void) {
    struct err err = ERR_INIT;
    struct reply reply;

    err_set(&err, ERR_INTERNAL, "a secret path");
    json_t *doc = problem(&err, NULL, &reply);

    CU_ASSERT_PTR_NULL(strstr(member(doc, "detail"), "secret"));
    CU_ASSERT_PTR_NOT_NULL(strstr(member(doc, "detail"), "req_1"));
    json_decref(doc);
    arena_done(&arena);
}

static void bytes_a_peer_sent_do_not_make_the_detail_vanish(void) {
    struct err err = ERR_INIT;
    struct reply reply;

    err_set(&err, ERR_PROTOCOL, "got \xff\xfe");
    json_t *doc = problem(&err, NULL, &reply);

    CU_ASSERT_STRING_EQUAL(member(doc, "detail"), "got \\xff\\xfe");
    json_decref(doc);
    arena_done(&arena);
}

static void wrong_fields_are_shown_and_a_missing_key_names_the_scheme(void) {
    struct err err = ERR_INIT;
    struct reply reply;
    json_t *fields = json_pack("[{s:s, s:s, s:s}]", "pointer", "/name", "code", "type", "detail",
                               "must be a text");

    err_set(&err, ERR_VALIDATION, "name");
    json_t *doc = problem(&err, fields, &reply);

    CU_ASSERT(json_equal(json_object_get(doc, "errors"), fields));
    json_decref(doc);
    json_decref(fields);
    err_set(&err, ERR_UNAUTHORIZED, "no key");
    json_decref(problem(&err, NULL, &reply));
    CU_ASSERT_STRING_EQUAL(reply_header_get(&reply, "WWW-Authenticate"),
                           "Bearer realm=\"keyferry\"");
    arena_done(&arena);
}

static void a_wrong_parameter_of_a_query_is_shown_as_a_wrong_member_is(void) {
    struct err err = ERR_INIT;
    struct reply reply;

    err_set(&err, ERR_VALIDATION, "limit: must be 1 to 200");
    json_t *doc = problem(&err, NULL, &reply);
    const json_t *first = json_array_get(json_object_get(doc, "errors"), 0);

    CU_ASSERT_STRING_EQUAL(member(first, "pointer"), "/limit");
    CU_ASSERT_STRING_EQUAL(member(first, "code"), "invalid");
    CU_ASSERT_STRING_EQUAL(member(first, "detail"), "must be 1 to 200");
    json_decref(doc);
    arena_done(&arena);

    err_clear(&err);
    err_set(&err, ERR_VALIDATION, "the limit: is no parameter's name");
    doc = problem(&err, NULL, &reply);
    first = json_array_get(json_object_get(doc, "errors"), 0);
    CU_ASSERT_STRING_EQUAL(member(first, "pointer"), "");
    CU_ASSERT_STRING_EQUAL(member(first, "detail"), "the limit: is no parameter's name");
    json_decref(doc);
    arena_done(&arena);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(every_code_is_a_whole_document_with_its_rows_status),
    CUNIT_TEST(a_type_is_the_code_with_dashes),
    CUNIT_TEST(our_own_failure_shows_only_the_request),
    CUNIT_TEST(bytes_a_peer_sent_do_not_make_the_detail_vanish),
    CUNIT_TEST(wrong_fields_are_shown_and_a_missing_key_names_the_scheme),
    CUNIT_TEST(a_wrong_parameter_of_a_query_is_shown_as_a_wrong_member_is),
};
CUNIT_MAIN("problem", tests)
