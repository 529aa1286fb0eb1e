#include <stdio.h>
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

/* ---- answers ---- */

static enum position_fresh answered(uint64_t generation, enum position_fresh fresh,
                                    enum task_recopy recopy) {
    struct position p = {.state = POSITION_COPY, .generation = generation, .fresh = fresh};

    CU_ASSERT_TRUE(position_answer(&p, recopy));
    CU_ASSERT_EQUAL(p.generation, generation > 0 ? generation + 1 : 0);
    return p.fresh;
}

static void an_answer_counts_before_anything_was_written(void) {
    for (int fresh = POSITION_SHARED; fresh <= POSITION_FLUSH_ONCE; fresh++)
        CU_ASSERT_EQUAL(answered(0, (enum position_fresh)fresh, TASK_RECOPY_FLUSH),
                        POSITION_FLUSH_ONCE);
    CU_ASSERT_EQUAL(answered(0, POSITION_SHARED, TASK_RECOPY_OVERWRITE), POSITION_OVERWRITE_ONCE);
    CU_ASSERT_EQUAL(answered(0, POSITION_FRESH, TASK_RECOPY_OVERWRITE), POSITION_FRESH);
}

static void an_answer_counts_behind_a_snapshot(void) {
    CU_ASSERT_EQUAL(answered(1, POSITION_SHARED, TASK_RECOPY_FLUSH), POSITION_FLUSH_ONCE);
    CU_ASSERT_EQUAL(answered(1, POSITION_SHARED, TASK_RECOPY_OVERWRITE), POSITION_OVERWRITE_ONCE);
    CU_ASSERT_EQUAL(answered(1, POSITION_FRESH, TASK_RECOPY_OVERWRITE), POSITION_SWEEP_ONCE);
}

static void no_answer_opens_a_seal(void) {
    static const enum position_state seals[] = {POSITION_DONE, POSITION_STOPPED, POSITION_SEALED};

    for (size_t i = 0; i < LENGTH_OF(seals); i++) {
        struct position p = {.state = seals[i], .generation = 3, .next = 4711, .err = 1};

        CU_ASSERT_FALSE(position_answer(&p, TASK_RECOPY_FLUSH));
        CU_ASSERT_FALSE(position_answer(&p, TASK_RECOPY_OVERWRITE));
        CU_ASSERT(p.state == seals[i] && p.generation == 3 && p.next == 4711 && p.err == 1);
    }
}

static void without_an_answer_nothing_changes(void) {
    struct position p = {.state = POSITION_TAIL, .generation = 1, .next = 4711, .err = 1};

    CU_ASSERT_FALSE(position_answer(&p, TASK_RECOPY_FAIL));
    CU_ASSERT(p.state == POSITION_TAIL && p.next == 4711 && p.err == 1);
}

/* ---- evicted keys ---- */

static const struct position_server here = {
    .run_id = "a", .evicted = 50, .clock_ms = 2000000, .began_ms = 1000000};

/* A position that met process `run` at `met_ms` and looked at its count when it was 7. */
static struct position met(const char *run, uint64_t met_ms, const struct position_server *next) {
    struct position p = {.counts_evicted = true, .evicted = 7, .met_ms = met_ms};

    snprintf(p.run, sizeof(p.run), "%s", run);
    position_meet(&p, next);
    return p;
}

static void the_same_process_counts_on(void) {
    struct position p = met("a", 1500000, &here);

    CU_ASSERT(p.evicted == 7 && p.met_ms == 1500000);
}

static void what_a_replica_evicted_before_it_was_promoted_is_not_ours(void) {
    struct position p = met("b", 1500000, &here);

    CU_ASSERT(p.evicted == 50 && p.met_ms == 2000000);
    CU_ASSERT_STRING_EQUAL(p.run, "a");
}

static void a_server_that_was_started_anew_counts_from_nothing(void) {
    struct position p = met("b", 900000, &here);

    CU_ASSERT_EQUAL(p.evicted, 0);
}

static void one_that_tells_no_times_is_taken_for_started_anew(void) {
    struct position_server mute = {.run_id = "a", .evicted = 50};

    CU_ASSERT_EQUAL(met("b", 900000, &mute).evicted, 0);
}

static void one_that_tells_no_name_changes_nothing(void) {
    struct position_server mute = {.run_id = "", .evicted = 50};
    struct position p = met("b", 900000, &mute);

    CU_ASSERT_EQUAL(p.evicted, 7);
    CU_ASSERT_STRING_EQUAL(p.run, "b");
}

/* All of it is copied again. */
static void behind_an_answer_nothing_that_was_evicted_counts(void) {
    struct position p = {
        .state = POSITION_TAIL, .generation = 1, .counts_evicted = true, .evicted = 7, .run = "a"};

    CU_ASSERT_TRUE(position_answer(&p, TASK_RECOPY_OVERWRITE));
    position_meet(&p, &here);
    CU_ASSERT_EQUAL(p.evicted, 50);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(what_apply_says_is_what_receive_hears),
    CUNIT_TEST(a_position_without_a_member_is_none),
    CUNIT_TEST(an_answer_counts_before_anything_was_written),
    CUNIT_TEST(an_answer_counts_behind_a_snapshot),
    CUNIT_TEST(no_answer_opens_a_seal),
    CUNIT_TEST(without_an_answer_nothing_changes),
    CUNIT_TEST(the_same_process_counts_on),
    CUNIT_TEST(what_a_replica_evicted_before_it_was_promoted_is_not_ours),
    CUNIT_TEST(a_server_that_was_started_anew_counts_from_nothing),
    CUNIT_TEST(one_that_tells_no_times_is_taken_for_started_anew),
    CUNIT_TEST(one_that_tells_no_name_changes_nothing),
    CUNIT_TEST(behind_an_answer_nothing_that_was_evicted_counts),
};
CUNIT_MAIN("position", tests)
