#include <stdio.h>
#include <string.h>

#include "services/job/job_state.h"
#include "tests/support/cunit_run.h"

static void no_event_has_two_answers(void) {
    size_t count;
    const struct job_edge *edges = job_state_edges(&count);

    CU_ASSERT(count > 50);
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_PTR_EQUAL(job_state_next(edges[i].from, edges[i].event), &edges[i]);
        CU_ASSERT(strlen(edges[i].sentence) > 10);
    }
}

static void every_state_can_be_reached_from_draft(void) {
    bool reached[JOB_STATE_COUNT] = {[JOB_DRAFT] = true};
    size_t count;
    const struct job_edge *edges = job_state_edges(&count);

    for (int round = 0; round < JOB_STATE_COUNT; round++) {
        for (size_t i = 0; i < count; i++)
            reached[edges[i].to] |= reached[edges[i].from];
    }
    for (int i = 0; i < JOB_STATE_COUNT; i++) {
        if (!reached[i])
            printf("  %s is not reached\n", job_state_name((enum job_state)i));
        CU_ASSERT_TRUE(reached[i]);
    }
}

/* A way out leads somewhere else, and in the end to a final state. */
static void every_unfinished_state_has_a_way_out(void) {
    bool ends[JOB_STATE_COUNT];
    size_t count;
    const struct job_edge *edges = job_state_edges(&count);

    for (int i = 0; i < JOB_STATE_COUNT; i++)
        ends[i] = job_state_is_final((enum job_state)i);
    for (int round = 0; round < JOB_STATE_COUNT; round++) {
        for (size_t i = 0; i < count; i++)
            ends[edges[i].from] |= ends[edges[i].to];
    }
    for (int i = 0; i < JOB_STATE_COUNT; i++)
        CU_ASSERT_TRUE(ends[i]);
}

static void every_event_is_of_use_somewhere(void) {
    size_t count;
    const struct job_edge *edges = job_state_edges(&count);

    for (int event = 0; event < JOB_EVENT_COUNT; event++) {
        bool used = false;

        for (size_t i = 0; i < count; i++)
            used |= edges[i].event == (enum job_event)event;
        if (!used)
            printf("  %s leads nowhere\n", job_state_event_name((enum job_event)event));
        CU_ASSERT_TRUE(used);
    }
}

/* The worker of an active job may find that a person must decide, or be asked to stop. */
static void a_job_that_is_worked_on_can_block_or_end(void) {
    for (int i = 0; i < JOB_STATE_COUNT; i++) {
        enum job_state state = (enum job_state)i;

        if (!job_state_is_active(state))
            continue;
        CU_ASSERT(job_state_next(state, JOB_EV_BLOCK) || job_state_next(state, JOB_EV_STOP));
        CU_ASSERT_FALSE(job_state_is_final(state));
        CU_ASSERT_TRUE(job_state_holds_destination(state));
    }
}

static void names_are_unique_and_read_back(void) {
    for (int i = 0; i < JOB_STATE_COUNT; i++) {
        enum job_state back;

        CU_ASSERT_TRUE(job_state_parse(job_state_name((enum job_state)i), &back));
        CU_ASSERT_EQUAL(back, i);
        CU_ASSERT(strlen(job_state_dts_status((enum job_state)i)) > 5);
    }
    for (int i = 0; i < JOB_EVENT_COUNT; i++) {
        for (int k = 0; k < i; k++)
            CU_ASSERT_STRING_NOT_EQUAL(job_state_event_name((enum job_event)i),
                                       job_state_event_name((enum job_event)k));
    }
    enum job_state none;
    CU_ASSERT_FALSE(job_state_parse("Running", &none));
}

static void a_start_needs_a_passed_precheck(void) {
    CU_ASSERT_PTR_NULL(job_state_next(JOB_CONFIGURED, JOB_EV_START));
    CU_ASSERT_PTR_NULL(job_state_next(JOB_PRECHECK_FAILED, JOB_EV_START));
    CU_ASSERT_EQUAL(job_state_next(JOB_PRECHECK_PASSED, JOB_EV_START)->to, JOB_QUEUED);
}

