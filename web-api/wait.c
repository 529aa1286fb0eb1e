#include "web-api/wait.h"

#include <poll.h>
#include <string.h>

#include "services/common/clock.h"
#include "services/job/job_state.h"
#include "web-api/app.h"
#include "web-api/call.h"
#include "web-api/handlers/handlers.h"
#include "web-api/precheck_view.h"

enum { FIRST_PAUSE_MS = 40, LAST_PAUSE_MS = 300 };

int wait_seconds(struct str prefer) {
    struct str one;
    uint64_t seconds;

    while (str_cut(&prefer, ',', &one)) {
        one = str_trim(one);
        if (str_starts_with(one, STR_LIT("wait=")) && str_parse_u64(str_skip(one, 5), &seconds))
            return seconds < WAIT_MAX_SECONDS ? (int)seconds : WAIT_MAX_SECONDS;
    }
    return 0;
}

/* Its last key is to be removed, which moves it nowhere. */
static bool job_forgets(const struct store_job *job) {
    enum job_state state;

    return job_state_parse(job->state, &state) && job_state_is_final(state) &&
           json_is_true(json_object_get(job->wanted, "forget"));
}

/* States a job passes through on its way to where an action sends it. */
static bool job_moves(const char *state) {
    static const char *const passing[] = {"prechecking", "queued",   "starting",
                                          "pausing",     "stopping", "cutting_over"};

    for (size_t i = 0; i < LENGTH_OF(passing); i++)
        if (strcmp(state, passing[i]) == 0)
            return true;
    return false;
}

/* Look once and make the answer anew. False when it cannot be read now. */
static bool look(struct call *call, struct reply *fresh, bool *ret_ended, struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    struct store_precheck precheck = {0};
    bool ok, ended = false;

    if (!store_pool_take(app_pool(call->app), LAST_PAUSE_MS, &call->store, err))
        return false;
    if (call->wait_for == WAIT_FOR_JOB) {
        ok = store_job_get(call->store, call->caller.account, call->wait_id, &job, err);
        if (ok) {
            ended = !job_moves(job.state) && !job_forgets(&job);
            call_reply_view(fresh, 0, &job);
        }
        store_job_done(&job);
    } else if (call->wait_for == WAIT_FOR_INSTANCE) {
        ok = instances_look(call, fresh, &ended, err);
    } else {
        ok = store_precheck_get(call->store, call->caller.account, call->wait_id, &precheck, err);
        if (ok) {
            ended = strcmp(precheck.state, "queued") != 0 && strcmp(precheck.state, "running") != 0;
            call_reply_tagged(fresh, 0, precheck_view(&precheck));
        }
        store_precheck_done(&precheck);
    }
    store_pool_give(app_pool(call->app), call->store);
    call->store = NULL;
    *ret_ended = ended;
    return ok;
}

void wait_for_end(struct call *call, struct reply *reply) {
    int seconds = wait_seconds(request_header(call->request, "Prefer"));
    int64_t until_ms = clock_mono_ms() + (int64_t)seconds * 1000;
    int pause_ms = FIRST_PAUSE_MS;
    bool ended = false;

    if (call->wait_for == WAIT_FOR_NOTHING || seconds == 0)
        return;
    reply_header(reply, "Preference-Applied", arena_printf(call->arena, "wait=%d", seconds));
    while (!ended && clock_mono_ms() < until_ms && !app_is_stopping(call->app)) {
        struct reply fresh = REPLY_INIT(call->arena);
        struct err err = ERR_INIT;

        poll(NULL, 0, pause_ms);
        pause_ms = pause_ms * 3 / 2 < LAST_PAUSE_MS ? pause_ms * 3 / 2 : LAST_PAUSE_MS;
        if (look(call, &fresh, &ended, &err)) {
            reply->body = fresh.body;
            reply_header(reply, "ETag", reply_header_get(&fresh, "ETag"));
        }
    }
}
