#include "services/worker/drift.h"
#include "tests/support/cunit_run.h"

static json_t *known;
static struct buf sentence;

/* What the worker does: what was found becomes what is known. */
static const char *meet(const char *facts, const char *at) {
    json_t *found = json_loads(facts, 0, NULL);
    struct err err = ERR_INIT;

    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    buf_clear(&sentence);
    drift_note(known, found, at, &sentence);
    json_decref(known);
    known = found;
    CU_ASSERT_TRUE_FATAL(buf_append(&sentence, str_of("", 1), &err));
    return sentence.ptr;
}

static void begin(void) {
    known = NULL;
    sentence = BUF_INIT(512);
}

static void end(void) {
    json_decref(known);
    buf_done(&sentence);
}

static void the_first_meeting_and_a_second_one_like_it_say_nothing(void) {
    begin();
    CU_ASSERT_STRING_EQUAL(meet("{\"version\":\"7.0\",\"run_id\":\"a\"}", "t1"), "");
    CU_ASSERT_STRING_EQUAL(meet("{\"version\":\"7.0\",\"run_id\":\"a\"}", "t2"), "");
    CU_ASSERT_PTR_NULL(json_object_get(known, "drift"));
    end();
}

static void what_is_not_told_has_not_changed(void) {
    begin();
    (void)meet("{\"version\":\"7.0\"}", "t1");
    CU_ASSERT_STRING_EQUAL(meet("{\"run_id\":\"a\",\"version\":\"\"}", "t2"), "");
    end();
}

static void a_change_is_said_once_and_kept_with_what_it_was_at_first(void) {
    json_t *expected = json_loads("[{\"what\":\"version\",\"was\":\"7.0\",\"is\":\"8.0\","
                                  "\"at\":\"t4\"}]",
                                  0, NULL);

    begin();
    (void)meet("{\"version\":\"7.0\"}", "t1");
    CU_ASSERT_STRING_EQUAL(meet("{\"version\":\"7.2\"}", "t2"), "version 7.0, now 7.2");
    CU_ASSERT_STRING_EQUAL(meet("{\"version\":\"7.2\"}", "t3"), "");
    CU_ASSERT_STRING_EQUAL(meet("{\"version\":\"8.0\"}", "t4"), "version 7.2, now 8.0");
    CU_ASSERT_TRUE(json_equal(json_object_get(known, "drift"), expected));
    json_decref(expected);
    end();
}

static void several_are_one_sentence(void) {
    begin();
    (void)meet("{\"run_id\":\"a\",\"address\":\"x:1\",\"maxmemory_policy\":\"noeviction\"}", "t1");
    CU_ASSERT_STRING_EQUAL(
        meet("{\"run_id\":\"b\",\"address\":\"y:1\",\"maxmemory_policy\":\"allkeys-lru\"}", "t2"),
        "process a, now b; address x:1, now y:1; maxmemory-policy noeviction, now allkeys-lru");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(known, "drift")), 3);
    end();
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(the_first_meeting_and_a_second_one_like_it_say_nothing),
    CUNIT_TEST(what_is_not_told_has_not_changed),
    CUNIT_TEST(a_change_is_said_once_and_kept_with_what_it_was_at_first),
    CUNIT_TEST(several_are_one_sentence),
};
CUNIT_MAIN("drift", tests)
