#include <string.h>

#include "services/flow/task_spec.h"
#include "tests/support/cunit_run.h"

static const char whole[] =
    "{\"type\":\"spec\",\"job\":\"job_01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"task\":0,\"lease\":7,"
    "\"claimed_before\":true,"
    "\"source\":{\"endpoints\":[{\"host\":\"a\",\"port\":6379}]},"
    "\"destination\":{\"endpoints\":[{\"host\":\"b\",\"port\":6380}]},"
    "\"spool_dir\":\"/var/spool/x\",\"spool_quota_bytes\":1073741824,\"incremental\":true,"
    "\"expiry\":\"held\",\"databases\":[{\"source\":3,\"destination\":5},"
    "{\"source\":1,\"destination\":9}],\"policies\":null,"
    "\"heartbeat\":{\"mode\":\"auto\",\"key_prefix\":\"HB\",\"interval_ms\":1000},"
    "\"conflict_mode\":\"overwrite\",\"recopy\":\"flush_destination\"}";

static json_t *load(void) {
    json_t *spec = json_loads(whole, 0, NULL);

    CU_ASSERT_PTR_NOT_NULL_FATAL(spec);
    return spec;
}

static void a_whole_spec_is_read(void) {
    struct err err = ERR_INIT;
    struct task_spec task;
    json_t *spec = load();

    CU_ASSERT_TRUE_FATAL(task_spec_parse(spec, &task, &err));
    CU_ASSERT_STRING_EQUAL(task.job, "job_01ARZ3NDEKTSV4RRFFQ69G5FAV");
    CU_ASSERT_EQUAL(task.lease, 7);
    CU_ASSERT_TRUE(task.claimed_before);
    CU_ASSERT_STRING_EQUAL(task.source.host, "a");
    CU_ASSERT_EQUAL(task.destination.port, 6380);
    CU_ASSERT_TRUE(task.incremental && task.held_expiry && task.heartbeat);
    CU_ASSERT_FALSE(task.map_all);
    CU_ASSERT_EQUAL(task.database_map[3], 5);
    CU_ASSERT_EQUAL(task.database_map[1], 9);
    CU_ASSERT_EQUAL(task.database_map[0], -1);
    CU_ASSERT_EQUAL(task.lowest_database, 5);
    CU_ASSERT_STRING_EQUAL(task.heartbeat_prefix, "HB");
    CU_ASSERT_EQUAL(task.recopy, TASK_RECOPY_FLUSH);
    CU_ASSERT_EQUAL(task.conflict, TASK_CONFLICT_OVERWRITE);
    CU_ASSERT_FALSE(task.conflict_instance);
    CU_ASSERT_EQUAL(task.faults, 0);
    task_spec_done(&task);
    json_decref(spec);
}

static void no_list_of_databases_means_all_one_to_one(void) {
    struct err err = ERR_INIT;
    struct task_spec task;
    json_t *spec = load();

    json_object_set_new(spec, "databases", json_null());
    json_object_set_new(spec, "recopy", json_null());
    CU_ASSERT_TRUE_FATAL(task_spec_parse(spec, &task, &err));
    CU_ASSERT_TRUE(task.map_all);
    CU_ASSERT_EQUAL(task.lowest_database, 0);
    CU_ASSERT_EQUAL(task.database_map[255], 255);
    CU_ASSERT_EQUAL(task.recopy, TASK_RECOPY_FAIL);
    task_spec_done(&task);
    json_decref(spec);
}

static void a_copy_alone_may_read_in_other_ways(void) {
    struct err err = ERR_INIT;
    struct task_spec task;
    json_t *spec = load();

    json_object_set_new(spec, "incremental", json_false());
    json_object_set_new(spec, "read_mode", json_string("scan"));
    CU_ASSERT_TRUE_FATAL(task_spec_parse(spec, &task, &err));
    CU_ASSERT_EQUAL(task.read_mode, TASK_READ_SCAN);
    /* Nothing of ours is written to a source that is not followed. */
    CU_ASSERT_FALSE(task.heartbeat);
    CU_ASSERT_STRING_EQUAL(task.import_dir, "");
    task_spec_done(&task);
    json_object_del(spec, "read_mode");
    json_object_set_new(spec, "import_dir", json_string("/srv/import"));
    json_object_set_new(spec, "source", json_pack("{s:s}", "file", "a/x.rdb"));
    CU_ASSERT_TRUE_FATAL(task_spec_parse(spec, &task, &err));
    CU_ASSERT_EQUAL(task.read_mode, TASK_READ_AUTO);
    CU_ASSERT_STRING_EQUAL(task.source.file, "a/x.rdb");
    CU_ASSERT_STRING_EQUAL(task.import_dir, "/srv/import");
    task_spec_done(&task);
    json_decref(spec);
}

