#include <stdio.h>
#include <string.h>

#include "sql/store_job.h"
#include "tests/support/cunit_run.h"
#include "tests/support/store_fixture.h"

enum { STIRRERS = 6, ROUNDS = 25 };

static char mine[STORE_ID_SIZE];

/* What the triggers counted is what there is: of an account, and of all. */
static bool is_right(const char *account) {
    struct err err = ERR_INIT;
    char question[2048];
    json_t *told = NULL, *counted;
    bool is;

    snprintf(question, sizeof(question),
             "SELECT jsonb_build_object('states', coalesce(jsonb_object_agg(state, n), '{}'),"
             "                          'attention', coalesce(sum(waiting), 0))"
             "  FROM (SELECT state, count(*) AS n,"
             "               count(*) FILTER (WHERE attention IS NOT NULL) AS waiting"
             "          FROM job WHERE '%s' IN ('', account) GROUP BY state) s",
             account ? account : "");
    counted = json_loads(store_fixture_value(question), 0, NULL);
    is = store_job_summary(store_fixture(), account, &told, &err) && json_equal(told, counted);
    json_decref(told);
    json_decref(counted);
    return is;
}

static bool stir(int number) {
    struct err err = ERR_INIT;
    char text[512];
    bool ok = true;

    for (int i = 0; i < ROUNDS; i++) {
        if (number == 0) {
            ok = store_sweep(store_fixture(), &err) && ok;
            continue;
        }
        snprintf(
            text, sizeof(text),
            "UPDATE job SET state = (ARRAY['draft', 'paused', 'blocked'])[1 + %d %% 3],"
            "  attention = CASE %d %% 2 WHEN 0 THEN '{\"code\": \"x\"}'::jsonb END"
            " WHERE id = (SELECT id FROM job WHERE account = '%s' ORDER BY id OFFSET %d LIMIT 1)",
            i + number, i / 2 + number, mine, (i + number) % 4);
        store_fixture_sql(text);
    }
    return ok;
}

static void the_counts_are_right_whoever_moves_jobs_and_folds_them(void) {
    char id[STORE_ID_SIZE];

    store_fixture_account(mine);
    CU_ASSERT_TRUE(is_right(mine));
    for (int i = 0; i < 4; i++)
        store_fixture_job(mine, 7000 + i, id);
    CU_ASSERT_TRUE(is_right(mine));
    CU_ASSERT_EQUAL(store_fixture_race(STIRRERS, stir), STIRRERS);
    CU_ASSERT_TRUE(is_right(mine));
    CU_ASSERT_TRUE(is_right(NULL));
}

static void many_rows_become_one_of_each_state_and_none_where_there_is_no_job(void) {
    struct err err = ERR_INIT;

    store_fixture_sql("UPDATE job SET state = 'draft', attention = NULL");
    CU_ASSERT_STRING_EQUAL(store_fixture_value("SELECT count(*) > 1 FROM job_count"), "t");
    CU_ASSERT_TRUE(store_sweep(store_fixture(), &err));
    CU_ASSERT_STRING_EQUAL(
        store_fixture_value("SELECT count(*) = count(DISTINCT account) FROM job_count"), "t");
    CU_ASSERT_TRUE(is_right(mine));
    store_fixture_sql("DELETE FROM job_event; DELETE FROM job");
    CU_ASSERT_TRUE(is_right(mine));
    CU_ASSERT_TRUE(store_sweep(store_fixture(), &err));
    CU_ASSERT_STRING_EQUAL(store_fixture_value("SELECT count(*) FROM job_count"), "0");
}

/* The control: is_right() is not always true. */
static void a_change_that_no_trigger_sees_is_noticed(void) {
    char id[STORE_ID_SIZE];

    store_fixture_job(mine, 7100, id);
    CU_ASSERT_TRUE(is_right(mine));
    store_fixture_sql("ALTER TABLE job DISABLE TRIGGER job_count_moved;"
                      "UPDATE job SET state = 'paused';"
                      "ALTER TABLE job ENABLE TRIGGER job_count_moved");
    CU_ASSERT_FALSE(is_right(mine));
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(the_counts_are_right_whoever_moves_jobs_and_folds_them),
    CUNIT_TEST(many_rows_become_one_of_each_state_and_none_where_there_is_no_job),
    CUNIT_TEST(a_change_that_no_trigger_sees_is_noticed),
};
STORE_FIXTURE_MAIN("job_count", true, tests)
