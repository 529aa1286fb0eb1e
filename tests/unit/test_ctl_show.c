#include <stdio.h>
#include <string.h>

#include "services/ctl/api_client.h"
#include "services/ctl/ctl_precheck.h"
#include "services/ctl/ctl_show.h"
#include "tests/support/cunit_run.h"

typedef bool screen(const json_t *value, struct buf *out, struct err *err);

/* What a screen makes of `text`; borrowed until the next call. */
static const char *shown(screen *show, const char *text) {
    static char kept[4096];
    struct buf out = BUF_INIT(sizeof(kept) - 1);
    struct err err = ERR_INIT;
    json_t *value = json_loads(text, 0, NULL);

    CU_ASSERT_PTR_NOT_NULL_FATAL(value);
    CU_ASSERT_TRUE(show(value, &out, &err));
    snprintf(kept, sizeof(kept), STR_FMT, STR_ARG(buf_str(&out)));
    json_decref(value);
    buf_done(&out);
    return kept;
}

static void the_live_line_is_the_bar_while_it_copies(void) {
    CU_ASSERT_STRING_EQUAL(
        shown(ctl_show_live,
              "{\"state\":\"running\",\"phase\":\"full\",\"progress\":{\"full\":{\"keys_done\":"
              "891204,"
              "\"keys_total\":1204331,\"bytes_done\":1600000000,\"bytes_total\":2100000000,"
              "\"percent\":74.0,\"eta_seconds\":5}},\"rates\":{\"keys_per_second\":598000}}"),
        "copy    ██████████████░░░░░░  74 %   891 k / 1.20 M keys   1.60 GB / 2.10 GB   598 k "
        "keys/s"
        "   5.0 s left");
}

static void the_live_line_is_the_lag_while_it_follows(void) {
    CU_ASSERT_STRING_EQUAL(
        shown(ctl_show_live,
              "{\"state\":\"running\",\"phase\":\"incremental\",\"latency\":{\"ms\":2,\"quality\":"
              "\"measured\",\"lag_bytes\":0},\"rates\":{\"commands_per_second\":4100},"
              "\"safe_for\":{\"seconds\":21600,\"limited_by\":\"spool\"}}"),
        "follow  lag 2 ms (measured)   4.10 k commands/s   behind 0 B   safe for 6 h (spool)");
}

/* null and absent are the same: nothing is known yet. */
static void what_is_not_known_is_not_shown(void) {
    const char *line =
        shown(ctl_show_live, "{\"state\":\"running\",\"phase\":\"full\",\"progress\":"
                             "{\"full\":{\"keys_total\":null,\"eta_seconds\":null}}}");

    CU_ASSERT_PTR_NULL(strstr(line, "/ "));
    CU_ASSERT_PTR_NULL(strstr(line, "left"));
    line = shown(ctl_show_live, "{\"state\":\"running\",\"phase\":\"incremental\",\"latency\":"
                                "{\"ms\":null},\"safe_for\":{\"seconds\":null}}");
    CU_ASSERT_PTR_NULL(strstr(line, "safe"));
    CU_ASSERT_PTR_NOT_NULL(strstr(line, "not measured"));
    CU_ASSERT_STRING_EQUAL(shown(ctl_show_live, "{}"), "");
}

static void a_drain_that_waits_says_how_not_to_wait(void) {
    const char *line = shown(ctl_show_live, "{\"state\":\"stopping\",\"retry_state\":"
                                            "{\"attempt\":2},\"last_error\":{\"code\":\"x\","
                                            "\"detail\":\"it is away\"}}");

    CU_ASSERT_PTR_NOT_NULL(strstr(line, "it is away"));
    CU_ASSERT_PTR_NOT_NULL(strstr(line, "--no-drain"));
}

