/* job_precheck.c - the part of job_control.h that runs prechecks: a run and its job move in one
 * transaction, so neither can wait for the other. */
#include <stdio.h>
#include <string.h>

#include "services/common/ulid.h"
#include "services/job/job_control.h"
#include "services/job/job_reference.h"
#include "sql/store_txn.h"

struct queue {
    struct store_precheck_new run;
    const struct job_move *move; /* NULL = the run stands alone */
};

static bool queue_body(struct store *store, void *arg, struct err *err) {
    struct queue *q = arg;

    return (!q->run.job ||
            job_control_move(store, q->run.job, JOB_EV_PRECHECK, q->move, NULL, err)) &&
           store_precheck_insert(store, &q->run, err);
}

static bool seal_run(const struct keyring *ring, const char *id, struct str sealed, struct buf *out,
                     struct err *err) {
    char identity[STORE_ID_SIZE + 16];

    if (sealed.len == 0)
        return true;
    snprintf(identity, sizeof(identity), "precheck:%s", id);
    return seal_close(ring, str_from(identity), sealed, out, err);
}

bool job_control_precheck(struct store *store, const struct keyring *ring, const char *job,
                          const struct job_move *move, const struct store_precheck_options *options,
                          char ret_id[STORE_ID_SIZE], struct err *err) {
    static const struct job_move nobody = {.account = NULL};
    struct buf sealed = BUF_INIT(STORE_SEALED_MAX);
    struct secret opened = SECRET_INIT;
    struct store_job row;
    struct queue q;
    char id[ULID_ID_SIZE];
    bool ok;

    if (!move)
        move = &nobody;
    if (!store_job_get(store, move->account, job, &row, err))
        return false;
    ulid_make("pck", id);
    ok = job_reference_check(store, row.account, row.spec, err) &&
         job_control_unseal(ring, "job", row.id, buf_str(&row.sealed), &opened, err) &&
         seal_run(ring, id, secret_str(&opened), &sealed, err);
    secret_done(&opened);
    q = (struct queue){
        .run = {.id = id,
                .account = row.account,
                .job = job,
                .actor = move->actor,
                .spec_digest = row.spec_digest,
                .spec = row.spec,
                .sealed = buf_str(&sealed),
                .options = options},
        .move = move,
    };
    ok = ok && store_txn(store, queue_body, &q, err);
    buf_done(&sealed);
    store_job_done(&row);
    if (ok)
        snprintf(ret_id, STORE_ID_SIZE, "%s", id);
    return ok;
}

bool job_control_reading(struct store *store, const struct keyring *ring,
                         const struct store_job *job, const char *purpose, const char *actor,
                         int max_age_s, bool *ret_open, struct err *err) {
    const struct store_precheck_options options = {.purpose = purpose, .read_only = true};
    struct buf sealed = BUF_INIT(STORE_SEALED_MAX);
    struct secret opened = SECRET_INIT;
    char id[ULID_ID_SIZE];
    bool ok;

    ulid_make("rdg", id);
    ok = job_reference_check(store, job->account, job->spec, err) &&
         job_control_unseal(ring, "job", job->id, buf_str(&job->sealed), &opened, err) &&
         seal_run(ring, id, secret_str(&opened), &sealed, err);
    secret_done(&opened);
    if (ok) {
        const struct store_precheck_new run = {.id = id,
                                               .account = job->account,
                                               .job = job->id,
                                               .actor = actor,
                                               .spec_digest = job->spec_digest,
                                               .spec = job->spec,
                                               .sealed = buf_str(&sealed),
                                               .options = &options};

        ok = store_precheck_reading_ask(store, &run, max_age_s, ret_open, err);
    }
    buf_done(&sealed);
    return ok;
}

static const char *id_prefix(const char *purpose) {
    if (purpose && strcmp(purpose, "connectivity") == 0)
        return "cnt";
    return purpose && strcmp(purpose, "discover") == 0 ? "dsc" : "pck";
}

bool job_control_precheck_alone(struct store *store, const struct keyring *ring,
                                const char *account, const char *actor, const struct job_spec *spec,
                                const struct store_precheck_options *options,
                                char ret_id[STORE_ID_SIZE], struct err *err) {
    struct buf sealed = BUF_INIT(STORE_SEALED_MAX);
    struct store_precheck_new run;
    char id[ULID_ID_SIZE];
    bool ok;

    ulid_make(id_prefix(options->purpose), id);
    ok = seal_run(ring, id, secret_str(&spec->sealed), &sealed, err);
    run = (struct store_precheck_new){
        .id = id,
        .account = account,
        .job = options->of_job,
        .actor = actor,
        .spec_digest = spec->digest,
        .spec = spec->spec,
        .sealed = buf_str(&sealed),
        .options = options,
    };
    ok = ok && store_precheck_insert(store, &run, err);
    buf_done(&sealed);
    if (ok)
        snprintf(ret_id, STORE_ID_SIZE, "%s", id);
    return ok;
}

/* Move the job of a run that is over. A job that is not waiting for it any more (it was
 * deleted, or never was) stays as it is. */
static bool move_along(struct store *store, const char *job, enum job_event event,
                       const char *actor, const char *detail, struct err *err) {
    const struct job_move move = {.actor = actor, .detail = detail};
    struct err refused = ERR_INIT;

    if (job[0] == '\0' || job_control_move(store, job, event, &move, NULL, &refused))
        return true;
    if (refused.code == ERR_INVALID_STATE)
        return true;
    *err = refused;
    return false;
}

