#include <stdio.h>
#include <string.h>

#include "services/job/job_state.h"
#include "sql/embedded.h"
#include "sql/store_migrate.h"
#include "tests/support/cunit_run.h"
#include "tests/support/store_fixture.h"

static void an_empty_database_is_no_store(void) {
    struct store *store = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_FALSE(store_open(store_fixture_url(), "test", &store, &err));
    CU_ASSERT_EQUAL(err.code, ERR_STORE_SCHEMA);
    CU_ASSERT_PTR_NULL(store);
}

static void no_server_is_an_error_that_a_retry_may_cure(void) {
    struct store *store = NULL;
    struct err err = ERR_INIT;
    char story[1024];

    CU_ASSERT_FALSE(store_open("host=/nowhere password=s3cret", "test", &store, &err));
    CU_ASSERT_EQUAL(err.code, ERR_STORE);
    err_format(&err, story, sizeof(story));
    CU_ASSERT_PTR_NULL(strstr(story, "s3cret"));
    CU_ASSERT_FALSE(store_open("postgresq://user:s3cret@host/db", "test", &store, &err));
    CU_ASSERT_EQUAL(err.code, ERR_CONFIG);
    err_format(&err, story, sizeof(story));
    CU_ASSERT_PTR_NULL(strstr(story, "s3cret"));
}

/* All of them apply everything or nothing, and one of them did. */
static bool migrate_here(int number) {
    struct err err = ERR_INIT;
    int applied = -1;

    (void)number;
    return store_migrate(store_fixture_url(), &applied, &err) && applied == 0;
}

static bool begin_here(int number) {
    struct err err = ERR_INIT;
    int applied = -1;

    (void)number;
    return store_migrate(store_fixture_url(), &applied, &err) && applied == sql_migration_count;
}

static void of_four_runners_at_once_one_does_the_work(void) {
    CU_ASSERT_EQUAL(store_fixture_race_bare(4, begin_here), 1);
    CU_ASSERT_EQUAL(store_fixture_race_bare(4, migrate_here), 4);
}

static void a_migration_that_changed_afterwards_is_refused(void) {
    struct err err = ERR_INIT;

    store_fixture_sql("UPDATE schema_migrations SET sha256 = 'x' || sha256 WHERE version = 1");
    CU_ASSERT_FALSE(store_migrate(store_fixture_url(), NULL, &err));
    CU_ASSERT_EQUAL(err.code, ERR_STORE_SCHEMA);
    store_fixture_sql("UPDATE schema_migrations SET sha256 = substr(sha256, 2) WHERE version = 1");
    CU_ASSERT_TRUE(store_migrate(store_fixture_url(), NULL, &err));
}

static void a_database_of_a_newer_program_is_refused(void) {
    struct store *store = NULL;
    struct err err = ERR_INIT;

    store_fixture_sql("INSERT INTO schema_migrations VALUES (9999, '9999_later', 'x')");
    CU_ASSERT_FALSE(store_migrate(store_fixture_url(), NULL, &err));
    CU_ASSERT_EQUAL(err.code, ERR_STORE_SCHEMA);
    CU_ASSERT_FALSE(store_open(store_fixture_url(), "test", &store, &err));
    CU_ASSERT_EQUAL(err.code, ERR_STORE_SCHEMA);
    store_fixture_sql("DELETE FROM schema_migrations WHERE version = 9999");
}

static void every_statement_is_prepared_and_says_what_it_is_for(void) {
    store_fixture(); /* opening is preparing */
    CU_ASSERT(sql_query_count >= 45);
    for (int i = 0; i < sql_query_count; i++)
        CU_ASSERT(strncmp(sql_queries[i]->text, "-- ", 3) == 0);
}

static void every_table_and_column_has_a_comment(void) {
    const char *missing = store_fixture_value(
        "SELECT coalesce(string_agg(c.relname || coalesce('.' || a.attname, ''), ' '), '')"
        "  FROM pg_class c"
        "  JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'"
        "  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        "             AND c.relkind = 'r'"
        " WHERE c.relkind IN ('r', 'v')"
        "   AND (obj_description(c.oid, 'pg_class') IS NULL OR"
        "        (a.attnum IS NOT NULL AND col_description(c.oid, a.attnum) IS NULL))");

    CU_ASSERT_STRING_EQUAL(missing, "");
}

static void the_database_knows_the_states_of_the_machine(void) {
    const char *check = store_fixture_value(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'job_state_check'");
    const char *forget = strstr(sql_query_task_claim.text, "OR (j.state IN"), *found;
    char known[4096], name[64];

    snprintf(known, sizeof(known), "%s", check);
    CU_ASSERT_PTR_NOT_NULL_FATAL(forget);
    for (int i = 0; i < JOB_STATE_COUNT; i++) {
        enum job_state state = (enum job_state)i;

        snprintf(name, sizeof(name), "'%s'", job_state_name(state));
        CU_ASSERT_PTR_NOT_NULL(strstr(known, name));
        /* A worker claims the tasks of exactly the active ones, and of those that have ended when
         * their last key is to go. */
        found = strstr(sql_query_task_claim.text, name);
        CU_ASSERT_EQUAL(found != NULL && found < forget, job_state_is_active(state));
    }
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(an_empty_database_is_no_store),
    CUNIT_TEST(no_server_is_an_error_that_a_retry_may_cure),
    CUNIT_TEST(of_four_runners_at_once_one_does_the_work),
    CUNIT_TEST(a_migration_that_changed_afterwards_is_refused),
    CUNIT_TEST(a_database_of_a_newer_program_is_refused),
    CUNIT_TEST(every_statement_is_prepared_and_says_what_it_is_for),
    CUNIT_TEST(every_table_and_column_has_a_comment),
    CUNIT_TEST(the_database_knows_the_states_of_the_machine),
};
STORE_FIXTURE_MAIN("store_migrate", false, tests)