static void trouble_is_told_with_its_choices(void) {
    const char *text = shown(
        ctl_show_trouble,
        "{\"id\":\"job_1\",\"state\":\"blocked\",\"attention\":{\"code\":\"needs_recopy\","
        "\"detail\":\"The "
        "source "
        "restarted.\",\"if_you_wait\":\"nothing gets worse\",\"choices\":[{\"action\":\"resume\","
        "\"body\":{\"on_full_resync_needed\":\"overwrite\"},"
        "\"consequence\":\"copies "
        "again\"},{\"action\":\"resume\",\"body\":{},\"consequence\":\"tries\"},"
        "{\"action\":\"patch\",\"body\":{\"a\":{\"b\":\"c\"}},\"consequence\":\"changes\"},"
        "{\"action\":\"stop\",\"body\":{\"drain\":false},\"consequence\":\"ends\"}]},"
        "\"last_error\":{\"code\":\"x\"}}");

    CU_ASSERT_STRING_EQUAL(text, "blocked: needs_recopy\n  The source restarted.\n  if you wait: "
                                 "nothing gets worse\n"
                                 "  keyferry job resume job_1 --on-full-resync-needed overwrite\n"
                                 "      copies again\n"
                                 "  keyferry job resume job_1\n      tries\n"
                                 "  PATCH /v1/jobs/job_1 {\"a\":{\"b\":\"c\"}}\n      changes\n"
                                 "  keyferry job stop job_1 --no-drain\n      ends\n");
    CU_ASSERT_STRING_EQUAL(shown(ctl_show_trouble, "{\"attention\":null,\"last_error\":null}"), "");
    /* A job that failed asks nothing; how it goes on is told all the same. */
    CU_ASSERT_STRING_EQUAL(
        shown(ctl_show_trouble,
              "{\"id\":\"job_1\",\"state\":\"failed\",\"attention\":null,\"allowed_actions\":["
              "\"resume\","
              "\"stop\"],\"last_error\":{\"code\":\"destination_oom\",\"detail\":\"full\"}}"),
        "failed: destination_oom\n  full\n"
        "  keyferry job resume job_1\n      When the cause is put right: goes on where it stands.\n"
        "  keyferry job stop job_1\n      Ends the migration; held expiries are made right.\n");
    /* What is over is not told as if it were so now. */
    CU_ASSERT_STRING_EQUAL(
        shown(ctl_show_trouble,
              "{\"state\":\"running\",\"attention\":null,\"last_error\":{\"code\":"
              "\"position_missing\",\"at\":\"then\"}}"),
        "earlier      position_missing, then\n");
}