struct finish {
    const char *precheck, *worker;
    int64_t lease_epoch;
    const json_t *facts, *plan;
    const struct err *failure;
};

/* A job that was started or resumed, and that what a person has to put right stands against, is
 * paused; one that has moved on is left alone. */
static bool after_start(struct store *store, const struct store_precheck_end *end,
                        const char *actor, struct err *err) {
    const struct job_move move = {.actor = actor,
                                  .detail = end->failed,
                                  .error_code = err_slug(ERR_PRECHECK_FAILED),
                                  .error_detail = end->failed};
    struct err refused = ERR_INIT;

    if (end->failed[0] == '\0' ||
        job_control_move(store, end->job, JOB_EV_PAUSE, &move, NULL, &refused))
        return true;
    if (refused.code != ERR_INVALID_STATE)
        *err = refused;
    return refused.code == ERR_INVALID_STATE;
}

static bool finish_body(struct store *store, void *arg, struct err *err) {
    struct finish *f = arg;
    struct store_precheck_end end;
    char actor[128];
    char detail[ERR_FRAMES * ERR_FRAME_LEN] = "";
    enum job_event event;

    if (f->failure)
        err_format(f->failure, detail, sizeof(detail));
    if (!store_precheck_finish(store, f->precheck, f->worker, f->lease_epoch, f->facts, f->plan,
                               f->failure ? err_slug(f->failure->code) : NULL, detail, &end, err))
        return false;
    if (end.state[0] == '\0')
        return err_set(err, ERR_FENCED, "the precheck %s is over or another worker's", f->precheck);
    snprintf(actor, sizeof(actor), "worker:%s", f->worker);
    if (strcmp(end.purpose, "start") == 0)
        return after_start(store, &end, actor, err);
    if (strcmp(end.purpose, "precheck") != 0)
        return true; /* it only looked */
    event = strcmp(end.state, "passed") == 0 ? JOB_EV_PRECHECK_PASSED : JOB_EV_PRECHECK_FAILED;
    return move_along(store, end.job, event, actor, detail[0] ? detail : NULL, err);
}

bool job_control_precheck_finish(struct store *store, const char *precheck, const char *worker,
                                 int64_t lease_epoch, const json_t *facts, const json_t *plan,
                                 const struct err *failure, struct err *err) {
    struct finish f = {
        .precheck = precheck,
        .worker = worker,
        .lease_epoch = lease_epoch,
        .facts = facts,
        .plan = plan,
        .failure = failure,
    };

    return store_txn(store, finish_body, &f, err);
}

struct ignore {
    const char *account, *precheck, *check_id, *reason, *actor;
};

static bool ignore_body(struct store *store, void *arg, struct err *err) {
    struct ignore *i = arg;
    char result[STORE_STATE_SIZE], job[STORE_ID_SIZE];
    struct store_precheck run;
    bool passes = false;
    int ignored = 0;

    if (!store_precheck_get(store, i->account, i->precheck, &run, err))
        return false;
    snprintf(job, sizeof(job), "%s", run.job);
    store_precheck_done(&run);
    if (!store_precheck_ignore(store, i->precheck, i->check_id, i->reason, i->actor, &ignored,
                               result, &passes, err))
        return false;
    if (i->check_id && result[0] == '\0')
        return err_set(err, ERR_NOT_FOUND, "the precheck %s has no item %s", i->precheck,
                       i->check_id);
    /* Accepted before is accepted: asking twice is no error. */
    if (i->check_id && ignored == 0 && strcmp(result, "ignored") != 0)
        return err_set(err, ERR_NOT_IGNORABLE,
                       strcmp(result, "warn") == 0
                           ? "%s is a remark: it holds nothing up, and nobody has to accept it"
                           : "%s is %s; only a warning can be accepted",
                       i->check_id, result);
    return !passes || move_along(store, job, JOB_EV_WARNINGS_IGNORED, i->actor, i->reason, err);
}

bool job_control_precheck_ignore(struct store *store, const char *account, const char *precheck,
                                 const char *check_id, const char *reason, const char *actor,
                                 struct err *err) {
    struct ignore i = {
        .account = account,
        .precheck = precheck,
        .check_id = check_id,
        .reason = reason,
        .actor = actor,
    };

    return store_txn(store, ignore_body, &i, err);
}

struct cancel {
    const char *account, *precheck, *actor;
};

static bool cancel_body(struct store *store, void *arg, struct err *err) {
    struct cancel *c = arg;
    char job[STORE_ID_SIZE];
    struct store_precheck run;
    bool cancelled = false;

    if (!store_precheck_get(store, c->account, c->precheck, &run, err))
        return false;
    store_precheck_done(&run);
    if (!store_precheck_cancel(store, c->account, c->precheck, &cancelled, job, err))
        return false;
    if (!cancelled)
        return err_set(err, ERR_INVALID_STATE, "the precheck %s is over", c->precheck);
    return move_along(store, job, JOB_EV_PRECHECK_CANCELLED, c->actor, NULL, err);
}

bool job_control_precheck_cancel(struct store *store, const char *account, const char *precheck,
                                 const char *actor, struct err *err) {
    struct cancel c = {.account = account, .precheck = precheck, .actor = actor};

    return store_txn(store, cancel_body, &c, err);
}
