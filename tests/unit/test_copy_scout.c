/* What a look ahead in a snapshot costs. */
#include <stdlib.h>
#include <string.h>

#include "services/flow/copy_scout.h"
#include "tests/support/cunit_run.h"
#include "tests/support/rdb_story.h"

static struct copy_scout scout; /* not of the stack's size */

/* Else each record of a database, or of prefixes, that is left out would be the beginning of a walk
 * over all that follow it. */
static void records_that_are_not_selected_are_walked_over_once(void) {
    struct applier *a = calloc(1, sizeof(*a));
    struct buf file = rdb_story_file("REDIS0011", STR_LIT("\xfe\3\0\1a\1b\0\1c\1d\0\1e\1f"));
    struct rdb_parser parser;
    struct rdb_event ev;
    struct err err = ERR_INIT;
    uint64_t walked_to;

    CU_ASSERT_PTR_NOT_NULL_FATAL(a);
    memset(a->spec.database_map, 0xff, sizeof(a->spec.database_map));
    copy_scout_init(&scout);
    scout.is_on = true; /* without a connection: nothing is asked */
    rdb_parser_init(&parser);
    CU_ASSERT_TRUE(copy_scout_look(&scout, a, &parser, buf_str(&file), &err));
    walked_to = scout.walked_to;
    CU_ASSERT_EQUAL(walked_to, file.len);
    while (rdb_parser_next(&parser, str_skip(buf_str(&file), parser.offset), &ev, &err) ==
               RDB_EVENT &&
           ev.kind != RDB_EV_EOF) {
        /* Where it walked again it would come to an end here. */
        CU_ASSERT_TRUE(copy_scout_look(&scout, a, &parser, STR_EMPTY, &err));
        CU_ASSERT_EQUAL(scout.walked_to, walked_to);
    }
    CU_ASSERT_EQUAL(parser.offset, file.len);
    copy_scout_done(&scout);
    buf_done(&file);
    free(a);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(records_that_are_not_selected_are_walked_over_once),
};
CUNIT_MAIN("copy_scout", tests)