/* A server chooses what its errors say; it may not move the cursor. */
static void text_of_servers_cannot_steer_the_terminal(void) {
    const char *text =
        shown(ctl_show_trouble, "{\"state\":\"failed\",\"last_error\":{\"code\":"
                                "\"source_auth_failed\",\"detail\":\"\\u001b[2J\"}}");

    CU_ASSERT_PTR_NULL(strchr(text, '\x1b'));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\\x1b[2J"));
}

static void a_precheck_shows_what_did_not_pass_first(void) {
    const char *text = shown(
        ctl_show_precheck,
        "{\"facts\":{\"source\":{\"label\":\"10.0.1.5:6379\",\"product\":\"redis\",\"version\":"
        "\"7.0.15\",\"topology\":\"standalone\",\"keys\":1204331,\"databases\":[{},{},{}],"
        "\"used_memory_bytes\":2100000000,\"writes_per_second\":4100},\"destination\":{\"label\":"
        "\"10.0.2.9:6379\",\"product\":\"valkey\",\"version\":\"8.1.1\",\"topology\":"
        "\"standalone\","
        "\"keys\":0,\"used_memory_bytes\":1000000,\"maxmemory_bytes\":12001000000},"
        "\"probe_keys\":3},\"started_at\":\"2026-11-20T09:10:11.900Z\",\"finished_at\":"
        "\"2026-11-20T09:10:13.200Z\",\"counts\":{\"pass\":55,\"warn\":2,\"fail\":1,"
        "\"skipped\":4},\"items\":[{\"id\":\"a.pass\",\"result\":\"pass\",\"message\":\"fine\"},"
        "{\"id\":\"src.backlog\",\"result\":\"warn\",\"message\":\"small\",\"remedy\":\"CONFIG SET "
        "x\"},{\"id\":\"dst.permission\",\"result\":\"fail\",\"message\":\"lacks "
        "RESTORE\",\"remedy\":\"ACL "
        "SETUSER\"},{\"id\":\"src.scripts\",\"severity\":\"info\",\"result\":\"warn\","
        "\"message\":\"runs again\"}],\"plan\":{\"method\":\"psync\",\"duration_seconds\":21,"
        "\"spool_bytes\":2300000000,\"write_pause_ms\":null,\"source_forks\":1}}");

    CU_ASSERT_STRING_EQUAL(
        text,
        "Source       10.0.1.5:6379   Redis 7.0.15   standalone   3 databases   1,204,331 keys   "
        "2.10 GB   4.10 k writes/s\n"
        "Destination  10.0.2.9:6379   Valkey 8.1.1   standalone   empty   12.0 GB free\n\n"
        "  pass  55    warn  1    fail  1    skipped  4      1.3 s   wrote 3 probe keys, "
        "removed\n\n"
        "FAIL  dst.permission     lacks RESTORE\n      fix   ACL SETUSER\n"
        "WARN  src.backlog        small\n      fix   CONFIG SET x\n"
        "NOTE  src.scripts        runs again\n\n"
        "Plan  psync \u00b7 about 21 s \u00b7 spool 2.30 GB \u00b7 source forks once\n");
}

static void a_problem_becomes_an_error_of_its_code(void) {
    json_t *document =
        json_loads("{\"code\":\"validation_failed\",\"detail\":\"2 fields\",\"errors\":["
                   "{\"pointer\":\"/source/url\",\"detail\":\"is no URL\"}]}",
                   0, NULL);
    struct err err = ERR_INIT;

    CU_ASSERT_FALSE(api_client_problem(document, 422, &err));
    CU_ASSERT_EQUAL(err.code, ERR_VALIDATION);
    CU_ASSERT_STRING_EQUAL(err.frame[0], "/source/url: is no URL");
    json_decref(document);

    /* A proxy's page instead of ours. */
    CU_ASSERT_FALSE(api_client_problem(NULL, 503, &err));
    CU_ASSERT_TRUE(api_client_may_pass(&err));
    CU_ASSERT_FALSE(api_client_problem(NULL, 401, &err));
    CU_ASSERT_EQUAL(err.code, ERR_UNAUTHORIZED);
}

static void databases_are_a_number_or_a_pair(void) {
    static const struct {
        const char *text;
        int source, destination; /* -1 = refused */
    } rows[] = {{"3", 3, 3},   {"3:0", 3, 0},    {"0:255", 0, 255}, {"256", -1, 0}, {"3:", -1, 0},
                {":3", -1, 0}, {"3:4:5", -1, 0}, {"", -1, 0},       {"x", -1, 0},   {"-1", -1, 0}};

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct err err = ERR_INIT;
        int source = -1, destination = 0;

        CU_ASSERT_EQUAL(ctl_precheck_database(rows[i].text, &source, &destination, &err),
                        rows[i].source >= 0);
        CU_ASSERT_EQUAL(source, rows[i].source);
        CU_ASSERT_EQUAL(destination, rows[i].destination);
    }
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(the_live_line_is_the_bar_while_it_copies),
    CUNIT_TEST(the_live_line_is_the_lag_while_it_follows),
    CUNIT_TEST(what_is_not_known_is_not_shown),
    CUNIT_TEST(a_drain_that_waits_says_how_not_to_wait),
    CUNIT_TEST(trouble_is_told_with_its_choices),
    CUNIT_TEST(text_of_servers_cannot_steer_the_terminal),
    CUNIT_TEST(a_precheck_shows_what_did_not_pass_first),
    CUNIT_TEST(a_problem_becomes_an_error_of_its_code),
    CUNIT_TEST(databases_are_a_number_or_a_pair),
};
CUNIT_MAIN("ctl_show", tests)
