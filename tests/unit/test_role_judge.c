/* What a role allows, on values alone. */
#include "services/job/role_judge.h"
#include "tests/support/cunit_run.h"

static const char role_text[] =
    "{\"trusted_accounts\": [\"acct_b\"], \"enabled\": true, \"permissions\": [\"data.read\", "
    "\"data.replicate\", \"data.heartbeat\"], \"now_ms\": 1000}";

/* The code of the verdict on `spec`, read as the source of account acct_b, by the role with
 * `change` in it. */
static enum err_code verdict(const char *change, const char *spec_text) {
    json_t *role = json_loads(role_text, 0, NULL), *over = json_loads(change, 0, NULL);
    json_t *spec = json_loads(spec_text, 0, NULL);
    struct role_use use = {.account = "acct_b"};
    struct err err = ERR_INIT;

    CU_ASSERT_PTR_NOT_NULL_FATAL(over);
    CU_ASSERT_PTR_NOT_NULL_FATAL(spec);
    json_object_update(role, over);
    role_judge_use(spec, "source", &use);
    use.owner = "acct_a";
    use.role_name = "r";
    use.instance = "inst_x";
    if (role_judge(role, true, &use, &err))
        err.code = ERR_NONE;
    json_decref(role);
    json_decref(over);
    json_decref(spec);
    return err.code;
}

static const char follow[] = "{\"migration\": {\"incremental\": true}, \"heartbeat\": {\"mode\": "
                             "\"auto\"}, \"destination\": "
                             "{\"endpoints\": [{\"host\": \"D.Example\", \"port\": 6379}]}}";

static void who_is_not_let_in_learns_nothing(void) {
    static const char *const changes[] = {"{\"trusted_accounts\": []}", "{\"enabled\": false}",
                                          "{\"external_id\": \"word\"}",
                                          "{\"trusted_accounts\": [\"acct_bb\"]}"};
    struct role_use use = {
        .account = "acct_b", .owner = "acct_a", .role_name = "r", .instance = "inst_x"};
    struct err none = ERR_INIT, without = ERR_INIT;
    json_t *role = json_loads(role_text, 0, NULL);

    CU_ASSERT_EQUAL(verdict("{}", follow), ERR_NONE);
    for (size_t i = 0; i < LENGTH_OF(changes); i++)
        CU_ASSERT_EQUAL(verdict(changes[i], follow), ERR_ROLE_NOT_TRUSTED);
    CU_ASSERT_FALSE(role_judge(NULL, true, &use, &none));
    CU_ASSERT_FALSE(role_judge(role, false, &use, &without));
    CU_ASSERT_EQUAL(none.code, ERR_ROLE_NOT_TRUSTED);
    CU_ASSERT_STRING_EQUAL(none.frame[0], without.frame[0]);
    json_decref(role);
}

static void what_is_needed_follows_from_what_is_wanted(void) {
    static const char full[] = "{\"migration\": {\"incremental\": false}}";
    static const char silent[] =
        "{\"migration\": {\"incremental\": true}, \"heartbeat\": {\"mode\": \"off\"}}";

    CU_ASSERT_EQUAL(verdict("{\"permissions\": [\"data.read\"]}", full), ERR_NONE);
    CU_ASSERT_EQUAL(verdict("{\"permissions\": [\"data.read\"]}", silent), ERR_ROLE_PERMISSION);
    CU_ASSERT_EQUAL(verdict("{\"permissions\": [\"data.read\", \"data.replicate\"]}", silent),
                    ERR_NONE);
    CU_ASSERT_EQUAL(verdict("{\"permissions\": [\"data.read\", \"data.replicate\"]}", follow),
                    ERR_ROLE_PERMISSION);
    CU_ASSERT_EQUAL(verdict("{\"permissions\": [\"data.write\"]}", full), ERR_ROLE_PERMISSION);
}

static void a_time_window_has_two_ends(void) {
    CU_ASSERT_EQUAL(verdict("{\"not_before_ms\": 1000}", follow), ERR_NONE);
    CU_ASSERT_EQUAL(verdict("{\"not_before_ms\": 1001}", follow), ERR_ROLE_PERMISSION);
    CU_ASSERT_EQUAL(verdict("{\"not_after_ms\": 1001}", follow), ERR_NONE);
    CU_ASSERT_EQUAL(verdict("{\"not_after_ms\": 1000}", follow), ERR_ROLE_PERMISSION);
}

static void a_destination_is_a_host_or_a_host_and_a_port(void) {
    CU_ASSERT_EQUAL(verdict("{\"destinations\": [\"d.example\"]}", follow), ERR_NONE);
    CU_ASSERT_EQUAL(verdict("{\"destinations\": [\"d.example:6379\"]}", follow), ERR_NONE);
    CU_ASSERT_EQUAL(verdict("{\"destinations\": [\"d.example:637\"]}", follow),
                    ERR_ROLE_PERMISSION);
    CU_ASSERT_EQUAL(verdict("{\"destinations\": [\"d.exampl\", \"example\"]}", follow),
                    ERR_ROLE_PERMISSION);
}

static void a_selection_lies_within_what_the_role_is_about(void) {
    static const struct {
        const char *role, *databases;
        bool allowed;
    } rows[] = {
        {"{\"databases\": [1]}", "null", false},
        {"{\"databases\": [1]}", "[]", false},
        {"{\"databases\": [1, 2]}", "[{\"source\": 2}]", true},
        {"{\"databases\": [1, 2]}", "[{\"source\": 2}, {\"source\": 3}]", false},
        {"{\"prefixes\": [\"a:\"]}", "[{\"source\": 0}]", false},
        {"{\"prefixes\": [\"a:\"]}", "[{\"source\": 0, \"include_prefixes\": []}]", false},
        {"{\"prefixes\": [\"a:\"]}", "[{\"source\": 0, \"include_prefixes\": [\"a:b\"]}]", true},
        {"{\"prefixes\": [\"a:\"]}", "[{\"source\": 0, \"include_prefixes\": [\"a\"]}]", false},
        {"{\"prefixes\": [\"a:\", \"b:\"]}",
         "[{\"source\": 0, \"include_prefixes\": [\"a:x\", \"b:\"]}]", true},
        {"{\"prefixes\": [\"a:\"]}",
         "[{\"source\": 0, \"include_prefixes\": [\"a:x\"]}, {\"source\": 1}]", false},
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        char spec[256];

        snprintf(spec, sizeof(spec),
                 "{\"migration\": {\"incremental\": false}, \"objects\": {\"databases\": %s}}",
                 rows[i].databases);
        CU_ASSERT_EQUAL(verdict(rows[i].role, spec),
                        rows[i].allowed ? ERR_NONE : ERR_ROLE_PERMISSION);
    }
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(who_is_not_let_in_learns_nothing),
    CUNIT_TEST(what_is_needed_follows_from_what_is_wanted),
    CUNIT_TEST(a_time_window_has_two_ends),
    CUNIT_TEST(a_destination_is_a_host_or_a_host_and_a_port),
    CUNIT_TEST(a_selection_lies_within_what_the_role_is_about),
};
CUNIT_MAIN("role_judge", tests)
