/* Who works here, for whom, from which addresses; and how one is asked to stop taking work. */
#include <string.h>

#include "sql/store_worker.h"
#include "web-api/call.h"
#include "web-api/handlers/handlers.h"
#include "web-api/json_read.h"
#include "web-api/page.h"

/* A parameter as it was given; NULL = any. */
static const char *given(struct call *call, const char *name) {
    struct str text;

    return request_query(call->request, name, &text) ? arena_dup(call->arena, text) : NULL;
}

/* NULL = any. */
static bool read_state(struct call *call, const char **ret, struct err *err) {
    static const char *const states[] = {"active", "draining", "drained",
                                         "silent"}; /* worker_shown */

    *ret = given(call, "state");
    for (size_t i = 0; *ret && i < LENGTH_OF(states); i++) {
        if (strcmp(*ret, states[i]) == 0)
            return true;
    }
    return !*ret ||
           err_set(err, ERR_VALIDATION, "state: must be active, draining, drained or silent");
}

bool workers_list(struct call *call, struct reply *reply, struct err *err) {
    json_t *workers, *worker;
    const char *state;
    size_t i;

    if (!read_state(call, &state, err) ||
        !store_worker_list(call->store, given(call, "pool"), state, &workers, err))
        return false;
    /* Which machines they are is nobody's business but the operator's. */
    json_array_foreach(workers, i, worker) {
        if (!call->caller.is_operator) {
            json_object_set_new(worker, "host", json_null());
            json_object_set_new(worker, "pid", json_null());
        }
    }
    return page_whole(call->request, "workers", reply, workers, err);
}

bool workers_pools(struct call *call, struct reply *reply, struct err *err) {
    json_t *pools;

    return store_worker_pools(call->store, given(call, "pool"), &pools, err) &&
           page_whole(call->request, "pools", reply, pools, err);
}

bool workers_egress(struct call *call, struct reply *reply, struct err *err) {
    json_t *pools;

    return store_worker_egress(call->store, given(call, "pool"), &pools, err) &&
           page_whole(call->request, "egress", reply, pools, err);
}

/* It names jobs of all accounts. */
static bool find(struct call *call, const char **ret_id, json_t **ret_worker, struct err *err) {
    json_t *worker = NULL;

    if (!call_operator(call, "looks into workers", err) ||
        !call_id(call, 0, "worker", ret_id, err) ||
        !store_worker_get(call->store, *ret_id, &worker, err))
        return false;
    if (!worker)
        return err_set(err, ERR_NOT_FOUND, "no such worker was seen within the last day");
    *ret_worker = worker;
    return true;
}

bool workers_get(struct call *call, struct reply *reply, struct err *err) {
    json_t *worker;
    const char *id;

    if (!find(call, &id, &worker, err))
        return false;
    reply_json(reply, 200, worker);
    return true;
}

static json_t *for_audit(const json_t *worker) {
    return json_pack("{s:O}", "draining", json_object_get(worker, "draining"));
}

static bool drain(struct call *call, struct reply *reply, bool wanted, struct err *err) {
    json_t *before, *after;
    const char *id;
    bool found;

    json_read_known(call->body, &call->fields, "");
    if (!json_read_end(call->fields, err) || !find(call, &id, &before, err))
        return false;
    call_found(call, for_audit(before));
    json_decref(before);
    if (!store_worker_drain(call->store, id, wanted, &found, err) || !find(call, &id, &after, err))
        return false;
    call_left(call, for_audit(after));
    reply_json(reply, wanted ? 202 : 200, after);
    return true;
}

bool workers_drain(struct call *call, struct reply *reply, struct err *err) {
    return drain(call, reply, true, err);
}

bool workers_undrain(struct call *call, struct reply *reply, struct err *err) {
    return drain(call, reply, false, err);
}
