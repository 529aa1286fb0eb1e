/* test_reports.c - what a thousand jobs cost the control database, with the very functions of the
 * worker and the alerter; and how many rows the charts of a job come to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "services/alert/alerter.h"
#include "services/common/clock.h"
#include "services/common/log.h"
#include "services/worker/task_order.h"
#include "services/worker/worker_series.h"
#include "services/worker/worker_task.h"
#include "services/worker/worker_task_login.h"
#include "sql/store_job.h"
#include "sql/store_series.h"
#include "tests/support/cunit_run.h"
#include "tests/support/store_fixture.h"

enum {
    JOBS = 1000,
    ROUNDS = 5,
    COMMITS_MAX = 200,
    TELLS = 20,
    LOOKS = 60, /* at most: a busy machine may need more than a second for one, but not always */
    CALM_MS = 1000,
    FDS_PER_TASK = 3,
    NAP_MS = 1100
};

static struct worker_identity identity = {.id = "worker_1", .lock_fd = -1};
static struct config config;
static struct worker worker;
static struct worker_task *tasks[JOBS];
static char account[STORE_ID_SIZE];

static void make_jobs(char ids[JOBS][STORE_ID_SIZE]) {
    char sql[900];

    store_fixture_account(account);
    for (int n = 0; n < JOBS; n++)
        store_fixture_job(account, 20000 + n, ids[n]);
    snprintf(sql, sizeof(sql),
             "UPDATE job SET state = 'running'; INSERT INTO task (job, number, lease_owner,"
             " lease_epoch, lease_until) SELECT id, 0, '%s', 1, now() + interval '1 hour' FROM job;"
             "INSERT INTO job_event (job, number, type, state, sentence)"
             " SELECT id, 9, 'caught_up', 'running', 'x' FROM job",
             identity.id);
    store_fixture_sql(sql);
}

static void make_task(int n, const char *job_id) {
    const struct task_order order = {
        .job = job_id, .lease = 1, .spool_dir = "/nonexistent", .spool_quota_bytes = 1 << 30};
    struct store_progress progress = {.phase = "incremental", .spool_quota_bytes = 1 << 30};
    struct worker_task *task = calloc(1, sizeof(*task));
    struct store_job job = STORE_JOB_INIT;
    json_t *message = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE_FATAL(store_job_get(store_fixture(), NULL, job_id, &job, &err));
    CU_ASSERT_TRUE_FATAL(task_order_make(&order, job.spec, &message, &err));
    CU_ASSERT_TRUE_FATAL(
        task_run_new(message, &progress, &(struct retry_policy){0}, -1, &task->run, &err));
    json_decref(message);
    task->state = JOB_RUNNING;
    task->is_state_known = true;
    task->version = job.version;
    task->spec = json_incref(job.spec);
    task->sealed = BUF_INIT(STORE_SEALED_MAX);
    worker_task_login_init(task);
    store_job_done(&job);
    tasks[n] = task;
}

static void begin(void) {
    char ids[JOBS][STORE_ID_SIZE];
    struct rlimit files;

    if (tasks[0])
        return;
    getrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < JOBS * FDS_PER_TASK + 100) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    CU_ASSERT_FATAL(files.rlim_cur >= JOBS * FDS_PER_TASK + 100);
    config_init(&config);
    worker = (struct worker){.store = store_fixture(), .config = &config, .identity = &identity};
    make_jobs(ids);
    for (int n = 0; n < JOBS; n++)
        make_task(n, ids[n]);
}

/* What a second brings: every number of a tail moves. */
static void live(int second) {
    for (int n = 0; n < JOBS; n++) {
        struct control_block *block = tasks[n]->run->control;
        uint64_t now_ms = (uint64_t)clock_wall_ms();

        atomic_store(&block->phase, CONTROL_INCREMENTAL);
        atomic_store(&block->link, CONTROL_LINK_STREAM);
        atomic_store(&block->source_offset, 1000000 + (uint64_t)(second * 5000 + n));
        atomic_store(&block->stream_end, 1000000 + (uint64_t)(second * 5000 + n));
        atomic_store(&block->applied_offset, 1000000 + (uint64_t)(second * 5000 + n));
        atomic_store(&block->heartbeat_state, 1);
        atomic_store(&block->heartbeat_written_at_ms, now_ms - 3);
        atomic_store(&block->latency_us, 3000);
        atomic_store(&block->latency_at_ms, now_ms);
        atomic_store(&block->spool_bytes, 5000000);
        atomic_store(&block->destination_memory_bytes, 50000000);
        atomic_fetch_add(&block->commands_applied, 50);
        for (int id = 1; id < 12; id++)
            atomic_fetch_add(&block->by_command[id][0], 5);
    }
}

