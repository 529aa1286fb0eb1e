#include "services/job/job_state.h"

#include <string.h>

struct state_row {
    const char *name;
    const char *dts_status;
    bool is_final, is_active, holds_destination;
};

static const struct state_row states[JOB_STATE_COUNT] = {
    /* name, dts_status, final, active, holds its part of the destination */
    [JOB_DRAFT] = {"draft", "NotConfigured", false, false, false},
    [JOB_CONFIGURED] = {"configured", "NotStarted", false, false, false},
    [JOB_PRECHECKING] = {"prechecking", "Prechecking", false, false, false},
    [JOB_PRECHECK_FAILED] = {"precheck_failed", "PrecheckFailed", false, false, false},
    [JOB_PRECHECK_PASSED] = {"precheck_passed", "PreCheckPass", false, false, false},
    [JOB_SCHEDULED] = {"scheduled", "PreCheckPass", false, false, true},
    [JOB_QUEUED] = {"queued", "Migrating", false, true, true},
    [JOB_STARTING] = {"starting", "Migrating", false, true, true},
    [JOB_RUNNING] = {"running", "Migrating", false, true, true},
    [JOB_RETRYING] = {"retrying", "Retrying", false, true, true},
    [JOB_PAUSING] = {"pausing", "Suspending", false, true, true},
    [JOB_PAUSED] = {"paused", "Suspending", false, false, true},
    [JOB_BLOCKED] = {"blocked", "Suspending", false, false, true},
    [JOB_CUTTING_OVER] = {"cutting_over", "Migrating", false, true, true},
    [JOB_FAILED] = {"failed", "MigrationFailed", false, false, true},
    [JOB_COMPLETED] = {"completed", "Finished", true, false, false},
    [JOB_STOPPING] = {"stopping", "Migrating", false, true, true},
    [JOB_STOPPED] = {"stopped", "Finished", true, false, false},
    [JOB_RELEASED] = {"released", "Finished", true, false, false},
};

static const char *const events[JOB_EVENT_COUNT] = {
#define JOB_EVENT(symbol, name) name,
#include "services/job/job_events.def"
#undef JOB_EVENT
};

/* What is called "give up" below: a person releases a job whose destination cannot be
 * reached any more. Its held expiries stay until `keyferry settle`. */
