/* What a selection by prefixes makes of commands with keys on both sides. */
#include <stdio.h>

#include "proto/command/command_border.h"
#include "proto/resp/resp_write.h"
#include "tests/support/cunit_run.h"

static struct resp_command command, part;
static const struct str included[] = {{"in:", 3}}, excluded[] = {{"in:not:", 7}};
static const struct command_prefixes prefixes = {included, excluded, 1, 1};

/* Keys "in:…" but not "in:not:…" of this database; of the other one everything. */
static const struct command_keeper keeper = {
    .here = true,
    .there = true,
    .prefixes_here = &prefixes,
    .never = {{"{kf}:", 5}, {"BEAT", 4}},
};

static void make(const char *words) {
    static struct buf bytes = {.max = 1 << 16};
    struct str rest = str_from(words), word, argv[200];
    struct resp_scan scan = RESP_SCAN_INIT;
    struct err err = ERR_INIT;
    size_t argc = 0;

    while (argc < LENGTH_OF(argv) && str_cut(&rest, ' ', &word))
        argv[argc++] = word;
    buf_clear(&bytes);
    CU_ASSERT_TRUE_FATAL(resp_put_command(&bytes, argc, argv, &err));
    CU_ASSERT_EQUAL_FATAL(resp_command_scan(&scan, buf_str(&bytes), &command, &err), RESP_GOT);
}

/* "" = left out, "=" = as it is, "!" = refused, else what it becomes. */
static void becomes(const struct command_keeper *k, const char *words, const char *expected) {
    struct buf out = BUF_INIT(1 << 16);
    struct command_decision d;
    struct resp_scan scan = RESP_SCAN_INIT;
    struct err err = ERR_INIT;
    char text[4096] = "";

    make(words);
    CU_ASSERT_TRUE_FATAL(command_decide(&command, &d, &err));
    switch (command_border_share(&command, &d, k)) {
    case COMMAND_SHARE_ALL:
        strcpy(text, "=");
        break;
    case COMMAND_SHARE_NONE:
        break;
    case COMMAND_SHARE_SOME:
        if (!command_border_rewrite(&command, &d, k, &out, &err)) {
            CU_ASSERT_EQUAL(err.code, ERR_SELECTION_CROSSED);
            CU_ASSERT_EQUAL(out.len, 0);
            strcpy(text, "!");
            break;
        }
        CU_ASSERT_EQUAL_FATAL(resp_command_scan(&scan, buf_str(&out), &part, &err), RESP_GOT);
        CU_ASSERT_EQUAL(part.raw.len, out.len);
        for (uint32_t i = 0; i < part.argc; i++)
            snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s" STR_FMT, i ? " " : "",
                     STR_ARG(part.argv[i]));
        break;
    }
    if (strcmp(text, expected) != 0)
        printf("\n%s: %s, not %s", words, text, expected);
    CU_ASSERT_STRING_EQUAL(text, expected);
    buf_done(&out);
}

static void check(const char *words, const char *expected) {
    becomes(&keeper, words, expected);
}

static void one_key_is_in_or_out(void) {
    check("SET in:a 1", "=");
    check("SET out 1", "");
    check("SET in:not:a 1", "");
    check("SET {kf}:job:0 1", "");
    check("XGROUP CREATE in:s g $", "=");
    check("XGROUP CREATE s g $", "");
}

static void keys_that_stand_for_themselves_are_split(void) {
    check("DEL in:a b in:c in:not:d", "DEL in:a in:c");
    check("unlink x in:a", "unlink in:a");
    check("MSET in:a 1 b 2 in:c 3", "MSET in:a 1 in:c 3");
    check("MSETNX b 2 in:c 3", "MSETNX in:c 3");
    check("MSETEX 3 in:a 1 b 2 in:c 3 PXAT 5", "MSETEX 2 in:a 1 in:c 3 PXAT 5");
    check("JSON.MSET in:a p 1 b p 2", "JSON.MSET in:a p 1");
    check("TS.MADD b 1 1 in:a 1 2", "TS.MADD in:a 1 2");
    check("DEL in:a in:b", "=");
    check("DEL a b", "");
}