static void nap(int ms) {
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

    nanosleep(&t, NULL);
}

/* A backend tells its counts when it has done something a second after the last time, unless
 * another is just telling its own. Reads until there are at least so many, or it was asked often.
 */
static long commits(long least) {
    struct err err = ERR_INIT;
    long found = 0;

    for (int i = 0; i < TELLS && (i == 0 || found < least); i++) {
        nap(NAP_MS);
        CU_ASSERT_TRUE(store_ping(store_fixture(), &err));
        nap(NAP_MS / 5);
        found = atol(store_fixture_value(
            "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"));
    }
    return found;
}

static void reports_of_a_thousand_jobs_are_a_few_transactions_a_second(void) {
    struct err err = ERR_INIT;
    int64_t took_ms, slowest_ms = 0, quickest_ms = INT64_MAX;
    long before, after;

    begin();
    live(0);
    CU_ASSERT_TRUE_FATAL(worker_task_report(&worker, tasks, JOBS, &err));
    before = commits(0);
    for (int round = 1; round <= ROUNDS; round++) {
        int64_t begun_ms = clock_mono_ms();

        live(round);
        /* A turn of the charts in each, and all counts in one of them. */
        worker.series.due_ms = 0;
        for (int n = 0; round == ROUNDS && n < JOBS; n++)
            tasks[n]->counted_ms -= 3600000;
        CU_ASSERT_TRUE_FATAL(worker_task_report(&worker, tasks, JOBS, &err));
        took_ms = clock_mono_ms() - begun_ms;
        slowest_ms = took_ms > slowest_ms ? took_ms : slowest_ms;
        quickest_ms = took_ms < quickest_ms ? took_ms : quickest_ms;
    }
    CU_ASSERT_TRUE_FATAL(worker_series_write(&worker, tasks, JOBS, true, &err));
    after = commits(before + ROUNDS);
    printf("\n    %d reports of %d jobs: %ld transactions, %lld to %lld ms each\n", ROUNDS, JOBS,
           after - before, (long long)quickest_ms, (long long)slowest_ms);
    /* Of ROUNDS seconds, with all that is due every ten and every thirty of them, and with what
     * PostgreSQL's own housekeeping commits meanwhile. One for each job would be JOBS * ROUNDS. */
    CU_ASSERT(after - before >= ROUNDS);
    CU_ASSERT(after - before <= COMMITS_MAX);
    CU_ASSERT_STRING_EQUAL(
        store_fixture_value("SELECT count(*) FROM task t JOIN heartbeat b ON b.job = t.job"
                            " WHERE t.progress ->> 'commands_applied' = '300'"
                            " AND b.latency_us = 3000 AND b.written_at IS NOT NULL"),
        "1000");
    CU_ASSERT_STRING_EQUAL(store_fixture_value("SELECT count(*) FROM command_count"), "11000");
    CU_ASSERT_STRING_EQUAL(store_fixture_value("SELECT count(DISTINCT (job, step)) FROM series"),
                           "3000");
}

static void add_rules(void) {
    char sql[900];

    /* One of each type, at its usual threshold or at none. */
    snprintf(sql, sizeof(sql),
             "INSERT INTO alert_rule (id, account, name, type, threshold, for_seconds,"
             " resolve_threshold, resolve_for_seconds, suppress_until_caught_up,"
             " repeat_interval_seconds, severity, send_resolved, enabled)"
             " SELECT 'arl_' || t, '%s', t, t, 60, 0, 60, 0, true, 3600, 'warning', true, true"
             " FROM unnest(ARRAY['latency', 'error', 'blocked', 'precheck_failed', 'full_timeout',"
             " 'stalled', 'retrying', 'heartbeat_stale', 'destination_memory', 'eviction',"
             " 'safe_for']) t",
             account);
    store_fixture_sql(sql);
}

static int64_t quickest_look_ms(struct alerter *a, int looks) {
    int64_t best_us = INT64_MAX;
    struct err err = ERR_INIT;

    for (int i = 0; i < looks && best_us >= CALM_MS * 1000; i++) {
        int64_t begun_us = clock_mono_us(), took_us;

        CU_ASSERT_TRUE_FATAL(alerter_watch(a, &err));
        CU_ASSERT_TRUE(a->is_acting);
        took_us = clock_mono_us() - begun_us;
        best_us = took_us < best_us ? took_us : best_us;
    }
    return best_us / 1000;
}

