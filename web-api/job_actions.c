#include "web-api/job_actions.h"

#include <pthread.h>
#include <string.h>

#include "services/job/job_spec.h"
#include "web-api/json_out.h"
#include "web-api/json_text.h"

/* By state, by whether changes are followed, and by which of the ends are clusters. */
static struct buf made[JOB_STATE_COUNT][2][2][2];

static pthread_once_t once = PTHREAD_ONCE_INIT;

static const char *why_not(const struct job_action *action, enum job_state state, bool follows,
                           const char *unbuilt) {
    const char *reason = job_state_refusal(action, state);
    bool is_start = strcmp(action->name, "start") == 0 || strcmp(action->name, "purchase") == 0;

    if (!reason && !action->is_built)
        reason = "this version does not do it yet";
    if (!reason && !follows && strcmp(action->name, "cutover") == 0)
        reason = "A cutover comes behind the full copy, while changes are followed";
    return !reason && is_start ? unbuilt : reason;
}

static void make(struct buf *text, enum job_state state, bool follows, const char *unbuilt) {
    size_t count;
    const struct job_action *actions = job_state_actions(&count);

    *text = BUF_INIT(JSON_TEXT_MAX);
    json_out_raw(text, STR_LIT("\"allowed_actions\":["));
    for (size_t i = 0; i < count; i++)
        if (!why_not(&actions[i], state, follows, unbuilt))
            json_out_text(text, NULL, actions[i].name);
    json_out_raw(text, STR_LIT("],\"blocked_actions\":["));
    for (size_t i = 0; i < count; i++) {
        const char *reason = why_not(&actions[i], state, follows, unbuilt);

        if (!reason)
            continue;
        json_out_open(text, NULL, '{');
        json_out_text(text, "action", actions[i].name);
        json_out_text(text, "reason", reason);
        json_out_close(text, '}');
    }
    json_out_raw(text, STR_LIT("]"));
}

static void make_all(void) {
    for (int state = 0; state < JOB_STATE_COUNT; state++)
        for (int i = 0; i < 8; i++) {
            bool follows = i & 4, source = i & 2, destination = i & 1;

            make(&made[state][follows][source][destination], (enum job_state)state, follows,
                 job_spec_unbuilt_of(source, destination));
        }
}

struct str job_actions_text(enum job_state state, bool follows, bool source_is_cluster,
                            bool destination_is_cluster) {
    pthread_once(&once, make_all);
    return buf_str(&made[state][follows][source_is_cluster][destination_is_cluster]);
}