static void what_was_stopped_is_not_resumed(void) {
    CU_ASSERT_PTR_NULL(job_state_next(JOB_STOPPED, JOB_EV_RESUME));
    CU_ASSERT_PTR_NULL(job_state_next(JOB_COMPLETED, JOB_EV_RESUME));
    CU_ASSERT_PTR_NULL(job_state_next(JOB_RELEASED, JOB_EV_RESUME));
}

static const struct job_action *action(const char *name) {
    size_t count;
    const struct job_action *actions = job_state_actions(&count);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    }
    return NULL;
}

static void an_action_is_allowed_or_says_why_not(void) {
    size_t count;
    const struct job_action *actions = job_state_actions(&count);

    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_PTR_EQUAL(action(actions[i].name), &actions[i]);
        for (int s = 0; s < JOB_STATE_COUNT; s++) {
            const char *why = job_state_refusal(&actions[i], (enum job_state)s);

            if (!actions[i].is_built)
                CU_ASSERT_STRING_EQUAL(why, "This is not built yet");
            if (why)
                CU_ASSERT(strlen(why) > 10);
        }
    }
    CU_ASSERT_PTR_NULL(job_state_refusal(action("pause"), JOB_RUNNING));
    CU_ASSERT_PTR_NOT_NULL(job_state_refusal(action("pause"), JOB_PAUSED));
    CU_ASSERT_PTR_NULL(job_state_refusal(action("resume"), JOB_BLOCKED));
    CU_ASSERT_PTR_NULL(job_state_refusal(action("delete"), JOB_STOPPED));
    CU_ASSERT_PTR_NOT_NULL(job_state_refusal(action("delete"), JOB_RUNNING));
    /* The reason is of where the job stands. */
    CU_ASSERT_STRING_EQUAL(job_state_refusal(action("delete"), JOB_RELEASED),
                           "The job is deleted; it can be restored");
    CU_ASSERT_STRING_EQUAL(job_state_refusal(action("precheck"), JOB_DRAFT),
                           "The job is incomplete: it needs a source and a destination");
    CU_ASSERT_STRING_EQUAL(job_state_refusal(action("start"), JOB_RUNNING),
                           "A start was asked for already");
    CU_ASSERT_STRING_EQUAL(job_state_refusal(action("start"), JOB_PRECHECKING),
                           "A job starts once its precheck has passed");
}

static void the_diagram_has_a_line_for_every_edge(void) {
    struct buf out = BUF_INIT(16384);
    struct err err = ERR_INIT;
    size_t count, lines = 0;

    job_state_edges(&count);
    CU_ASSERT_TRUE(job_state_mermaid(&out, &err));
    for (size_t i = 0; i < out.len; i++)
        lines += out.ptr[i] == '\n';
    CU_ASSERT_EQUAL(lines, count + 4);
    CU_ASSERT_PTR_NOT_NULL(strstr(out.ptr, "    running --> pausing: pause.requested\n"));
    buf_done(&out);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(no_event_has_two_answers),
    CUNIT_TEST(every_state_can_be_reached_from_draft),
    CUNIT_TEST(every_unfinished_state_has_a_way_out),
    CUNIT_TEST(every_event_is_of_use_somewhere),
    CUNIT_TEST(a_job_that_is_worked_on_can_block_or_end),
    CUNIT_TEST(names_are_unique_and_read_back),
    CUNIT_TEST(a_start_needs_a_passed_precheck),
    CUNIT_TEST(what_was_stopped_is_not_resumed),
    CUNIT_TEST(an_action_is_allowed_or_says_why_not),
    CUNIT_TEST(the_diagram_has_a_line_for_every_edge),
};
CUNIT_MAIN("job_state", tests)
