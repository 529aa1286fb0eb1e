/* docs_page.h - the pages of documentation that tables hold already. Pure.
 *
 * The build writes them below docs/ of its folder, so they are always those of the program.
 */
#pragma once

#include "proto/base/buf.h"
#include "proto/base/err.h"

/* checks.md: every check, from check_catalogue.def. Errors: TOO_BIG (of out). */
MUST_CHECK bool docs_page_checks(struct buf *out, struct err *err);

/* problems.md: every problem code, from err_codes.def. */
MUST_CHECK bool docs_page_problems(struct buf *out, struct err *err);

/* acl.md: the rights an account needs, from acl_rules.def. */
MUST_CHECK bool docs_page_acl(struct buf *out, struct err *err);