static const struct job_edge edges[] = {
    {JOB_DRAFT, JOB_EV_SPEC_COMPLETED, JOB_CONFIGURED, "The specification is complete"},
    {JOB_DRAFT, JOB_EV_SPEC_INCOMPLETE, JOB_DRAFT, "The specification was changed"},
    {JOB_DRAFT, JOB_EV_RELEASE, JOB_RELEASED, "The job was deleted"},

    {JOB_CONFIGURED, JOB_EV_SPEC_CHANGED, JOB_CONFIGURED, "The specification was changed"},
    {JOB_CONFIGURED, JOB_EV_SPEC_INCOMPLETE, JOB_DRAFT, "The specification is incomplete now"},
    {JOB_CONFIGURED, JOB_EV_PRECHECK, JOB_PRECHECKING, "A precheck was asked for"},
    {JOB_CONFIGURED, JOB_EV_RELEASE, JOB_RELEASED, "The job was deleted"},

    {JOB_PRECHECKING, JOB_EV_PRECHECK_PASSED, JOB_PRECHECK_PASSED, "The precheck passed"},
    {JOB_PRECHECKING, JOB_EV_PRECHECK_FAILED, JOB_PRECHECK_FAILED, "The precheck did not pass"},
    {JOB_PRECHECKING, JOB_EV_PRECHECK_CANCELLED, JOB_CONFIGURED, "The precheck was cancelled"},
    {JOB_PRECHECKING, JOB_EV_RELEASE, JOB_RELEASED, "The job was deleted"},

    {JOB_PRECHECK_FAILED, JOB_EV_SPEC_CHANGED, JOB_CONFIGURED, "The specification was changed"},
    {JOB_PRECHECK_FAILED, JOB_EV_SPEC_INCOMPLETE, JOB_DRAFT, "The specification is incomplete now"},
    {JOB_PRECHECK_FAILED, JOB_EV_PRECHECK, JOB_PRECHECKING, "A precheck was asked for"},
    {JOB_PRECHECK_FAILED, JOB_EV_WARNINGS_IGNORED, JOB_PRECHECK_PASSED,
     "The last warning was accepted"},
    {JOB_PRECHECK_FAILED, JOB_EV_RELEASE, JOB_RELEASED, "The job was deleted"},

    {JOB_PRECHECK_PASSED, JOB_EV_SPEC_CHANGED, JOB_CONFIGURED, "The specification was changed"},
    {JOB_PRECHECK_PASSED, JOB_EV_SPEC_INCOMPLETE, JOB_DRAFT, "The specification is incomplete now"},
    {JOB_PRECHECK_PASSED, JOB_EV_PRECHECK, JOB_PRECHECKING, "A precheck was asked for"},
    {JOB_PRECHECK_PASSED, JOB_EV_START, JOB_QUEUED, "The start was asked for"},
    {JOB_PRECHECK_PASSED, JOB_EV_SCHEDULE, JOB_SCHEDULED, "The start was scheduled"},
    {JOB_PRECHECK_PASSED, JOB_EV_RELEASE, JOB_RELEASED, "The job was deleted"},

    {JOB_SCHEDULED, JOB_EV_DUE, JOB_QUEUED, "The scheduled time has come"},
    {JOB_SCHEDULED, JOB_EV_START, JOB_QUEUED, "The start was asked for"},
    {JOB_SCHEDULED, JOB_EV_STOP, JOB_STOPPED, "The job was stopped before it began"},

    {JOB_QUEUED, JOB_EV_CLAIMED, JOB_STARTING, "A worker took the job"},
    {JOB_QUEUED, JOB_EV_PAUSE, JOB_PAUSED, "The job was paused before it began"},
    {JOB_QUEUED, JOB_EV_STOP, JOB_STOPPED, "The job was stopped before it began"},

    {JOB_STARTING, JOB_EV_RUNNING, JOB_RUNNING, "Both ends are connected"},
    {JOB_STARTING, JOB_EV_TROUBLE, JOB_RETRYING, "The start met an error and is tried again"},
    {JOB_STARTING, JOB_EV_BLOCK, JOB_BLOCKED, "A person must decide how to go on"},
    {JOB_STARTING, JOB_EV_FAIL, JOB_FAILED, "The job failed"},
    {JOB_STARTING, JOB_EV_PAUSE, JOB_PAUSING, "A pause was asked for"},
    {JOB_STARTING, JOB_EV_STOP, JOB_STOPPING, "The stop was asked for"},

    {JOB_RUNNING, JOB_EV_COPIED, JOB_RUNNING, "The full copy is complete; changes are followed"},
    {JOB_RUNNING, JOB_EV_CAUGHT_UP, JOB_RUNNING, "The destination has caught up"},
    {JOB_RUNNING, JOB_EV_FULL_RESYNC, JOB_RUNNING, "A new full copy begins"},
    {JOB_RUNNING, JOB_EV_TROUBLE, JOB_RETRYING,
     "An end does not answer, or refuses; it is tried again"},
    {JOB_RUNNING, JOB_EV_BLOCK, JOB_BLOCKED, "A person must decide how to go on"},
    {JOB_RUNNING, JOB_EV_FAIL, JOB_FAILED, "The job failed"},
    {JOB_RUNNING, JOB_EV_PAUSE, JOB_PAUSING, "A pause was asked for"},
    {JOB_RUNNING, JOB_EV_STOP, JOB_STOPPING, "The stop was asked for"},
    {JOB_RUNNING, JOB_EV_CUTOVER, JOB_CUTTING_OVER, "The cutover was asked for"},
    {JOB_RUNNING, JOB_EV_COMPLETED, JOB_COMPLETED, "The full copy is complete"},

    {JOB_RETRYING, JOB_EV_RECOVERED, JOB_RUNNING, "Both ends answer again"},
    {JOB_RETRYING, JOB_EV_BLOCK, JOB_BLOCKED, "A person must decide how to go on"},
    {JOB_RETRYING, JOB_EV_FAIL, JOB_FAILED, "The retry clock ran out"},
    {JOB_RETRYING, JOB_EV_PAUSE, JOB_PAUSING, "A pause was asked for"},
    {JOB_RETRYING, JOB_EV_STOP, JOB_STOPPING, "The stop was asked for"},

    {JOB_PAUSING, JOB_EV_PAUSED, JOB_PAUSED, "The job is paused"},
    {JOB_PAUSING, JOB_EV_BLOCK, JOB_BLOCKED, "A person must decide how to go on"},
    {JOB_PAUSING, JOB_EV_FAIL, JOB_FAILED, "The job failed"},
    {JOB_PAUSING, JOB_EV_STOP, JOB_STOPPING, "The stop was asked for"},

    {JOB_PAUSED, JOB_EV_RESUME, JOB_STARTING, "The job was resumed"},
    {JOB_PAUSED, JOB_EV_STOP, JOB_STOPPING, "The stop was asked for"},

    {JOB_BLOCKED, JOB_EV_RESUME, JOB_STARTING, "The job was resumed"},
    {JOB_BLOCKED, JOB_EV_RESTART, JOB_CONFIGURED, "The job begins anew; it needs a precheck"},
    {JOB_BLOCKED, JOB_EV_STOP, JOB_STOPPING, "The stop was asked for"},
    {JOB_BLOCKED, JOB_EV_RELEASE, JOB_RELEASED, "The job was given up and deleted"},

    {JOB_FAILED, JOB_EV_RESUME, JOB_STARTING, "The job was resumed"},
    {JOB_FAILED, JOB_EV_RESTART, JOB_CONFIGURED, "The job begins anew; it needs a precheck"},
    {JOB_FAILED, JOB_EV_STOP, JOB_STOPPING, "The stop was asked for"},
    {JOB_FAILED, JOB_EV_RELEASE, JOB_RELEASED, "The job was given up and deleted"},

    {JOB_CUTTING_OVER, JOB_EV_CUT_OVER, JOB_COMPLETED, "The cutover is complete"},
    {JOB_CUTTING_OVER, JOB_EV_ABORT_ASKED, JOB_CUTTING_OVER, "The cutover is to be called off"},
    {JOB_CUTTING_OVER, JOB_EV_ABORT_CUTOVER, JOB_RUNNING, "The cutover was called off"},
    {JOB_CUTTING_OVER, JOB_EV_CUTOVER_FAILED, JOB_RUNNING, "The cutover was given up"},
    {JOB_CUTTING_OVER, JOB_EV_BLOCK, JOB_BLOCKED, "A person must decide how to go on"},

    /* A drain waits for the source. When that is gone the stop is asked for again,
     * without the drain. */
    {JOB_STOPPING, JOB_EV_STOP, JOB_STOPPING, "The stop was asked for again"},
    {JOB_STOPPING, JOB_EV_STOPPED, JOB_STOPPED, "The job is stopped; every expiry is settled"},
    {JOB_STOPPING, JOB_EV_BLOCK, JOB_BLOCKED, "A person must decide how to go on"},
    {JOB_STOPPING, JOB_EV_FAIL, JOB_FAILED, "The stop failed; held expiries are unsettled"},

    {JOB_COMPLETED, JOB_EV_RESTART, JOB_CONFIGURED, "The job begins anew; it needs a precheck"},
    {JOB_COMPLETED, JOB_EV_FORGET_ASKED, JOB_COMPLETED,
     "Our last key is to be removed from the destination"},
    {JOB_COMPLETED, JOB_EV_FORGET, JOB_COMPLETED, "Our last key was removed from the destination"},
    {JOB_COMPLETED, JOB_EV_FORGET_FAILED, JOB_COMPLETED, "Our last key could not be removed"},
    {JOB_COMPLETED, JOB_EV_RELEASE, JOB_RELEASED, "The job was deleted"},

    {JOB_STOPPED, JOB_EV_RESTART, JOB_CONFIGURED, "The job begins anew; it needs a precheck"},
    {JOB_STOPPED, JOB_EV_FORGET_ASKED, JOB_STOPPED,
     "Our last key is to be removed from the destination"},
    {JOB_STOPPED, JOB_EV_FORGET, JOB_STOPPED, "Our last key was removed from the destination"},
    {JOB_STOPPED, JOB_EV_FORGET_FAILED, JOB_STOPPED, "Our last key could not be removed"},
    {JOB_STOPPED, JOB_EV_RELEASE, JOB_RELEASED, "The job was deleted"},

    /* What was started has left something at its destination: it can be ended, forgotten, or
     * begun anew after that, as before it was deleted. */
    {JOB_RELEASED, JOB_EV_UNDELETE, JOB_CONFIGURED, "The job was restored; it needs a precheck"},
    {JOB_RELEASED, JOB_EV_UNDELETE_COMPLETED, JOB_COMPLETED, "The completed job was restored"},
    {JOB_RELEASED, JOB_EV_UNDELETE_STOPPED, JOB_STOPPED, "The stopped job was restored"},
    {JOB_RELEASED, JOB_EV_UNDELETE_FAILED, JOB_FAILED, "The job that was given up was restored"},
};

