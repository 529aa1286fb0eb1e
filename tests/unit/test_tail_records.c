/* Commands on record: what is held against the command, and what against the moment. */
#include "services/flow/tail_records.h"
#include "tests/support/cunit_run.h"

static void what_may_pass_by_itself_is_no_refusal(void) {
    for (int code = ERR_NONE + 1; code < ERR_COUNT; code++) {
        if (err_retry_class((enum err_code)code) != RETRY_NEVER)
            CU_ASSERT_FALSE(tail_records_is_refusal((enum err_code)code));
    }
}

static void a_login_that_is_refused_says_nothing_of_the_command(void) {
    static const enum err_code ours[] = {ERR_DEST_AUTH,        ERR_TLS,      ERR_ROLE_REVOKED,
                                         ERR_ROLE_NOT_TRUSTED, ERR_INTERNAL, ERR_NONE};

    for (size_t i = 0; i < LENGTH_OF(ours); i++)
        CU_ASSERT_FALSE(tail_records_is_refusal(ours[i]));
}

static void what_the_rules_refuse_is_one(void) {
    static const enum err_code rules[] = {ERR_UNKNOWN_COMMAND, ERR_COMMAND_REFUSED,
                                          ERR_SELECTION_CROSSED, ERR_DEST_UNKNOWN_COMMAND,
                                          ERR_DEST_NOPERM};

    for (size_t i = 0; i < LENGTH_OF(rules); i++)
        CU_ASSERT_TRUE(tail_records_is_refusal(rules[i]));
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(what_may_pass_by_itself_is_no_refusal),
    CUNIT_TEST(a_login_that_is_refused_says_nothing_of_the_command),
    CUNIT_TEST(what_the_rules_refuse_is_one),
};
CUNIT_MAIN("tail_records", tests)