static void what_leaves_the_selection_is_removed(void) {
    check("RENAME in:a b", "DEL in:a");
    check("RENAMENX in:a in:not:b", "DEL in:a");
    check("RPOPLPUSH in:a b", "RPOP in:a");
    check("BRPOPLPUSH in:a b 0", "RPOP in:a");
    check("LMOVE in:a b LEFT RIGHT", "LPOP in:a");
    check("LMOVE in:a b right left", "RPOP in:a");
    check("SMOVE in:a b member", "SREM in:a member");
    check("SMOVE b in:a member", "SADD in:a member");
    check("COPY in:a b", "");
}

static void what_enters_it_unseen_is_refused(void) {
    check("RENAME a in:b", "!");
    check("RENAMENX a in:b", "!");
    check("COPY a in:b REPLACE", "!");
    check("RPOPLPUSH a in:b", "!");
    check("LMOVE a in:b LEFT LEFT", "!");
    check("LMOVEM in:a b LEFT LEFT COUNT 2", "!");
}

static void what_is_computed_from_other_keys(void) {
    check("SUNIONSTORE in:d in:a in:b", "=");
    check("SUNIONSTORE in:d in:a b", "!");
    check("SUNIONSTORE d in:a in:b", "");
    check("ZUNIONSTORE in:d 2 in:a b WEIGHTS 1 2", "!");
    check("ZUNIONSTORE d 2 in:a b", "");
    check("BITOP AND in:d in:a b", "!");
    check("PFMERGE in:d b", "!");
    check("ZRANGESTORE d in:a 0 -1", "");
    check("GEOSEARCHSTORE in:d a FROMLONLAT 1 2 BYRADIUS 3 km", "!");
    check("GEORADIUS in:g 1 2 3 km STORE d", "");
    check("GEORADIUS g 1 2 3 km STORE in:d", "!");
    check("SORT in:l STORE in:d", "=");
    check("SORT l STORE in:d", "!");
    check("SORT in:l STORE d", "");
    check("SORT in:l BY w_* STORE in:d", "!");
    check("SORT in:l BY in:w_* GET # STORE in:d", "=");
    check("SORT in:l BY in:* STORE in:d", "!"); /* some of them are excluded */
    check("SORT in:l BY nosort STORE in:d", "=");
}

static void code_is_taken_whole_or_not_at_all(void) {
    check("EVAL s 2 in:a in:b x", "=");
    check("EVAL s 1 a", "");
    check("EVAL s 2 in:a b", "!");
    check("EVAL s 0", "!");
    check("SCRIPT LOAD s", "=");
}

/* There is no database to run it in: a wrong one would be the alternative. */
static void what_has_no_keys_is_left_out_with_its_database(void) {
    struct command_keeper elsewhere = keeper;

    elsewhere.here = false;
    becomes(&elsewhere, "EVAL s 0", "");
    becomes(&elsewhere, "DEL", "");
    becomes(&elsewhere, "SORT", "");
    elsewhere.prefixes_here = NULL;
    becomes(&elsewhere, "EVAL s 0 x", "");
    becomes(&elsewhere, "EVALSHA ffffffffffffffffffffffffffffffffffffffff 0", "");
}

static void without_prefixes_only_keys_of_keyferry_are_left_out(void) {
    struct command_keeper all = keeper;

    all.prefixes_here = NULL;
    becomes(&all, "DEL a {kf}:x BEAT:1 b", "DEL a b");
    becomes(&all, "EVAL s 0", "=");
    becomes(&all, "SORT l BY w_* STORE d", "=");
    becomes(&all, "SUNIONSTORE d a {kf}:x", "!");
}