#define IN(state) (1u << (state))
#define NOT_RELEASED (((1u << JOB_STATE_COUNT) - 1) & ~IN(JOB_RELEASED))
#define EDITABLE                                                                                   \
    (IN(JOB_DRAFT) | IN(JOB_CONFIGURED) | IN(JOB_PRECHECK_FAILED) | IN(JOB_PRECHECK_PASSED))
/* Where job_edit_ends.h takes other logins and addresses. */
#define AT_REST (IN(JOB_PAUSED) | IN(JOB_BLOCKED) | IN(JOB_FAILED) | IN(JOB_RETRYING))
#define WITH_SPEC (NOT_RELEASED & ~IN(JOB_DRAFT))

/* An action is allowed where its event has an edge, and its method or route is there. */
static const struct job_action actions[] = {
    {"edit", JOB_EVENT_COUNT, EDITABLE, true,
     "The specification is fixed once the job has started"},
    {"edit_ends", JOB_EVENT_COUNT, EDITABLE | AT_REST, true,
     "Logins, certificates and addresses change while the job is paused, blocked, failed or "
     "retrying"},
    {"precheck", JOB_EV_PRECHECK, 0, true,
     "A precheck is run on a complete job that has not started"},
    {"purchase", JOB_EVENT_COUNT, IN(JOB_PRECHECK_PASSED), true, "The precheck must pass first"},
    {"start", JOB_EV_START, 0, true, "A job starts once its precheck has passed"},
    {"pause", JOB_EV_PAUSE, 0, true, "Only a job that is queued or running can be paused"},
    {"resume", JOB_EV_RESUME, 0, true, "Only a paused, blocked or failed job can be resumed"},
    {"stop", JOB_EV_STOP, 0, true, "Only a started job that has not ended can be stopped"},
    {"restart", JOB_EV_RESTART, 0, true, "Only a job that has ended can begin anew"},
    {"cutover", JOB_EV_CUTOVER, 0, true, "A cutover needs a running job"},
    {"abort_cutover", JOB_EV_ABORT_ASKED, 0, true, "No cutover is going on"},
    {"reverse", JOB_EVENT_COUNT, IN(JOB_COMPLETED), false, "The job must be cut over first"},
    {"forget", JOB_EV_FORGET_ASKED, 0, true, "The job must have ended first"},
    {"throttle", JOB_EVENT_COUNT, WITH_SPEC, true, "The job is deleted"},
    {"verify", JOB_EVENT_COUNT, WITH_SPEC, false, "The job is deleted"},
    {"clone", JOB_EVENT_COUNT, NOT_RELEASED, true, "The job is deleted"},
    {"delete", JOB_EV_RELEASE, 0, true, "A job that is running or paused must be stopped first"},
    {"undelete", JOB_EV_UNDELETE, 0, true, "The job is not deleted"},
};