static void rules_over_a_thousand_jobs_are_looked_at_within_a_second(void) {
    struct alerter a = {.store = store_fixture(), .config = &config, .id = "alerter_1"};
    int64_t calm_ms, storm_ms;

    begin();
    /* However long it takes until they are looked at. */
    store_fixture_sql(
        "UPDATE task SET progress = progress || jsonb_build_object('phase', 'incremental',"
        " 'heartbeat_state', 1, 'latency_us', 3000, 'latency_at_ms', 4102444800000,"
        " 'sampled_at_ms', 4102444800000, 'moved_at_ms', 4102444800000)");
    log_init(LOG_FORMAT_LOGFMT, LOG_LEVEL_ERROR); /* a thousand alerts are a thousand lines */
    add_rules();
    calm_ms = quickest_look_ms(&a, LOOKS);
    CU_ASSERT_STRING_EQUAL(store_fixture_value("SELECT count(*) FROM alert"), "0");
    CU_ASSERT(calm_ms < CALM_MS);
    /* All of them become bad in the same moment: the worst second there is. */
    store_fixture_sql("UPDATE task SET progress = progress || '{\"latency_us\": 100000000}'");
    storm_ms = quickest_look_ms(&a, 1);
    printf("\n    11 rules over %d jobs: %lld ms; %d alerts that fire at once: %lld ms\n", JOBS,
           (long long)calm_ms, JOBS, (long long)storm_ms);
    CU_ASSERT_STRING_EQUAL(
        store_fixture_value(
            "SELECT count(*) FROM alert WHERE type = 'latency' AND state = 'firing'"),
        "1000");
}

/* ---- charts ---- */

static struct store_series_row *rows;
static size_t row_count;

static void keep(void *ctx, int step, const struct series_bucket *b) {
    struct store_series_row *row = &rows[row_count++];

    snprintf(row->job, sizeof(row->job), "%s", (const char *)ctx);
    row->step = step;
    row->bucket = *b;
}

/* Of 33 days the last two hours second by second, what is before now and then: more than the
 * buckets that may stay. */
static int64_t stride(int64_t age_s) {
    return age_s > 26 * 3600 ? 3600 : age_s > 7200 ? 60 : 1;
}

static void the_charts_of_a_job_are_bounded_however_long_it_runs(void) {
    static struct series series;
    enum { DAYS = 33, ROWS_MAX = DAYS * 24 * (60 + 6 + 1) + 10 };
    int64_t now_s = clock_wall_ms() / 1000, values[SERIES_COUNT];
    struct err err = ERR_INIT;
    char job[STORE_ID_SIZE];

    begin();
    store_fixture_sql("DELETE FROM series");
    store_fixture_job_in(account, "running", job);
    rows = calloc(ROWS_MAX, sizeof(*rows));
    CU_ASSERT_FATAL(rows != NULL);
    for (int64_t at_s = now_s - DAYS * 86400; at_s <= now_s; at_s += stride(now_s - at_s)) {
        for (int i = 0; i < SERIES_COUNT; i++)
            values[i] = at_s * (i + 1) % 1000003;
        series_take(&series, at_s, values, keep, job);
    }
    CU_ASSERT_FATAL(row_count > SERIES_ROWS_MAX && row_count < ROWS_MAX);
    CU_ASSERT_TRUE(store_series_put(store_fixture(), rows, row_count, &err));
    CU_ASSERT_TRUE(store_sweep(store_fixture(), &err));
    printf("\n    %zu buckets of %d days: %s\n", row_count, DAYS,
           store_fixture_value("SELECT count(*) || ' rows stay, of ' || sum(pg_column_size(points))"
                               " / count(*) || ' bytes' FROM series"));
    CU_ASSERT(atol(store_fixture_value("SELECT count(*) FROM series")) <= SERIES_ROWS_MAX);
    /* And what is to be there is there. */
    CU_ASSERT_STRING_EQUAL(
        store_fixture_value("SELECT concat_ws(' ', count(*) FILTER (WHERE step = 1) >= 60,"
                            " count(*) FILTER (WHERE step = 10) >= 144,"
                            " count(*) FILTER (WHERE step = 60) >= 744) FROM series"),
        "t t t");
    free(rows);
}

static void all_is_given_back(void) {
    for (int n = 0; n < JOBS; n++)
        worker_task_free(tasks[n]);
    worker_series_done(&worker);
    config_done(&config);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(reports_of_a_thousand_jobs_are_a_few_transactions_a_second),
    CUNIT_TEST(rules_over_a_thousand_jobs_are_looked_at_within_a_second),
    CUNIT_TEST(the_charts_of_a_job_are_bounded_however_long_it_runs),
    CUNIT_TEST(all_is_given_back),
};
STORE_FIXTURE_MAIN("reports", true, tests)
