#include "services/worker/task_view.h"
#include "tests/support/cunit_run.h"

static const enum job_state active[] = {JOB_QUEUED,  JOB_STARTING, JOB_RUNNING,     JOB_RETRYING,
                                        JOB_PAUSING, JOB_STOPPING, JOB_CUTTING_OVER};

/* Move by the table until there is nothing to say; the state it ends in. */
static enum job_state settle(struct task_view view) {
    for (int moves = 0; moves < 6; moves++) {
        enum job_event event = task_view_next(&view);
        const struct job_edge *edge;

        if (event == JOB_EVENT_COUNT)
            return view.state;
        edge = job_state_next(view.state, event);
        CU_ASSERT_PTR_NOT_NULL_FATAL(edge);
        view.state = edge->to;
        view.copied = view.copied && event != JOB_EV_COPIED;
        view.caught_up = view.caught_up && event != JOB_EV_CAUGHT_UP;
        view.full_resync = view.full_resync && event != JOB_EV_FULL_RESYNC;
    }
    CU_FAIL("the events go round in a circle");
    return view.state;
}

static void every_event_that_is_named_has_an_edge_and_comes_to_an_end(void) {
    for (size_t i = 0; i < LENGTH_OF(active); i++) {
        for (int outcome = TASK_GOING; outcome <= TASK_FORGOTTEN; outcome++) {
            for (unsigned flags = 0; flags < 32; flags++) {
                (void)settle((struct task_view){.state = active[i],
                                                .outcome = (enum task_outcome)outcome,
                                                .is_up = flags & 1,
                                                .is_troubled = flags & 2,
                                                .copied = flags & 4,
                                                .caught_up = flags & 8,
                                                .full_resync = flags & 16});
            }
        }
    }
}

static void a_cutover_is_done_or_undone(void) {
    struct task_view view = {.state = JOB_CUTTING_OVER, .is_up = true};

    CU_ASSERT_EQUAL(task_view_next(&view), JOB_EVENT_COUNT);
    view.is_troubled = true; /* while it is not certain whether the seal is set */
    CU_ASSERT_EQUAL(task_view_next(&view), JOB_EVENT_COUNT);
    view.is_undone = true;
    CU_ASSERT_EQUAL(task_view_next(&view), JOB_EV_CUTOVER_FAILED);
    view.is_called_off = true;
    CU_ASSERT_EQUAL(task_view_next(&view), JOB_EV_ABORT_CUTOVER);
    view = (struct task_view){.state = JOB_CUTTING_OVER, .outcome = TASK_CUT_OVER};
    CU_ASSERT_EQUAL(task_view_next(&view), JOB_EV_CUT_OVER);
}

static void the_key_of_a_job_that_has_ended_is_forgotten_once(void) {
    struct task_view view = {.state = JOB_COMPLETED, .is_forgetting = true};

    CU_ASSERT_EQUAL(task_view_next(&view), JOB_EVENT_COUNT);
    view.outcome = TASK_FORGOTTEN;
    CU_ASSERT_EQUAL(task_view_next(&view), JOB_EV_FORGET);
    view.outcome = TASK_FAILED;
    CU_ASSERT_EQUAL(task_view_next(&view), JOB_EV_FORGET_FAILED);
    view.is_forgetting = false;
    CU_ASSERT_EQUAL(task_view_next(&view), JOB_EVENT_COUNT);
}

static void what_a_task_became_its_job_becomes(void) {
    static const struct {
        enum job_state from;
        enum task_outcome outcome;
        enum job_state to;
    } cases[] = {
        {JOB_STARTING, TASK_COMPLETED, JOB_COMPLETED}, {JOB_RUNNING, TASK_COMPLETED, JOB_COMPLETED},
        {JOB_RETRYING, TASK_COMPLETED, JOB_COMPLETED}, {JOB_PAUSING, TASK_COMPLETED, JOB_PAUSED},
        {JOB_STOPPING, TASK_COMPLETED, JOB_STOPPED},   {JOB_STOPPING, TASK_STOPPED, JOB_STOPPED},
        {JOB_PAUSING, TASK_PAUSED, JOB_PAUSED},        {JOB_STARTING, TASK_BLOCKED, JOB_BLOCKED},
        {JOB_RUNNING, TASK_BLOCKED, JOB_BLOCKED},      {JOB_RETRYING, TASK_BLOCKED, JOB_BLOCKED},
        {JOB_PAUSING, TASK_BLOCKED, JOB_BLOCKED},      {JOB_STOPPING, TASK_BLOCKED, JOB_BLOCKED},
        {JOB_STARTING, TASK_FAILED, JOB_FAILED},       {JOB_RUNNING, TASK_FAILED, JOB_FAILED},
        {JOB_RETRYING, TASK_FAILED, JOB_FAILED},       {JOB_STOPPING, TASK_FAILED, JOB_FAILED},
    };

    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        CU_ASSERT_EQUAL(
            settle((struct task_view){.state = cases[i].from, .outcome = cases[i].outcome}),
            cases[i].to);
    }
}