const char *job_state_name(enum job_state state) {
    return states[state].name;
}

bool job_state_parse(const char *name, enum job_state *ret_state) {
    for (int i = 0; i < JOB_STATE_COUNT; i++) {
        if (strcmp(states[i].name, name) == 0) {
            *ret_state = (enum job_state)i;
            return true;
        }
    }
    return false;
}

const char *job_state_event_name(enum job_event event) {
    return events[event];
}

const struct job_edge *job_state_next(enum job_state from, enum job_event event) {
    for (size_t i = 0; i < LENGTH_OF(edges); i++) {
        if (edges[i].from == from && edges[i].event == event)
            return &edges[i];
    }
    return NULL;
}

const struct job_edge *job_state_edges(size_t *ret_count) {
    *ret_count = LENGTH_OF(edges);
    return edges;
}

bool job_state_is_final(enum job_state state) {
    return states[state].is_final;
}

bool job_state_is_active(enum job_state state) {
    return states[state].is_active;
}

bool job_state_holds_destination(enum job_state state) {
    return states[state].holds_destination;
}

const char *job_state_dts_status(enum job_state state) {
    return states[state].dts_status;
}

const struct job_action *job_state_actions(size_t *ret_count) {
    *ret_count = LENGTH_OF(actions);
    return actions;
}

/* What stands before the action's own reason: where the job is, it would be beside the point. */
static const char *reason_of_state(const struct job_action *action, enum job_state state) {
    bool begins = strcmp(action->name, "start") == 0 || strcmp(action->name, "purchase") == 0;

    if (state == JOB_RELEASED)
        return "The job is deleted; it can be restored";
    if (state == JOB_DRAFT &&
        (begins || action->states == WITH_SPEC || action->event == JOB_EV_PRECHECK))
        return "The job is incomplete: it needs a source and a destination";
    if (begins && !(EDITABLE & IN(state)) && state != JOB_PRECHECKING)
        return "A start was asked for already";
    return NULL;
}

const char *job_state_refusal(const struct job_action *action, enum job_state state) {
    const char *before = reason_of_state(action, state);

    bool allowed = action->event == JOB_EVENT_COUNT ? (action->states & IN(state)) != 0
                                                    : job_state_next(state, action->event) != NULL;

    if (!action->is_built)
        return "This is not built yet";
    if (allowed)
        return NULL;
    return before ? before : action->reason;
}

bool job_state_mermaid(struct buf *out, struct err *err) {
    if (!buf_append(out, STR_LIT("stateDiagram-v2\n    [*] --> draft\n    [*] --> configured\n"),
                    err))
        return false;
    for (size_t i = 0; i < LENGTH_OF(edges); i++) {
        if (!buf_printf(out, err, "    %s --> %s: %s\n", states[edges[i].from].name,
                        states[edges[i].to].name, events[edges[i].event]))
            return false;
    }
    return buf_append(out, STR_LIT("    released --> [*]\n"), err);
}