static void two_databases_have_two_selections(void) {
    struct command_keeper apart = keeper;

    check("MOVE in:a 3", "=");
    check("MOVE a 3", "!");
    check("COPY in:a b DB 3", "=");
    check("COPY a b DB 3", "!");
    apart.there = false;
    becomes(&apart, "MOVE in:a 3", "DEL in:a");
    becomes(&apart, "MOVE a 3", "");
    becomes(&apart, "COPY in:a b DB 3", "");
    apart.here = false;
    apart.there = true;
    becomes(&apart, "MOVE in:a 3", "!");
    becomes(&apart, "COPY in:a b DB 3", "!");
    becomes(&apart, "SET in:a 1", "");
    becomes(&apart, "DEL in:a in:b", "");
}

static void keys_beyond_argv_are_split_too(void) {
    char words[4096] = "DEL";

    for (int i = 0; i < 150; i++) {
        snprintf(words + strlen(words), sizeof(words) - strlen(words), " %sk%d", i % 2 ? "in:" : "",
                 i);
    }
    make(words);
    struct command_decision d;
    struct buf out = BUF_INIT(1 << 16);
    struct resp_scan scan = RESP_SCAN_INIT;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE_FATAL(command_decide(&command, &d, &err));
    CU_ASSERT_TRUE_FATAL(command_border_rewrite(&command, &d, &keeper, &out, &err));
    CU_ASSERT_EQUAL_FATAL(resp_command_scan(&scan, buf_str(&out), &part, &err), RESP_GOT);
    CU_ASSERT_EQUAL(part.argc, 76);
    buf_done(&out);
}

static void a_prefix_may_be_any_bytes(void) {
    static const struct str binary[] = {{"\0\xff", 2}};
    const struct command_prefixes p = {.include = binary, .include_count = 1};

    CU_ASSERT_TRUE(command_prefixes_take(&p, str_of("\0\xff\0", 3)));
    CU_ASSERT_FALSE(command_prefixes_take(&p, str_of("\0", 1)));
    CU_ASSERT_FALSE(command_prefixes_take(&p, STR_EMPTY));
    CU_ASSERT_TRUE(command_prefixes_take(NULL, STR_EMPTY));
}

/* Every row with more than one place for keys has a rule for the border: but for pops that a
 * source never sends like that, and what is between two series, which are refused there. */
static void every_command_of_several_keys_has_a_rule(void) {
    for (int id = COMMAND_NONE + 1; id < COMMAND_COUNT; id++) {
        const struct command_row *row = command_row((enum command_id)id);
        bool several = (row->first > 0 && row->last != row->first) ||
                       (row->numkeys > 0 && row->fate != COMMAND_FATE_SCRIPT);

        if (row->fate == COMMAND_FATE_REFUSE || row->fate == COMMAND_FATE_CONTAINER)
            continue;
        if (str_starts_with(str_from(row->name), STR_LIT("ts.")) || row->id == COMMAND_LMPOP ||
            row->id == COMMAND_ZMPOP)
            continue;
        if (several && row->border == COMMAND_BORDER_NONE) {
            printf("\n%s", row->name);
            CU_FAIL("keys on both sides, and no rule");
        }
    }
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(one_key_is_in_or_out),
    CUNIT_TEST(keys_that_stand_for_themselves_are_split),
    CUNIT_TEST(what_leaves_the_selection_is_removed),
    CUNIT_TEST(what_enters_it_unseen_is_refused),
    CUNIT_TEST(what_is_computed_from_other_keys),
    CUNIT_TEST(code_is_taken_whole_or_not_at_all),
    CUNIT_TEST(what_has_no_keys_is_left_out_with_its_database),
    CUNIT_TEST(without_prefixes_only_keys_of_keyferry_are_left_out),
    CUNIT_TEST(two_databases_have_two_selections),
    CUNIT_TEST(keys_beyond_argv_are_split_too),
    CUNIT_TEST(a_prefix_may_be_any_bytes),
    CUNIT_TEST(every_command_of_several_keys_has_a_rule),
};

CUNIT_MAIN("command_border", tests)
