#include <string.h>

#include "services/flow/position.h"
#include "tests/support/cunit_run.h"

static void what_apply_says_is_what_receive_hears(void) {
    static const enum position_state states[] = {POSITION_COPY, POSITION_TAIL, POSITION_DONE,
                                                 POSITION_STOPPED};

    for (size_t i = 0; i < LENGTH_OF(states); i++) {
        struct position said = {.state = states[i],
                                .generation = 3,
                                .snapshot_offset = 1795174759123456,
                                .replid = "00f2424e710b594f11d5b090884147f295ddbe44",
                                .next = 4711},
                        heard;
        json_t *message = position_to_json(&said, "position");
        struct err err = ERR_INIT;

        CU_ASSERT_TRUE_FATAL(position_from_json(message, &heard, &err));
        CU_ASSERT_EQUAL(heard.state, said.state);
        CU_ASSERT_EQUAL(heard.generation, said.generation);
        CU_ASSERT_EQUAL(heard.snapshot_offset, said.snapshot_offset);
        CU_ASSERT_STRING_EQUAL(heard.replid, said.replid);
        CU_ASSERT_EQUAL(heard.next, said.next);
        json_decref(message);
    }
}

static void a_position_without_a_member_is_none(void) {
    static const char *const members[] = {"state", "replid", "offset", "generation",
                                          "snapshot_offset"};

    for (size_t i = 0; i < LENGTH_OF(members); i++) {
        struct position said = {.state = POSITION_COPY}, heard;
        json_t *message = position_to_json(&said, "position");
        struct err err = ERR_INIT;

        json_object_del(message, members[i]);
        CU_ASSERT_FALSE(position_from_json(message, &heard, &err));
        CU_ASSERT_EQUAL(err.code, ERR_PROTOCOL);
        json_decref(message);
    }
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(what_apply_says_is_what_receive_hears),
    CUNIT_TEST(a_position_without_a_member_is_none),
};
CUNIT_MAIN("position", tests)