static void without_a_heartbeat_the_source_is_still_asked_where_it_is(void) {
    struct err err = ERR_INIT;
    struct task_spec task;
    json_t *spec = load();

    json_object_set_new(spec, "heartbeat",
                        json_pack("{s:s, s:s}", "mode", "off", "key_prefix", "HB"));
    CU_ASSERT_TRUE_FATAL(task_spec_parse(spec, &task, &err));
    CU_ASSERT_FALSE(task.heartbeat);
    CU_ASSERT(task.heartbeat_interval_ms >= 100);
    task_spec_done(&task);
    json_decref(spec);
}

static void every_member_that_is_missing_is_named(void) {
    static const char *const needed[] = {"job",       "task",          "lease",
                                         "source",    "destination",   "claimed_before",
                                         "spool_dir", "incremental",   "spool_quota_bytes",
                                         "expiry",    "conflict_mode", "heartbeat"};

    for (size_t i = 0; i < LENGTH_OF(needed); i++) {
        struct err err = ERR_INIT;
        struct task_spec task;
        json_t *spec = load();
        char text[512];

        json_object_del(spec, needed[i]);
        CU_ASSERT_FALSE(task_spec_parse(spec, &task, &err));
        CU_ASSERT_EQUAL(err.code, ERR_PROTOCOL);
        err_format(&err, text, sizeof(text));
        CU_ASSERT_PTR_NOT_NULL(strstr(text, needed[i]));
        json_decref(spec);
    }
}

static void what_cannot_be_meant_is_refused(void) {
    static const struct {
        const char *name, *value;
        enum err_code code;
    } wrong[] = {
        {"task", "-1", ERR_PROTOCOL},
        {"lease", "1.5", ERR_PROTOCOL},
        {"lease", "true", ERR_PROTOCOL},
        {"job", "\"job_0123456789012345678901234567890123456789\"", ERR_PROTOCOL},
        {"job", "\"job\\u0000x\"", ERR_PROTOCOL},
        {"databases", "[]", ERR_PROTOCOL},
        {"databases", "[{\"source\":1,\"destination\":256}]", ERR_PROTOCOL},
        {"databases", "[{\"source\":1,\"destination\":2},{\"source\":1,\"destination\":3}]",
         ERR_PROTOCOL},
        {"databases", "[{\"source\":1,\"destination\":2},{\"source\":3,\"destination\":2}]",
         ERR_PROTOCOL},
        {"policies", "{\"lua\":\"perhaps\"}", ERR_PROTOCOL},
        {"policies", "{\"exclude\":[\"nosuch\"]}", ERR_PROTOCOL},
        {"databases", "[{\"source\":1,\"destination\":1,\"include\":[\"6\"]}]", ERR_PROTOCOL},
        {"databases", "[{\"source\":1,\"destination\":1,\"exclude\":[\"\"]}]", ERR_PROTOCOL},
        {"conflict_mode", "\"merge\"", ERR_PROTOCOL},
        {"conflict_scope", "\"all\"", ERR_PROTOCOL},
        {"expiry", "\"sometimes\"", ERR_PROTOCOL},
        {"recopy", "\"yes\"", ERR_PROTOCOL},
        {"heartbeat", "{\"mode\":\"on\",\"key_prefix\":\"x\",\"interval_ms\":1}", ERR_PROTOCOL},
        {"source", "{}", ERR_PROTOCOL},
        {"source", "{\"file\":\"x.rdb\"}", ERR_PROTOCOL}, /* with "incremental" */
        {"destination", "{\"file\":\"x.rdb\"}", ERR_PROTOCOL},
        {"read_mode", "\"scan\"", ERR_PROTOCOL}, /* with "incremental" */
        {"read_mode", "\"scan_follow\"", ERR_PROTOCOL},
        {"scan", "[]", ERR_PROTOCOL},
        {"scan", "{\"match\": 7}", ERR_PROTOCOL},
        {"scan", "{\"types\": [\"json\"]}", ERR_PROTOCOL},
        {"scan", "{\"types\": [1,2,3,4,5,6,7]}", ERR_PROTOCOL},
        {"import_dir", "7", ERR_PROTOCOL},
        {"faults", "[\"no_such_fault\"]", ERR_PROTOCOL},
    };

    for (size_t i = 0; i < LENGTH_OF(wrong); i++) {
        struct err err = ERR_INIT;
        struct task_spec task;
        json_t *spec = load();

        json_object_set_new(spec, wrong[i].name,
                            json_loads(wrong[i].value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL));
        CU_ASSERT_FALSE(task_spec_parse(spec, &task, &err));
        CU_ASSERT_EQUAL(err.code, wrong[i].code);
        json_decref(spec);
    }
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_whole_spec_is_read),
    CUNIT_TEST(no_list_of_databases_means_all_one_to_one),
    CUNIT_TEST(a_copy_alone_may_read_in_other_ways),
    CUNIT_TEST(without_a_heartbeat_the_source_is_still_asked_where_it_is),
    CUNIT_TEST(every_member_that_is_missing_is_named),
    CUNIT_TEST(what_cannot_be_meant_is_refused),
};
CUNIT_MAIN("task_spec", tests)
