#include "services/job/job_again.h"

#include <string.h>

#include "services/job/job_edit.h"
#include "services/job/job_reference.h"
#include "services/job/job_request.h"
#include "sql/store_txn.h"

struct again {
    const char *job;
    const struct job_move *move;
};

static bool restart_body(struct store *store, void *arg, struct err *err) {
    const struct again *a = arg;
    bool left = false;

    if (!job_control_move(store, a->job, JOB_EV_RESTART, a->move, NULL, err) ||
        !store_job_left(store, a->job, &left, err))
        return false;
    if (left)
        return err_set(err, ERR_INVALID_STATE,
                       "%s has left its position at the destination: stop it, then forget it; it "
                       "can begin anew after that",
                       a->job);
    return store_job_reset(store, a->job, err);
}

bool job_again_restart(struct store *store, const char *job, const struct job_move *move,
                       struct err *err) {
    struct again a = {.job = job, .move = move};

    return store_txn(store, restart_body, &a, err);
}

/* Where a job was when it was deleted, and what leads back there. */
static enum job_event way_back(const char *was) {
    static const struct {
        const char *was;
        enum job_event event;
    } ways[] = {
        {"completed", JOB_EV_UNDELETE_COMPLETED},
        {"stopped", JOB_EV_UNDELETE_STOPPED},
        {"failed", JOB_EV_UNDELETE_FAILED},
        {"blocked", JOB_EV_UNDELETE_FAILED},
    };

    for (size_t i = 0; i < LENGTH_OF(ways); i++)
        if (strcmp(was, ways[i].was) == 0)
            return ways[i].event;
    return JOB_EV_UNDELETE;
}

static bool undelete_body(struct store *store, void *arg, struct err *err) {
    const struct again *a = arg;
    struct store_job job = STORE_JOB_INIT;
    struct job_move rest = *a->move;
    enum job_event event;
    char was[STORE_STATE_SIZE];
    bool ok;

    rest.expected_version = 0;
    if (!store_job_state_before(store, a->job, "released", was, err))
        return false;
    event = way_back(was);
    if (!job_control_move(store, a->job, event, a->move, NULL, err) ||
        !store_job_get(store, a->move->account, a->job, &job, err))
        return false;
    if (event == JOB_EV_UNDELETE)
        ok = (json_is_object(json_object_get(job.spec, "source")) &&
              json_is_object(json_object_get(job.spec, "destination"))) ||
             job_control_move(store, a->job, JOB_EV_SPEC_INCOMPLETE, &rest, NULL, err);
    else
        ok = event != JOB_EV_UNDELETE_FAILED || job_control_may_hold(store, &job, err);
    store_job_done(&job);
    return ok;
}

bool job_again_undelete(struct store *store, const char *job, const struct job_move *move,
                        struct err *err) {
    struct again a = {.job = job, .move = move};

    return store_txn(store, undelete_body, &a, err);
}

bool job_again_clone(struct store *store, const struct keyring *ring, const struct store_job *job,
                     const char *actor, const json_t *patch, char ret_id[STORE_ID_SIZE],
                     json_t **ret_errors, struct err *err) {
    struct job_spec spec = {0};
    json_t *body = NULL;
    bool ok;

    *ret_errors = NULL;
    if (!job_edit_request(store, ring, job, patch, &body, ret_errors, err))
        return false;
    if (!json_object_get(patch, "name"))
        json_object_del(body, "name");
    ok = job_spec_read(body, &spec, err);
    json_decref(body);
    if (!ok)
        *ret_errors = json_incref(spec.errors);
    ok = ok && job_reference_check(store, job->account, spec.spec, err) &&
         job_control_create(store, ring, job->account, actor, &spec, ret_id, err);
    job_spec_done(&spec);
    return ok;
}
