/* A job once more, and one action on many. */
#include <string.h>

#include "services/job/job_again.h"
#include "services/job/job_class.h"
#include "sql/store_account.h"
#include "web-api/app.h"
#include "web-api/call.h"
#include "web-api/handlers/handlers.h"
#include "web-api/json_read.h"

enum { BATCH_MAX = 50 };

typedef bool again_function(struct store *store, const char *job, const struct job_move *move,
                            struct err *err);

static bool do_again(struct call *call, struct reply *reply, again_function *again,
                     struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    struct job_move move = call_move(call);
    bool ok;

    json_read_known(call->body, &call->fields, "");
    if (!json_read_end(call->fields, err) || !call_job(call, &job, err))
        return false;
    ok = call_if_match(call, job.version, &move.expected_version, err) &&
         again(call->store, job.id, &move, err) && call_reply_job(call, reply, 202, job.id, err);
    store_job_done(&job);
    return ok;
}

bool job_repeats_restart(struct call *call, struct reply *reply, struct err *err) {
    return do_again(call, reply, job_again_restart, err);
}

static bool undelete(struct store *store, const char *job, const struct job_move *move,
                     struct err *err) {
    return store_account_room(store, move->account, "jobs", err) &&
           job_again_undelete(store, job, move, err);
}

bool job_repeats_undelete(struct call *call, struct reply *reply, struct err *err) {
    return do_again(call, reply, undelete, err);
}

/* The body is a merge patch of what was asked for: {} is the same once more. */
bool job_repeats_clone(struct call *call, struct reply *reply, struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    char id[STORE_ID_SIZE];
    int64_t expected;
    bool ok;

    if (!call_job(call, &job, err))
        return false;
    ok = call_if_match(call, job.version, &expected, err) &&
         (strcmp(job.state, "released") != 0 ||
          err_set(err, ERR_INVALID_STATE, "%s is released", job.id));
    ok = ok && store_account_room(call->store, call->caller.account, "jobs", err) &&
         job_again_clone(call->store, app_keyring(call->app), &job, call->caller.actor, call->body,
                         id, &call->fields, err) &&
         call_reply_job(call, reply, 201, id, err);
    store_job_done(&job);
    if (ok)
        reply_header(reply, "Location", arena_printf(call->arena, "/v1/jobs/%s", id));
    return ok;
}

/* ---- many ---- */

static bool start_one(struct call *call, const char *id, const struct job_move *move,
                      struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    const char *wished;
    bool ok;

    if (!store_account_room(call->store, move->account, "running_jobs", err) ||
        !store_job_get(call->store, move->account, id, &job, err))
        return false;
    wished = json_string_value(json_object_get(job.spec, "instance_class"));
    if (!wished)
        wished = "unlimited";
    ok =
        job_control_start(call->store, id, move,
                          job.instance_class[0] ? job.instance_class : job_class_name(wished), err);
    store_job_done(&job);
    return ok;
}

static bool resume_one(struct call *call, const char *id, const struct job_move *move,
                       struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    bool ok = store_job_get(call->store, move->account, id, &job, err) &&
              call_may_go_on(call, &job, err) &&
              job_control_move(call->store, id, JOB_EV_RESUME, move, NULL, err);

    store_job_done(&job);
    return ok;
}

static bool act(struct call *call, const char *action, const char *seen, const char *id,
                struct err *err) {
    struct job_move move = call_move(call);
    /* As the action alone with an empty body: what was chosen another time counts no more. */
    json_t *wanted = json_pack("{s:s, s:b}", "on_full_resync_needed", "fail", "drain", 1);
    bool ok;

    move.detail = seen;
    if (strcmp(action, "start") == 0) {
        ok = start_one(call, id, &move, err);
    } else if (strcmp(action, "delete") == 0) {
        ok = job_control_release(call->store, id, &move, err);
    } else if (strcmp(action, "pause") == 0) {
        ok = job_control_move(call->store, id, JOB_EV_PAUSE, &move, NULL, err);
    } else {
        move.wanted = wanted;
        ok = strcmp(action, "resume") == 0
                 ? resume_one(call, id, &move, err)
                 : job_control_move(call->store, id, JOB_EV_STOP, &move, NULL, err);
    }
    json_decref(wanted);
    return ok;
}

/* What came of one: the state it is in, or the code of what refused it. */
static bool outcome(struct call *call, const char *id, bool done, const struct err *why,
                    json_t *items, struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    struct err unknown = ERR_INIT;
    bool is_there = store_job_get(call->store, call->caller.account, id, &job, &unknown);

    if (!is_there && unknown.code != ERR_NOT_FOUND) {
        *err = unknown;
        return false;
    }
    json_array_append_new(items,
                          json_pack("{s:s, s:i, s:o, s:o, s:o}", "id", id, "status",
                                    done ? 202 : err_http(why->code), "state",
                                    is_there ? json_string(job.state) : json_null(), "code",
                                    done ? json_null() : json_string(err_slug(why->code)), "detail",
                                    done ? json_null() : json_string(why->frame[0])));
    store_job_done(&job);
    return true;
}

/* Each on its own: one that is refused keeps no other from going on. */
bool job_repeats_batch(struct call *call, struct reply *reply, struct err *err) {
    const char *action = NULL, *seen = NULL, *ids[BATCH_MAX];
    size_t count = 0;
    json_t *items;
    bool ok = true;

    json_read_known(call->body, &call->fields, "action ids acknowledge_limits");
    json_read_choice(call->body, &call->fields, "action", "start|pause|resume|stop|delete",
                     &action);
    json_read_texts(call->body, &call->fields, "ids", BATCH_MAX, STORE_ID_SIZE - 1, ids, &count);
    if (!action && !call->fields)
        json_read_wrong(&call->fields, "/action", "required", "is missing");
    if (count == 0 && !call->fields)
        json_read_wrong(&call->fields, "/ids", "required", "name at least one job");
    if (action && strcmp(action, "start") == 0)
        (void)job_moves_acknowledged(call, &seen);
    else if (json_object_get(call->body, "acknowledge_limits"))
        json_read_wrong(&call->fields, "/acknowledge_limits", "invalid", "belongs to a start");
    if (!json_read_end(call->fields, err))
        return false;
    items = json_array();
    for (size_t i = 0; ok && i < count; i++) {
        struct err why = ERR_INIT;
        bool done = act(call, action, seen, ids[i], &why);

        if (!done && err_http(why.code) >= 500) {
            *err = why;
            ok = false;
        } else {
            ok = outcome(call, ids[i], done, &why, items, err);
        }
    }
    if (ok) {
        call_left(call, json_pack("{s:s, s:O}", "action", action, "jobs", items));
        reply_json(reply, 207, json_pack("{s:O}", "items", items));
    }
    json_decref(items);
    return ok;
}
