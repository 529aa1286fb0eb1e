#include <string.h>

#include "services/flow/task_spec.h"
#include "services/job/job_spec.h"
#include "services/worker/task_order.h"
#include "tests/support/cunit_run.h"

static const struct task_order order = {
    .job = "job_01ARZ3NDEKTSV4RRFFQ69G5FAV",
    .task = 0,
    .lease = 9,
    .spool_dir = "/var/spool/x",
    .import_dir = "/srv/import",
    .spool_quota_bytes = 1 << 30,
};

/* A request as a user writes it, through the specification, to what a child reads. */
static bool travel(const char *request, struct task_spec *ret, struct err *err) {
    json_t *body = json_loads(request, 0, NULL), *message = NULL;
    struct job_spec spec;
    bool ok;

    CU_ASSERT_PTR_NOT_NULL_FATAL(body);
    ok = job_spec_read(body, &spec, err) && task_order_make(&order, spec.spec, &message, err) &&
         task_spec_parse(message, ret, err);
    json_decref(message);
    job_spec_done(&spec);
    json_decref(body);
    return ok;
}

static void the_smallest_job_becomes_an_order_with_every_default(void) {
    struct err err = ERR_INIT;
    struct task_spec task;

    CU_ASSERT_TRUE_FATAL(travel("{\"source\":{\"url\":\"redis://:secret@a:1\"},"
                                "\"destination\":{\"url\":\"redis://b:2\"}}",
                                &task, &err));
    CU_ASSERT_STRING_EQUAL(task.job, order.job);
    CU_ASSERT_EQUAL(task.lease, 9);
    CU_ASSERT_STRING_EQUAL(task.source.host, "a");
    CU_ASSERT_TRUE(task.source.has_password);
    CU_ASSERT_EQUAL(task.destination.port, 2);
    CU_ASSERT_TRUE(task.map_all && task.incremental && task.held_expiry && task.heartbeat);
    CU_ASSERT_EQUAL(task.conflict, TASK_CONFLICT_EMPTY);
    CU_ASSERT_TRUE(task.conflict_instance);
    CU_ASSERT_FALSE(task.claimed_before);
    CU_ASSERT_EQUAL(task.recopy, TASK_RECOPY_FAIL);
    task_spec_done(&task);
}

static void what_was_asked_for_arrives(void) {
    struct err err = ERR_INIT;
    struct task_spec task;

    CU_ASSERT_TRUE_FATAL(
        travel("{\"source\":{\"url\":\"redis://a:1\"},\"destination\":{\"url\":\"redis://b:2\"},"
               "\"migration\":{\"incremental\":false},\"conflict_mode\":\"overwrite\","
               "\"objects\":{\"databases\":[{\"source\":2,\"destination\":7},{\"source\":9}]},"
               "\"expiry\":\"exact\",\"heartbeat\":{\"mode\":\"off\"}}",
               &task, &err));
    CU_ASSERT_FALSE(task.map_all || task.incremental || task.held_expiry || task.heartbeat);
    CU_ASSERT_EQUAL(task.conflict, TASK_CONFLICT_OVERWRITE);
    CU_ASSERT_FALSE(task.conflict_instance);
    CU_ASSERT_STRING_EQUAL(task.import_dir, "/srv/import");
    CU_ASSERT_EQUAL(task.read_mode, TASK_READ_AUTO);
    CU_ASSERT_EQUAL(task.database_map[2], 7);
    CU_ASSERT_EQUAL(task.database_map[9], 9);
    CU_ASSERT_EQUAL(task.lowest_database, 7);
    task_spec_done(&task);
}

static void a_specification_without_an_end_is_no_order(void) {
    struct err err = ERR_INIT;
    json_t *spec = json_object(), *message = NULL;

    CU_ASSERT_FALSE(task_order_make(&order, spec, &message, &err));
    CU_ASSERT_EQUAL(err.code, ERR_VALIDATION);
    CU_ASSERT_PTR_NULL(message);
    json_decref(spec);
}

static void retry_times_are_the_jobs_or_the_defaults(void) {
    struct retry_policy policy;
    json_t *spec = json_loads("{\"retry\":{\"connection_minutes\":33,\"other_minutes\":null,"
                              "\"backoff\":{\"initial_ms\":200,\"max_ms\":100,\"jitter\":7}}}",
                              0, NULL);

    task_order_policy(spec, &policy);
    CU_ASSERT_EQUAL(policy.minutes[RETRY_KIND_CONNECTION], 33);
    CU_ASSERT_EQUAL(policy.minutes[RETRY_KIND_OTHER], 10);
    CU_ASSERT_EQUAL(policy.backoff.initial_ms, 200);
    CU_ASSERT_EQUAL(policy.backoff.max_ms, 200);
    CU_ASSERT_EQUAL(policy.backoff.jitter, 0.2);
    json_decref(spec);
    task_order_policy(NULL, &policy);
    CU_ASSERT_EQUAL(policy.minutes[RETRY_KIND_CONNECTION], 720);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(the_smallest_job_becomes_an_order_with_every_default),
    CUNIT_TEST(what_was_asked_for_arrives),
    CUNIT_TEST(a_specification_without_an_end_is_no_order),
    CUNIT_TEST(retry_times_are_the_jobs_or_the_defaults),
};
CUNIT_MAIN("task_order", tests)
