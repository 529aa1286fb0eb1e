#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "services/flow/child.h"
#include "tests/support/cunit_run.h"

/* A socket pair is the one thing here that is not memory: the unit is the framing. */

static void a_message_arrives_as_it_was_sent(void) {
    struct err err = ERR_INIT;
    int fds[2];
    json_t *sent = json_pack("{s:s, s:I}", "type", "position", "offset", (json_int_t)1 << 53);
    json_t *got = NULL;

    CU_ASSERT_TRUE_FATAL(child_socket_pair(fds, &err));
    CU_ASSERT_TRUE(child_receive(fds[1], 0, &got, &err));
    CU_ASSERT_PTR_NULL(got);
    CU_ASSERT_TRUE(child_send(fds[0], sent, &err));
    CU_ASSERT_TRUE(child_receive(fds[1], 0, &got, &err));
    CU_ASSERT_TRUE(json_equal(sent, got));
    json_decref(sent);
    json_decref(got);
    close(fds[0]);
    close(fds[1]);
}

static void the_largest_message_passes_and_a_larger_one_is_named(void) {
    struct err err = ERR_INIT;
    int fds[2];
    char *text = malloc(CHILD_MESSAGE_MAX + 1);
    json_t *message, *got = NULL;
    const size_t frame = strlen("{\"type\":\"x\",\"t\":\"\"}");

    CU_ASSERT_TRUE_FATAL(child_socket_pair(fds, &err));
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    memset(text, 'a', CHILD_MESSAGE_MAX);
    text[CHILD_MESSAGE_MAX - frame] = '\0';
    message = json_pack("{s:s, s:s}", "type", "x", "t", text);
    CU_ASSERT_TRUE(child_send(fds[0], message, &err));
    CU_ASSERT_TRUE(child_receive(fds[1], 0, &got, &err));
    CU_ASSERT_TRUE(json_equal(message, got));
    json_decref(got);
    json_decref(message);
    text[CHILD_MESSAGE_MAX - frame] = 'a';
    text[CHILD_MESSAGE_MAX - frame + 1] = '\0';
    message = json_pack("{s:s, s:s}", "type", "x", "t", text);
    CU_ASSERT_FALSE(child_send(fds[0], message, &err));
    CU_ASSERT_EQUAL(err.code, ERR_TOO_BIG);
    json_decref(message);
    free(text);
    close(fds[0]);
    close(fds[1]);
}

static void a_peer_that_is_gone_is_told_from_silence(void) {
    struct err err = ERR_INIT;
    int fds[2];
    json_t *message = json_pack("{s:s}", "type", "go"), *got = NULL;

    CU_ASSERT_TRUE_FATAL(child_socket_pair(fds, &err));
    CU_ASSERT_TRUE(child_send(fds[1], message, &err));
    close(fds[1]);
    /* What it said before it went is still read. */
    CU_ASSERT_TRUE(child_receive(fds[0], 0, &got, &err));
    CU_ASSERT_PTR_NOT_NULL(got);
    json_decref(got);
    CU_ASSERT_FALSE(child_receive(fds[0], 0, &got, &err));
    CU_ASSERT_EQUAL(err.code, ERR_CLOSED);
    err_clear(&err);
    CU_ASSERT_FALSE(child_send(fds[0], message, &err));
    CU_ASSERT_EQUAL(err.code, ERR_CLOSED);
    json_decref(message);
    close(fds[0]);
}

static void a_peer_that_does_not_read_never_blocks_the_supervisor(void) {
    struct err err = ERR_INIT;
    int fds[2], sent = 0;
    json_t *message = json_pack("{s:s}", "type", "go");

    CU_ASSERT_TRUE_FATAL(child_socket_pair(fds, &err));
    while (sent < 1000000 && child_send_within(fds[0], message, 0, &err))
        sent++;
    CU_ASSERT(sent > 0);
    CU_ASSERT_EQUAL(err.code, ERR_TIMEOUT);
    json_decref(message);
    close(fds[0]);
    close(fds[1]);
}

