/* The pages that tables hold: every row is there. */
#include <stdio.h>
#include <string.h>

#include "services/precheck/check.h"
#include "services/redis/acl_line.h"
#include "tests/support/cunit_run.h"
#include "web-api/docs_page.h"

enum { PAGE_MAX = 1024 * 1024 };

static void holds_cell(const struct buf *page, const char *text) {
    char cell[200];

    snprintf(cell, sizeof(cell), "\n| `%s` | ", text);
    if (!memmem(page->ptr, page->len, cell, strlen(cell)))
        printf("\nno row for %s", text);
    CU_ASSERT_PTR_NOT_NULL(memmem(page->ptr, page->len, cell, strlen(cell)));
}

static void the_page_of_checks_has_every_check(void) {
    struct buf page = BUF_INIT(PAGE_MAX);
    struct err err = ERR_INIT;
    size_t count;
    const struct check_info *rows = check_catalogue(&count);

    CU_ASSERT_TRUE_FATAL(docs_page_checks(&page, &err));
    for (size_t i = 0; i < count; i++)
        holds_cell(&page, rows[i].id);
    buf_done(&page);
}

static void the_page_of_problems_has_every_code(void) {
    struct buf page = BUF_INIT(PAGE_MAX);
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE_FATAL(docs_page_problems(&page, &err));
    for (int code = ERR_NONE + 1; code < ERR_COUNT; code++)
        holds_cell(&page, err_slug((enum err_code)code));
    buf_done(&page);
}

static void the_page_of_accounts_has_every_rule_of_the_newest_servers(void) {
    struct buf page = BUF_INIT(PAGE_MAX);
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE_FATAL(docs_page_acl(&page, &err));
    for (size_t i = 0; i < acl_rule_count; i++)
        if (acl_line_has(&acl_rules[i], ACL_DESTINATION, ACL_PSYNC, 0))
            holds_cell(&page, acl_rules[i].rule);
    buf_done(&page);
}

static void an_account_gets_the_rules_of_its_version(void) {
    struct buf old = BUF_INIT(4096), new = BUF_INIT(4096);
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE_FATAL(acl_line_format("u", ACL_SOURCE, ACL_PSYNC, 60016, &old, &err));
    CU_ASSERT_TRUE_FATAL(acl_line_format("u", ACL_SOURCE, ACL_PSYNC, 70015, &new, &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(old.ptr, " +multi"));
    CU_ASSERT_PTR_NOT_NULL(strstr(old.ptr, " ~*"));
    CU_ASSERT_PTR_NULL(strstr(old.ptr, "%R~*"));
    CU_ASSERT_PTR_NULL(strstr(new.ptr, " +multi"));
    CU_ASSERT_PTR_NULL(strstr(new.ptr, " ~* "));
    CU_ASSERT_PTR_NOT_NULL(strstr(new.ptr, " %R~*"));
    buf_done(&old);
    buf_done(&new);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(the_page_of_checks_has_every_check),
    CUNIT_TEST(the_page_of_problems_has_every_code),
    CUNIT_TEST(the_page_of_accounts_has_every_rule_of_the_newest_servers),
    CUNIT_TEST(an_account_gets_the_rules_of_its_version),
};
CUNIT_MAIN("docs", tests)
