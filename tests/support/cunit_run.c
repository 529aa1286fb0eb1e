#include "tests/support/cunit_run.h"

#include <CUnit/Basic.h>
#include <stdio.h>

int cunit_run(const char *suite_name, const struct cunit_test *tests, unsigned count) {
    CU_pSuite suite;
    unsigned failed;

    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    suite = CU_add_suite(suite_name, NULL, NULL);
    for (unsigned i = 0; suite && i < count; i++) {
        if (!CU_add_test(suite, tests[i].name, tests[i].run)) {
            fprintf(stderr, "%s: cannot add %s\n", suite_name, tests[i].name);
            return 1;
        }
    }
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    failed = CU_get_number_of_tests_failed() + CU_get_number_of_suites_failed() +
             CU_get_number_of_failures();
    if (CU_get_number_of_tests_run() == 0) {
        fprintf(stderr, "%s: no test ran\n", suite_name);
        failed = 1;
    }
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
