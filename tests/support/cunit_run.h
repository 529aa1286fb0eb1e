/* cunit_run.h - the main() of a CUnit binary that cannot pass by accident.
 *
 * CU_basic_run_tests() answers success although a test failed, and a suite with
 * no test is no failure to it. Here a failed test, a failed suite initialiser or
 * an empty run ends the program with 1.
 *
 *     static const struct cunit_test tests[] = {
 *         CUNIT_TEST(an_empty_string_is_no_number),
 *     };
 *     CUNIT_MAIN("str", tests)
 */
#pragma once

#include <CUnit/CUnit.h>

#include "proto/base/attrs.h"

struct cunit_test {
    const char *name;
    void (*run)(void);
};

#define CUNIT_TEST(function)                                                                       \
    { #function, function }

int cunit_run(const char *suite, const struct cunit_test *tests, unsigned count);

#define CUNIT_MAIN(suite, tests)                                                                   \
    int main(void) {                                                                               \
        return cunit_run(suite, tests, (unsigned)LENGTH_OF(tests));                                \
    }
