/* Log lines as they leave the process. */
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "services/common/log.h"
#include "tests/support/cunit_run.h"

static char line[8192];

/* What `log` writes. */
static const char *written(void (*log)(void)) {
    int ends[2];
    ssize_t len;

    CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    log_to(ends[1]);
    log();
    log_to(STDERR_FILENO);
    len = read(ends[0], line, sizeof(line) - 1);
    line[len > 0 ? len : 0] = '\0';
    close(ends[0]);
    close(ends[1]);
    return line;
}

static void log_an_event(void) {
    struct err err = ERR_INIT;

    (void)err_set(&err, ERR_TIMEOUT, "no \"answer\"");
    (void)err_wrap(&err, "asking a:1");
    log_event(LOG_LEVEL_WARN, "part.happened", LOG_INT("n", -5), LOG_TEXT("text", "two words"),
              LOG_TEXT("none", NULL), LOG_STR("bytes", STR_LIT("a\n\xff")), LOG_ERR(&err));
}

static void log_debug(void) {
    log_plain(LOG_LEVEL_DEBUG, "part.detail");
}

static void log_long(void) {
    static char text[6000];

    memset(text, 'x', sizeof(text) - 1);
    log_event(LOG_LEVEL_INFO, "part.long", LOG_TEXT("much", text), LOG_INT("after", 1));
}

static void a_line_has_its_event_and_fields(void) {
    log_init_text("logfmt", "info");
    log_context("job", "job_1");
    written(log_an_event);
    log_context("job", NULL);
    CU_ASSERT(strncmp(line, "ts=20", 5) == 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(line, " level=warn event=part.happened job=job_1 n=-5 "
                                        "text=\"two words\" bytes=\"a\\\\x0a\\\\xff\" code=timeout "
                                        "error=\"asking a:1: no \\\"answer\\\"\"\n"));
    written(log_an_event);
    CU_ASSERT_PTR_NULL(strstr(line, "job="));
}

static void the_same_line_is_one_json_object(void) {
    json_t *object;

    log_init_text("json", "info");
    object = json_loads(written(log_an_event), 0, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(object);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(object, "n")), -5);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(object, "text")), "two words");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(object, "bytes")), "a\\x0a\\xff");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(object, "event")), "part.happened");
    json_decref(object);
}

static void what_is_below_the_level_is_not_written(void) {
    log_init_text("logfmt", "info");
    CU_ASSERT_STRING_EQUAL(written(log_debug), "");
    log_init_text("logfmt", "debug");
    CU_ASSERT_PTR_NOT_NULL(strstr(written(log_debug), "event=part.detail"));
}

static void a_field_that_does_not_fit_is_left_out_whole(void) {
    static const char *const formats[] = {"logfmt", "json"};

    for (size_t i = 0; i < LENGTH_OF(formats); i++) {
        log_init_text(formats[i], "info");
        written(log_long);
        CU_ASSERT_PTR_NULL(strstr(line, "xxx"));
        CU_ASSERT_PTR_NOT_NULL(strstr(line, "after"));
        CU_ASSERT_EQUAL(line[strlen(line) - 1], '\n');
    }
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_line_has_its_event_and_fields),
    CUNIT_TEST(the_same_line_is_one_json_object),
    CUNIT_TEST(what_is_below_the_level_is_not_written),
    CUNIT_TEST(a_field_that_does_not_fit_is_left_out_whole),
};
CUNIT_MAIN("log", tests)
