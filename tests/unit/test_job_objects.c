/* What of a source a job asks for: databases, prefixes, commands, and what may not be asked. */
#include <stdio.h>
#include <string.h>

#include "services/flow/task_spec.h"
#include "services/job/job_prefix.h"
#include "services/job/job_spec.h"
#include "services/worker/task_order.h"
#include "tests/support/cunit_run.h"

#define REQUEST(more)                                                                              \
    "{\"source\": {\"url\": \"redis://old.example\"},"                                             \
    " \"destination\": {\"url\": \"redis://new.example\"}" more "}"

static bool read_text(const char *text, struct job_spec *ret, struct err *err) {
    json_t *body = json_loads(text, 0, NULL);
    bool ok;

    CU_ASSERT_PTR_NOT_NULL_FATAL(body);
    ok = job_spec_read(body, ret, err);
    json_decref(body);
    return ok;
}

static void refuses(const char *more, const char *pointer, const char *reason) {
    struct job_spec spec;
    struct err err = ERR_INIT;
    char text[1024];
    json_t *one;

    snprintf(text, sizeof(text), REQUEST("%s"), more);
    CU_ASSERT_FALSE(read_text(text, &spec, &err));
    CU_ASSERT_EQUAL(json_array_size(spec.errors), 1);
    one = json_array_get(spec.errors, 0);
    if (strcmp(json_string_value(json_object_get(one, "pointer")), pointer) != 0)
        printf("\n%s: %s", more, json_string_value(json_object_get(one, "pointer")));
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(one, "pointer")), pointer);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(one, "code")), reason);
    job_spec_done(&spec);
}

static const char *member(const struct job_spec *spec, const char *name) {
    return json_string_value(json_object_get(json_object_get(spec->spec, "objects"), name));
}

static bool warns(const struct job_spec *spec, const char *code) {
    size_t i;
    json_t *one;

    json_array_foreach(spec->warnings, i, one) {
        if (strcmp(json_string_value(json_object_get(one, "code")), code) == 0)
            return true;
    }
    return false;
}

static void a_flush_asks_first_where_a_part_is_selected(void) {
    struct job_spec spec;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(read_text(REQUEST(""), &spec, &err));
    CU_ASSERT_STRING_EQUAL(member(&spec, "flush_policy"), "apply");
    job_spec_done(&spec);
    CU_ASSERT_TRUE(
        read_text(REQUEST(", \"objects\": {\"databases\": [{\"source\": 3}]}"), &spec, &err));
    CU_ASSERT_STRING_EQUAL(member(&spec, "flush_policy"), "block_and_pause");
    job_spec_done(&spec);
    CU_ASSERT_TRUE(read_text(REQUEST(", \"objects\": {\"databases\": [{\"source\": 3}],"
                                     " \"flush_policy\": \"apply\"}"),
                             &spec, &err));
    CU_ASSERT_STRING_EQUAL(member(&spec, "flush_policy"), "apply");
    job_spec_done(&spec);
}

static void what_cannot_be_meant_is_refused(void) {
    static const struct {
        const char *more, *pointer, *reason;
    } cases[] = {
        {", \"objects\": {\"databases\": [{\"source\": 1, \"include_prefixes\": \"a\"}]}",
         "/objects/databases/0/include_prefixes", "type"},
        {", \"objects\": {\"databases\": [{\"source\": 1, \"include_prefixes\": [\"\"]}]}",
         "/objects/databases/0/include_prefixes/0", "invalid"},
        {", \"objects\": {\"databases\": [{\"source\": 1, \"exclude_prefixes\": [\"a\", 5]}]}",
         "/objects/databases/0/exclude_prefixes/1", "type"},
        {", \"objects\": {\"databases\": [{\"source\": 1, \"exclude_prefixes\": [\"hex:6\"]}]}",
         "/objects/databases/0/exclude_prefixes/0", "invalid"},
        {", \"objects\": {\"databases\": [{\"source\": 1, \"include_prefixes\": [\"hex:6x\"]}]}",
         "/objects/databases/0/include_prefixes/0", "invalid"},
        {", \"objects\": {\"exclude_commands\": \"del\"}", "/objects/exclude_commands", "type"},
        {", \"objects\": {\"exclude_commands\": [\"nosuch\"]}", "/objects/exclude_commands/0",
         "invalid"},
        {", \"objects\": {\"exclude_commands\": [\"del\", \"SELECT\"]}",
         "/objects/exclude_commands/1", "invalid"},
        {", \"objects\": {\"exclude_commands\": [\"config\"]}", "/objects/exclude_commands/0",
         "invalid"},
        {", \"objects\": {\"lua_policy\": \"maybe\"}", "/objects/lua_policy", "choice"},
        {", \"extend_ttl_seconds\": 60", "/extend_ttl_seconds", "invalid"},
        {", \"extend_ttl_seconds\": -1", "/extend_ttl_seconds", "range"},
    };

    for (size_t i = 0; i < LENGTH_OF(cases); i++)
        refuses(cases[i].more, cases[i].pointer, cases[i].reason);
}

