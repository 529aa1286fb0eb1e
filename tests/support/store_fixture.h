/* store_fixture.h - a database of its own for each store test.
 *
 * The server is named by KF_TEST_DATABASE_URL (tests/support/with_postgres starts one and
 * sets it). Without it the tests fail: a store test that did not run is no success.
 */
#pragma once

#include <libpq-fe.h>

#include "services/job/job_spec.h"
#include "sql/store.h"

/* Make an empty database, migrated when `migrated`. False, with a message: the test ends with 1. */
bool store_fixture_begin(bool migrated);
void store_fixture_end(void);

/* Its URL. */
const char *store_fixture_url(void);

/* The store of this process; opened at the first call, opened anew after a fork. Fails the test
 * when it cannot be. */
struct store *store_fixture(void);

/* Run SQL past the store; fails the test when it fails. */
void store_fixture_sql(const char *text);

/* The first column of the first row of SQL, "" when there is none; valid until the next call. */
const char *store_fixture_value(const char *text);

/* Fork `count` processes that run `body` with their number at the same time; returns how many of
 * them returned true. */
int store_fixture_race(int count, bool (*body)(int number));

/* The same for bodies that do not want the store opened. */
int store_fixture_race_bare(int count, bool (*body)(int number));

/* An account of its own. */
void store_fixture_account(char ret_id[STORE_ID_SIZE]);

/* A specification towards destination port `port`, databases 0..databases-1 (0 = all). */
void store_fixture_spec(int port, int databases, struct job_spec *ret_spec);

/* A new job in `configured`. */
void store_fixture_job(const char *account, int port, char ret_id[STORE_ID_SIZE]);

/* The same, put into a state by SQL, with its task. */
void store_fixture_job_in(const char *account, const char *state, char ret_id[STORE_ID_SIZE]);

/* The main() of a store test. */
#define STORE_FIXTURE_MAIN(suite, migrated, tests)                                                 \
    int main(void) {                                                                               \
        int failed;                                                                                \
        if (!store_fixture_begin(migrated))                                                        \
            return 1;                                                                              \
        failed = cunit_run(suite, tests, (unsigned)LENGTH_OF(tests));                              \
        store_fixture_end();                                                                       \
        return failed;                                                                             \
    }
