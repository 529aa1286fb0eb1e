#include "web-api/docs_page.h"

#include <string.h>

#include "services/precheck/check.h"
#include "services/redis/acl_line.h"

static const char *const severities[] = {
    [CHECK_INFO] = "a remark",
    [CHECK_WARN] = "a warning",
    [CHECK_ERROR] = "a failure",
};

/* What stands in a cell of a table may not end it. */
static bool put_cell(struct buf *out, const char *text, struct err *err) {
    for (const char *c = text; *c; c++) {
        if ((*c == '|' && !buf_append(out, STR_LIT("\\"), err)) ||
            !buf_append(out, str_of(c, 1), err))
            return false;
    }
    return true;
}

static const char *group_of(const char *id) {
    static const char *const titles[][2] = {
        {"src", "Source"},  {"dst", "Destination"},   {"env", "Workers"},
        {"net", "The way"}, {"cfg", "Specification"},
    };

    for (size_t i = 0; i < LENGTH_OF(titles); i++)
        if (strncmp(id, titles[i][0], strlen(titles[i][0])) == 0)
            return titles[i][1];
    return "Others";
}

bool docs_page_checks(struct buf *out, struct err *err) {
    size_t count;
    const struct check_info *rows = check_catalogue(&count);
    const char *group = "";

    if (!buf_printf(
            out, err,
            "# The checks of a precheck\n\n"
            "Made of services/precheck/check_catalogue.def; `GET /v1/checks` says the same. "
            "An item's `doc_url`\nis `" CHECK_DOC_PATH "<id>`. A warning can be accepted "
            "where it says so; a failure never. What an\naccount may not ask skips a check "
            "or makes it a warning.\n"))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(group, group_of(rows[i].id)) != 0) {
            group = group_of(rows[i].id);
            if (!buf_printf(out, err,
                            "\n## %s\n\n| check | | at most | remedy |\n|---|---|---|---|\n",
                            group))
                return false;
        }
        if (!buf_printf(out, err, "| `%s` | %s%s | %s%s | ", rows[i].id, rows[i].title,
                        rows[i].built ? "" : " (not built yet)", severities[rows[i].severity],
                        rows[i].ignorable && rows[i].severity == CHECK_WARN ? ", may be accepted"
                        : rows[i].ignorable && rows[i].severity == CHECK_ERROR
                            ? "; its warning may be accepted"
                            : "") ||
            !put_cell(out, rows[i].remedy, err) || !buf_append(out, STR_LIT(" |\n"), err))
            return false;
    }
    return true;
}

bool docs_page_problems(struct buf *out, struct err *err) {
    static const char *const retries[] = {
        [RETRY_NEVER] = "something must be changed first",
        [RETRY_LATER] = "the same may succeed in a while",
        [RETRY_NOW] = "at once",
    };

    if (!buf_printf(
            out, err,
            "# Problem codes\n\n"
            "Made of proto/base/err_codes.def. The `code` of a problem document, of "
            "`last_error` and of `attention`;\nits `type` is `/problems/<code with dashes>`, "
            "which the API serves.\n\n"
            "| code | status | meaning | again? |\n|---|---|---|---|\n"))
        return false;
    for (int code = ERR_NONE + 1; code < ERR_COUNT; code++) {
        enum err_code one = (enum err_code)code;

        if (!buf_printf(out, err, "| `%s` | %d | ", err_slug(one), err_http(one)) ||
            !put_cell(out, err_title(one), err) ||
            !buf_printf(out, err, " | %s |\n", retries[err_retry_class(one)]))
            return false;
    }
    return true;
}

bool docs_page_acl(struct buf *out, struct err *err) {
    static const struct {
        unsigned role;
        const char *title;
    } roles[] = {
        {ACL_SOURCE, "Source"},
        {ACL_DESTINATION, "Destination"},
        {ACL_SOURCE | ACL_OF_CLUSTER, "Source that is a cluster, on each of its nodes"},
        {ACL_DESTINATION | ACL_OF_CLUSTER, "Destination that is a cluster, on each of its nodes"}};

    if (!buf_printf(out, err,
                    "# The accounts Keyferry needs\n\n"
                    "Made of services/redis/acl_rules.def; `GET /v1/acl` gives the line for a "
                    "version and a way of reading.\nThese are for the newest servers.\n"))
        return false;
    for (size_t r = 0; r < LENGTH_OF(roles); r++) {
        if (!buf_printf(out, err, "\n## %s\n\n```\n", roles[r].title) ||
            !acl_line_format("keyferry", roles[r].role, ACL_PSYNC, 0, out, err) ||
            !buf_printf(out, err, "\n```\n\n| rule | for |\n|---|---|\n"))
            return false;
        for (size_t i = 0; i < acl_rule_count; i++)
            if (acl_line_has(&acl_rules[i], roles[r].role, ACL_PSYNC, 0) &&
                !buf_printf(out, err, "| `%s` | %s |\n", acl_rules[i].rule, acl_rules[i].why))
                return false;
    }
    return true;
}