static void what_makes_both_ends_differ_is_a_warning(void) {
    struct job_spec spec;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(read_text(REQUEST(", \"objects\": {\"exclude_commands\": [\"EXPIRE\"]},"
                                     " \"extend_ttl_seconds\": 60,"
                                     " \"migration\": {\"incremental\": false}"),
                             &spec, &err));
    CU_ASSERT(warns(&spec, "commands_excluded") && warns(&spec, "ttl_extension"));
    job_spec_done(&spec);
}

static void a_prefix_is_text_or_hexadecimal(void) {
    static const struct {
        const char *text, *hex;
    } cases[] = {{"a:", "613a"},    {"\xc3\xa9", "c3a9"}, {"hex:00Ff", "00ff"},
                 {"hex", "686578"}, {"hex:", NULL},       {"", NULL}};
    char hex[2 * JOB_PREFIX_MAX + 1], longest[JOB_PREFIX_MAX + 2];
    const char *what;

    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        bool ok = job_prefix_hex(str_from(cases[i].text), hex, &what);

        CU_ASSERT_EQUAL(ok, cases[i].hex != NULL);
        CU_ASSERT(!ok || strcmp(hex, cases[i].hex) == 0);
    }
    memset(longest, 'a', sizeof(longest));
    CU_ASSERT_TRUE(job_prefix_hex(str_of(longest, JOB_PREFIX_MAX), hex, &what));
    CU_ASSERT_FALSE(job_prefix_hex(str_of(longest, JOB_PREFIX_MAX + 1), hex, &what));
    CU_ASSERT_FALSE(job_prefix_hex(str_of("a\0b", 3), hex, &what));
}

/* From the request to what a child is told, and what it makes of it. */
static void a_selection_reaches_the_child(void) {
    struct task_order order = {
        .job = "job_01", .lease = 1, .spool_dir = "/tmp/none", .spool_quota_bytes = 1 << 30};
    struct job_spec spec;
    struct task_spec task;
    struct err err = ERR_INIT;
    json_t *message = NULL;
    const struct command_prefixes *p;

    CU_ASSERT_TRUE_FATAL(read_text(
        REQUEST(", \"objects\": {\"databases\": [{\"source\": 3, \"destination\": 0,"
                " \"include_prefixes\": [\"a:\", \"hex:00\"], \"exclude_prefixes\": [\"a:x\"]}],"
                " \"publish\": true, \"lua_policy\": \"fail\", \"exclude_commands\": [\"Del\"]}"),
        &spec, &err));
    CU_ASSERT_TRUE_FATAL(task_order_make(&order, spec.spec, &message, &err));
    CU_ASSERT_TRUE_FATAL(task_spec_parse(message, &task, &err));
    p = task_objects_prefixes(&task.objects, 3);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    CU_ASSERT(p->include_count == 2 && p->exclude_count == 1);
    CU_ASSERT(
        command_prefixes_take(p, STR_LIT("a:1")) && command_prefixes_take(p, str_of("\0b", 2)) &&
        !command_prefixes_take(p, STR_LIT("a:x1")) && !command_prefixes_take(p, STR_LIT("b")));
    CU_ASSERT_PTR_NULL(task_objects_prefixes(&task.objects, 0));
    CU_ASSERT_EQUAL(task_spec_source_of(&task, 0), 3);
    CU_ASSERT(task.objects.publish && task.objects.lua == TASK_STOP_AT_IT &&
              task.objects.flush == TASK_STOP_AT_IT);
    CU_ASSERT_TRUE(task_objects_excludes(&task.objects, COMMAND_DEL));
    CU_ASSERT_FALSE(task_objects_excludes(&task.objects, COMMAND_UNLINK));
    task_spec_done(&task);
    json_decref(message);
    job_spec_done(&spec);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_flush_asks_first_where_a_part_is_selected),
    CUNIT_TEST(what_cannot_be_meant_is_refused),
    CUNIT_TEST(what_makes_both_ends_differ_is_a_warning),
    CUNIT_TEST(a_prefix_is_text_or_hexadecimal),
    CUNIT_TEST(a_selection_reaches_the_child),
};

CUNIT_MAIN("job_objects", tests)
