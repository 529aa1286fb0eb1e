/* Examples and problem codes come into the document where they belong. */
#include <string.h>

#include "tests/support/cunit_run.h"
#include "web-api/openapi_examples.h"

static const char document_text[] =
    "{\"components\": {\"responses\": {\"Job\": {\"content\": {\"application/json\": {\"schema\": "
    "{}}}}},"
    "  \"parameters\": {\"ifMatch\": {\"name\": \"If-Match\", \"in\": \"header\"}}},"
    " \"paths\": {\"/v1/jobs/{job}\": {\"parameters\": [],"
    "  \"get\": {\"operationId\": \"getJob\", \"responses\": {\"200\": {\"$ref\": "
    "\"#/components/responses/Job\"}}},"
    "  \"patch\": {\"operationId\": \"changeJob\", \"parameters\": [{\"$ref\": "
    "\"#/components/parameters/ifMatch\"}],"
    "   \"requestBody\": {\"content\": {\"application/json\": {\"schema\": {}, \"example\": "
    "\"own\"}}},"
    "   \"responses\": {\"200\": {\"$ref\": \"#/components/responses/Job\"}}}},"
    "  \"/healthz\": {\"get\": {\"operationId\": \"alive\", \"security\": [], \"responses\": "
    "{}}}}}";

static const char examples_text[] =
    "{\"getJob\": {\"call\": \"GET /v1/jobs/job_1\", \"answers\": {\"200\": {\"id\": \"job_1\"}}},"
    " \"changeJob\": {\"call\": \"PATCH /v1/jobs/job_1\", \"request\": {\"name\": \"x\"},"
    "  \"answers\": {\"200\": {\"id\": \"job_2\"}}, \"problems\": [\"invalid_state\", "
    "\"config_drift\"]}}";

static json_t *made(void) {
    json_t *document = json_loads(document_text, 0, NULL);
    json_t *examples = json_loads(examples_text, 0, NULL);

    CU_ASSERT_PTR_NOT_NULL_FATAL(document);
    CU_ASSERT_PTR_NOT_NULL_FATAL(examples);
    openapi_examples_add(document, examples);
    json_decref(examples);
    return document;
}

static const json_t *operation(const json_t *document, const char *path, const char *method) {
    return json_object_get(json_object_get(json_object_get(document, "paths"), path), method);
}

static const json_t *json_content(const json_t *owner) {
    return json_object_get(json_object_get(owner, "content"), "application/json");
}

static const char *id_of_answer(const json_t *op) {
    const json_t *answer = json_object_get(json_object_get(op, "responses"), "200");

    return json_string_value(
        json_object_get(json_object_get(json_content(answer), "example"), "id"));
}

static void an_answer_that_many_share_gets_an_example_of_each(void) {
    json_t *document = made();
    const json_t *shared = json_object_get(
        json_object_get(json_object_get(document, "components"), "responses"), "Job");

    CU_ASSERT_STRING_EQUAL(id_of_answer(operation(document, "/v1/jobs/{job}", "get")), "job_1");
    CU_ASSERT_STRING_EQUAL(id_of_answer(operation(document, "/v1/jobs/{job}", "patch")), "job_2");
    CU_ASSERT_PTR_NULL(json_object_get(json_content(shared), "example"));
    json_decref(document);
}

static void an_example_of_the_document_stays(void) {
    json_t *document = made();
    const json_t *body =
        json_object_get(operation(document, "/v1/jobs/{job}", "patch"), "requestBody");

    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(json_content(body), "example")),
                           "own");
    json_decref(document);
}

static bool has_code(const json_t *op, const char *code) {
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(op, "x-problem-codes"), i, one) {
        if (strcmp(json_string_value(one), code) == 0)
            return true;
    }
    return false;
}

static void codes_are_those_of_the_kind_and_its_own(void) {
    json_t *document = made();
    const json_t *get = operation(document, "/v1/jobs/{job}", "get");
    const json_t *patch = operation(document, "/v1/jobs/{job}", "patch");
    const json_t *open = operation(document, "/healthz", "get");

    CU_ASSERT_TRUE(has_code(get, "not_found") && has_code(get, "unauthorized"));
    CU_ASSERT_FALSE(has_code(get, "etag_mismatch") || has_code(get, "not_json"));
    CU_ASSERT_TRUE(has_code(patch, "etag_mismatch") && has_code(patch, "not_json"));
    CU_ASSERT_TRUE(has_code(patch, "config_drift") && has_code(patch, "invalid_state"));
    CU_ASSERT_FALSE(has_code(open, "unauthorized") || has_code(open, "not_found"));
    CU_ASSERT_TRUE(has_code(open, "bad_request"));
    json_decref(document);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(an_answer_that_many_share_gets_an_example_of_each),
    CUNIT_TEST(an_example_of_the_document_stays),
    CUNIT_TEST(codes_are_those_of_the_kind_and_its_own),
};
CUNIT_MAIN("openapi_examples", tests)
