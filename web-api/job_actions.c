#include "web-api/job_actions.h"

#include <pthread.h>
#include <string.h>

static struct actions { json_t *allowed, *blocked; } made[JOB_STATE_COUNT];

static pthread_once_t once = PTHREAD_ONCE_INIT;

static const char *why_not(const struct job_action *action, enum job_state state,
                           const char *unbuilt) {
    const char *reason = job_state_refusal(action, state);
    bool is_start = strcmp(action->name, "start") == 0 || strcmp(action->name, "purchase") == 0;

    if (!reason && !action->is_built)
        reason = "this version does not do it yet";
    return !reason && is_start ? unbuilt : reason;
}

static struct actions make(enum job_state state, const char *unbuilt) {
    struct actions a = {.allowed = json_array(), .blocked = json_array()};
    size_t count;
    const struct job_action *actions = job_state_actions(&count);

    for (size_t i = 0; i < count; i++) {
        const char *reason = why_not(&actions[i], state, unbuilt);

        if (!reason)
            json_array_append_new(a.allowed, json_string(actions[i].name));
        else
            json_array_append_new(
                a.blocked, json_pack("{s:s, s:s}", "action", actions[i].name, "reason", reason));
    }
    return a;
}

/* As jansson's own true, false and null: nobody counts its references, so threads only read it. */
static void make_immortal(json_t *value) {
    value->refcount = (size_t)-1;
}

static void make_all(void) {
    for (int state = 0; state < JOB_STATE_COUNT; state++) {
        made[state] = make((enum job_state)state, NULL);
        make_immortal(made[state].allowed);
        make_immortal(made[state].blocked);
    }
}

void job_actions(enum job_state state, const char *unbuilt, json_t **ret_allowed,
                 json_t **ret_blocked) {
    struct actions a;

    pthread_once(&once, make_all);
    if (unbuilt)
        a = make(state, unbuilt);
    else
        a = (struct actions){json_incref(made[state].allowed), json_incref(made[state].blocked)};
    *ret_allowed = a.allowed;
    *ret_blocked = a.blocked;
}