static void what_is_no_message_is_refused(void) {
    static const char *const wrong[] = {
        "x", "{", "[1]", "{}", "{\"type\":1}", "\xff", "null", "{\"type\":\"a\",\"type\":\"b\"}"};
    struct err err = ERR_INIT;
    int fds[2];

    CU_ASSERT_TRUE_FATAL(child_socket_pair(fds, &err));
    for (size_t i = 0; i < LENGTH_OF(wrong); i++) {
        json_t *got = NULL;

        CU_ASSERT(send(fds[0], wrong[i], strlen(wrong[i]), 0) > 0);
        CU_ASSERT_FALSE(child_receive(fds[1], 0, &got, &err));
        CU_ASSERT_EQUAL(err.code, ERR_PROTOCOL);
        CU_ASSERT_PTR_NULL(got);
    }
    close(fds[0]);
    close(fds[1]);
}

static void an_error_crosses_by_its_slug(void) {
    struct err err = ERR_INIT, why = ERR_INIT;
    int fds[2];
    json_t *got = NULL;

    CU_ASSERT_TRUE_FATAL(child_socket_pair(fds, &err));
    (void)err_set(&why, ERR_DIVERGED, "WRONGTYPE");
    (void)err_wrap(&why, "unit 7");
    child_send_error(fds[0], &why);
    CU_ASSERT_TRUE_FATAL(child_receive(fds[1], 0, &got, &err));
    CU_ASSERT_PTR_NOT_NULL_FATAL(got);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(got, "code")), "diverged");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(got, "detail")), "unit 7: WRONGTYPE");
    json_decref(got);
    (void)err_set(&why, ERR_DIVERGED, "\xff\xfe");
    child_send_error(fds[0], &why);
    CU_ASSERT_TRUE_FATAL(child_receive(fds[1], 0, &got, &err));
    CU_ASSERT_PTR_NOT_NULL_FATAL(got);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(got, "code")), "diverged");
    json_decref(got);
    /* What the destination knows goes with it, each with its own error only. */
    (void)err_set(&why, ERR_SEALED, "closed");
    child_send_refused(fds[0], &why, 7, "stopped");
    CU_ASSERT_TRUE_FATAL(child_receive(fds[1], 0, &got, &err));
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(got, "sealed")), "stopped");
    CU_ASSERT_PTR_NULL(json_object_get(got, "lease"));
    json_decref(got);
    (void)err_set(&why, ERR_LEASE_BEHIND, "7");
    child_send_refused(fds[0], &why, 7, "copy");
    CU_ASSERT_TRUE_FATAL(child_receive(fds[1], 0, &got, &err));
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(got, "lease")), 7);
    CU_ASSERT_PTR_NULL(json_object_get(got, "sealed"));
    json_decref(got);
    close(fds[0]);
    close(fds[1]);
}

static void send_type(int fd, const char *type) {
    struct err err = ERR_INIT;
    json_t *message = json_pack("{s:s}", "type", type);

    CU_ASSERT_TRUE(child_send(fd, message, &err));
    json_decref(message);
}

/* Poll does not see it any more, so it has to be asked for. */
static void what_comes_before_an_answer_is_put_aside_and_told_of(void) {
    struct err err = ERR_INIT;
    int fds[2];
    json_t *question = json_pack("{s:s}", "type", "question"), *got = NULL;

    CU_ASSERT_TRUE_FATAL(child_socket_pair(fds, &err));
    send_type(fds[0], "start");
    send_type(fds[0], "answer");
    CU_ASSERT_FALSE(child_has_aside());
    CU_ASSERT_TRUE(child_ask(fds[1], question, "answer", &got, &err));
    json_decref(got);
    CU_ASSERT_TRUE(child_has_aside());
    CU_ASSERT_TRUE_FATAL(child_receive(fds[1], 0, &got, &err));
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(got, "type")), "start");
    CU_ASSERT_FALSE(child_has_aside());
    json_decref(got);
    json_decref(question);
    close(fds[0]);
    close(fds[1]);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(what_comes_before_an_answer_is_put_aside_and_told_of),
    CUNIT_TEST(a_message_arrives_as_it_was_sent),
    CUNIT_TEST(the_largest_message_passes_and_a_larger_one_is_named),
    CUNIT_TEST(a_peer_that_is_gone_is_told_from_silence),
    CUNIT_TEST(a_peer_that_does_not_read_never_blocks_the_supervisor),
    CUNIT_TEST(what_is_no_message_is_refused),
    CUNIT_TEST(an_error_crosses_by_its_slug),
};
CUNIT_MAIN("child", tests)
