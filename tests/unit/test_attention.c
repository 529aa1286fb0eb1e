#include <string.h>

#include "services/worker/attention.h"
#include "tests/support/cunit_run.h"

/* What only a request, the command line or the control database can end with. */
static const enum err_code never_from_a_child[] = {
    ERR_USAGE,
    ERR_VALIDATION,
    ERR_AMBIGUOUS_USERINFO,
    ERR_NOT_JSON,
    ERR_BAD_REQUEST,
    ERR_UNAUTHORIZED,
    ERR_FORBIDDEN,
    ERR_NOT_FOUND,
    ERR_INVALID_STATE,
    ERR_METHOD_NOT_ALLOWED,
    ERR_PRECHECK_REQUIRED,
    ERR_NOT_IGNORABLE,
    ERR_SOURCE_STILL_WRITTEN,
    ERR_PRECHECK_FAILED,
    ERR_ETAG_MISMATCH,
    ERR_BODY_TOO_LARGE,
    ERR_IDEMPOTENCY_CONFLICT,
    ERR_MEDIA_TYPE,
    ERR_STORE_SCHEMA,
    ERR_SELECTION_OVERLAPS,
    ERR_QUOTA,
    ERR_IN_USE,
    ERR_NAME_TAKEN,
    ERR_DESTINATION_LIVE,
    ERR_CONFIG_DRIFT,
};

static bool from_a_child(enum err_code code) {
    for (size_t i = 0; i < LENGTH_OF(never_from_a_child); i++) {
        if (never_from_a_child[i] == code)
            return false;
    }
    return true;
}

static void every_error_that_no_retry_heals_has_a_question(void) {
    for (int i = ERR_NONE + 1; i < ERR_COUNT; i++) {
        enum err_code code = (enum err_code)i;

        if (err_retry_class(code) == RETRY_NEVER && from_a_child(code) && !attention_knows(code))
            CU_FAIL(err_slug(code));
        if (err_retry_class(code) != RETRY_NEVER && attention_knows(code))
            CU_FAIL("an error that is retried has a row");
    }
}

static void every_question_is_whole_and_offers_a_way_out(void) {
    for (int i = ERR_NONE + 1; i < ERR_COUNT; i++) {
        json_t *question = attention_of((enum err_code)i, "2026-01-01T00:00:00.000Z", "why");
        json_t *choices = json_object_get(question, "choices"), *choice;
        bool may_stop = false;
        size_t at;

        CU_ASSERT(strlen(json_string_value(json_object_get(question, "code"))) > 0);
        CU_ASSERT(strlen(json_string_value(json_object_get(question, "if_you_wait"))) > 20);
        CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(question, "detail")), "why");
        json_array_foreach(choices, at, choice) {
            const char *action = json_string_value(json_object_get(choice, "action"));

            CU_ASSERT_PTR_NOT_NULL_FATAL(action);
            CU_ASSERT_TRUE(json_is_object(json_object_get(choice, "body")));
            CU_ASSERT(strlen(json_string_value(json_object_get(choice, "consequence"))) > 10);
            may_stop = may_stop || strcmp(action, "stop") == 0;
        }
        CU_ASSERT_TRUE(may_stop);
        json_decref(question);
    }
}

static void a_lost_position_asks_what_a_lost_history_asks(void) {
    json_t *question = attention_of(ERR_POSITION_MISSING, "x", "\xff");

    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(question, "code")), "needs_recopy");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(question, "detail")),
                           "(not valid UTF-8)");
    json_decref(question);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(every_error_that_no_retry_heals_has_a_question),
    CUNIT_TEST(every_question_is_whole_and_offers_a_way_out),
    CUNIT_TEST(a_lost_position_asks_what_a_lost_history_asks),
};
CUNIT_MAIN("attention", tests)