static void a_worker_that_leaves_moves_no_job(void) {
    CU_ASSERT_EQUAL(settle((struct task_view){.state = JOB_RUNNING, .outcome = TASK_PAUSED}),
                    JOB_RUNNING);
    CU_ASSERT_EQUAL(settle((struct task_view){.state = JOB_STOPPING, .outcome = TASK_PAUSED}),
                    JOB_STOPPING);
}

static void trouble_and_recovery_go_back_and_forth(void) {
    CU_ASSERT_EQUAL(settle((struct task_view){.state = JOB_RUNNING, .is_troubled = true}),
                    JOB_RETRYING);
    CU_ASSERT_EQUAL(settle((struct task_view){.state = JOB_RETRYING}), JOB_RETRYING);
    CU_ASSERT_EQUAL(settle((struct task_view){.state = JOB_RETRYING, .is_up = true}), JOB_RUNNING);
    /* One end is up, the other still tries. */
    CU_ASSERT_EQUAL(
        settle((struct task_view){.state = JOB_RETRYING, .is_up = true, .is_troubled = true}),
        JOB_RETRYING);
}

static void a_stop_drains_only_what_is_connected_and_never_forgets_that_it_drains(void) {
    enum task_goal goal;

    CU_ASSERT_TRUE(task_view_goal(JOB_STOPPING, true, true, TASK_GOAL_RUN, &goal));
    CU_ASSERT_EQUAL(goal, TASK_GOAL_STOP_DRAIN);
    CU_ASSERT_TRUE(task_view_goal(JOB_STOPPING, true, false, TASK_GOAL_STOP_DRAIN, &goal));
    CU_ASSERT_EQUAL(goal, TASK_GOAL_STOP_DRAIN);
    CU_ASSERT_TRUE(task_view_goal(JOB_STOPPING, true, false, TASK_GOAL_RUN, &goal));
    CU_ASSERT_EQUAL(goal, TASK_GOAL_STOP_NOW);
    /* Asked for again, without the drain. */
    CU_ASSERT_TRUE(task_view_goal(JOB_STOPPING, false, true, TASK_GOAL_STOP_DRAIN, &goal));
    CU_ASSERT_EQUAL(goal, TASK_GOAL_STOP_NOW);
    CU_ASSERT_TRUE(task_view_goal(JOB_STOPPING, true, true, TASK_GOAL_STOP_NOW, &goal));
    CU_ASSERT_EQUAL(goal, TASK_GOAL_STOP_NOW);
}

static void a_job_that_is_not_active_is_nobodys_business(void) {
    enum task_goal goal;

    for (int state = 0; state < JOB_STATE_COUNT; state++) {
        CU_ASSERT_EQUAL(task_view_goal((enum job_state)state, true, true, TASK_GOAL_RUN, &goal),
                        job_state_is_active((enum job_state)state));
    }
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(every_event_that_is_named_has_an_edge_and_comes_to_an_end),
    CUNIT_TEST(a_cutover_is_done_or_undone),
    CUNIT_TEST(the_key_of_a_job_that_has_ended_is_forgotten_once),
    CUNIT_TEST(what_a_task_became_its_job_becomes),
    CUNIT_TEST(a_worker_that_leaves_moves_no_job),
    CUNIT_TEST(trouble_and_recovery_go_back_and_forth),
    CUNIT_TEST(a_stop_drains_only_what_is_connected_and_never_forgets_that_it_drains),
    CUNIT_TEST(a_job_that_is_not_active_is_nobodys_business),
};
CUNIT_MAIN("task_view", tests)
