#include "services/job/job_edit_class.h"

#include "services/job/job_class.h"
#include "services/job/job_state.h"
#include "sql/store_job.h"
#include "sql/store_job_edit.h"
#include "sql/store_txn.h"

struct purchase {
    const char *job, *instance_class;
    const struct job_move *move;
    bool is_resize;
};

static bool may_be_resized(const struct store_job *job, struct err *err) {
    enum job_state state = JOB_DRAFT;

    return !job_state_parse(job->state, &state) || !job_state_is_final(state) ||
           err_set(err, ERR_INVALID_STATE, "%s is %s: its class limits nothing any more", job->id,
                   job->state);
}

static bool write_class(struct store *store, const char *job, int64_t version, const char *name,
                        const char *actor, struct err *err) {
    bool written = false;

    if (!store_job_edit_class(store, job, version, name, actor, &written, err))
        return false;
    return written ||
           err_set(err, ERR_STORE_CONFLICT, "%s was changed by somebody else meanwhile", job);
}

/* A class that was chosen may become another one as long as there is something to be done. */
static bool may_have_class(struct store *store, const struct purchase *p,
                           const struct store_job *job, struct err *err) {
    if (!p->is_resize)
        return job_control_may_start(store, job, err);
    if (!may_be_resized(job, err))
        return false;
    return job->instance_class[0] ||
           err_set(err, ERR_INVALID_STATE, "%s has no class yet: purchase one first", p->job);
}

static bool purchase_body(struct store *store, void *arg, struct err *err) {
    const struct purchase *p = arg;
    struct store_job job = STORE_JOB_INIT;
    bool ok;

    if (!store_job_get(store, p->move->account, p->job, &job, err))
        return false;
    if (p->move->expected_version && p->move->expected_version != job.version)
        ok = err_set(err, ERR_ETAG_MISMATCH, "%s is at version %lld by now", p->job,
                     (long long)job.version);
    else
        ok = may_have_class(store, p, &job, err) &&
             write_class(store, p->job, job.version, p->instance_class, p->move->actor, err);
    store_job_done(&job);
    return ok;
}

bool job_edit_class_purchase(struct store *store, const char *job, const struct job_move *move,
                             const char *instance_class, struct err *err) {
    struct purchase p = {.job = job, .instance_class = instance_class, .move = move};

    return store_txn(store, purchase_body, &p, err);
}

bool job_edit_class_resize(struct store *store, const char *job, const struct job_move *move,
                           const char *instance_class, struct err *err) {
    struct purchase p = {
        .job = job, .instance_class = instance_class, .move = move, .is_resize = true};

    return store_txn(store, purchase_body, &p, err);
}

bool job_edit_class_follow(struct store *store, const struct store_job *job, int64_t version,
                           const char *actor, const json_t *patch, const json_t *spec,
                           struct err *err) {
    const char *wished = json_string_value(json_object_get(spec, "instance_class"));

    if (!json_object_get(patch, "instance_class") || !job->instance_class[0])
        return true;
    return may_be_resized(job, err) &&
           write_class(store, job->id, version, wished ? job_class_name(wished) : "unlimited",
                       actor, err);
}
