#include "services/job/job_control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "services/common/ulid.h"
#include "services/job/job_reference.h"
#include "services/job/job_schedule.h"
#include "services/job/role_judge.h"
#include "sql/store_instance.h"
#include "sql/store_txn.h"

/* Somebody else may be first again and again only when many move one job at once. */
enum { MOVES_MAX = 16 };

static const int64_t precheck_valid_ms = 24LL * 3600 * 1000;

/* Errors: INVALID_STATE says where the job stands and what it can do there. */
static bool refuse(const char *job, enum job_state state, enum job_event event, struct err *err) {
    struct buf allowed = BUF_INIT(160);
    struct err ignored = ERR_INIT;
    size_t count;
    const struct job_action *actions = job_state_actions(&count);
    const char *why = "it cannot be done there";

    for (size_t i = 0; i < count; i++) {
        const char *reason = job_state_refusal(&actions[i], state);

        if (actions[i].event == event && reason)
            why = reason;
        if (!reason)
            (void)!buf_printf(&allowed, &ignored, "%s%s", allowed.len ? ", " : "", actions[i].name);
    }
    err_set(err, ERR_INVALID_STATE, "%s is %s: %s. Possible now: %s", job, job_state_name(state),
            why, allowed.len ? allowed.ptr : "nothing");
    buf_done(&allowed);
    return false;
}

static struct store_job_change change_of(const char *job, const struct job_edge *edge,
                                         const struct job_move *move) {
    static const struct job_move none = {.account = NULL};

    if (!move)
        move = &none;
    return (struct store_job_change){
        .job = job,
        .from = job_state_name(edge->from),
        .to = job_state_name(edge->to),
        .event = job_state_event_name(edge->event),
        .sentence = edge->sentence,
        .detail = move->detail,
        .actor = move->actor,
        .account = move->account,
        .expected_version = move->expected_version,
        .lease = move->lease,
        .clear_attention = edge->from == JOB_BLOCKED,
        .attention = move->attention,
        .error_code = move->error_code,
        .error_detail = move->error_detail,
        .retry_state = move->retry_state,
        .wanted = move->wanted,
        .is_start = edge->event == JOB_EV_START || edge->event == JOB_EV_DUE,
        .is_final = job_state_is_final(edge->to),
        .add_task = edge->to == JOB_QUEUED,
    };
}

/* One attempt: *ret_again says that somebody was first. */
static bool move_once(struct store *store, const char *job, enum job_event event,
                      const struct job_move *move, const char *instance_class, bool *ret_again,
                      const struct job_edge **ret_edge, struct err *err) {
    struct store_job now;
    struct store_job_change change;
    const struct job_edge *edge;
    enum job_state state = JOB_DRAFT;
    int64_t version;
    bool known, moved = false;

    if (!store_job_get(store, move ? move->account : NULL, job, &now, err))
        return false;
    known = job_state_parse(now.state, &state);
    version = now.version;
    store_job_done(&now);
    if (!known)
        return err_set(err, ERR_STORE_SCHEMA, "%s has a state this program does not know", job);
    if (move && move->expected_version && move->expected_version != version)
        return err_set(err, ERR_ETAG_MISMATCH, "%s is at version %lld by now", job,
                       (long long)version);
    edge = job_state_next(state, event);
    if (!edge)
        return refuse(job, state, event, err);
    change = change_of(job, edge, move);
    change.instance_class = instance_class;
    if (!store_job_move(store, &change, &moved, err))
        return false;
    *ret_again = !moved;
    if (moved && ret_edge)
        *ret_edge = edge;
    return true;
}

static bool move_job(struct store *store, const char *job, enum job_event event,
                     const struct job_move *move, const char *instance_class,
                     const struct job_edge **ret_edge, struct err *err) {
    bool again = true;

    for (int i = 0; again && i < MOVES_MAX; i++) {
        if (!move_once(store, job, event, move, instance_class, &again, ret_edge, err))
            return false;
    }
    if (!again)
        return true;
    /* With a lease this is what a lost one looks like: the state stays as it was read. */
    if (move && move->lease)
        return err_set(err, ERR_FENCED, "the lease of %s has passed on", job);
    return err_set(err, ERR_STORE_CONFLICT, "%s is being moved by others", job);
}

bool job_control_move(struct store *store, const char *job, enum job_event event,
                      const struct job_move *move, const struct job_edge **ret_edge,
                      struct err *err) {
    return move_job(store, job, event, move, NULL, ret_edge, err);
}

/* ---- release ---- */

struct release {
    const char *job;
    const struct job_move *move;
};

static bool release_body(struct store *store, void *arg, struct err *err) {
    struct release *r = arg;

    return move_job(store, r->job, JOB_EV_RELEASE, r->move, NULL, NULL, err) &&
           store_precheck_cancel_of_job(store, r->job, err);
}

bool job_control_release(struct store *store, const char *job, const struct job_move *move,
                         struct err *err) {
    struct release r = {.job = job, .move = move};

    return store_txn(store, release_body, &r, err);
}

/* ---- create ---- */

static bool seal_for(const struct keyring *ring, const char *row, const char *id,
                     const struct secret *sealed, struct buf *out, struct err *err) {
    char identity[STORE_ID_SIZE + 16];

    if (secret_str(sealed).len == 0)
        return true;
    snprintf(identity, sizeof(identity), "%s:%s", row, id);
    return seal_close(ring, str_from(identity), secret_str(sealed), out, err);
}

bool job_control_unseal(const struct keyring *ring, const char *row, const char *id,
                        struct str blob, struct secret *ret_sealed, struct err *err) {
    char identity[STORE_ID_SIZE + 16];

    if (blob.len == 0) {
        secret_done(ret_sealed);
        return true;
    }
    snprintf(identity, sizeof(identity), "%s:%s", row, id);
    return seal_open(ring, str_from(identity), blob, ret_sealed, err);
}

void job_control_make_name(const json_t *spec, char *dst, size_t size) {
    const char *labels[2] = {"?", "?"};
    static const char *const ends[2] = {"source", "destination"};
    time_t now = time(NULL);
    char when[16];
    struct tm tm;

    for (int i = 0; i < 2; i++) {
        const json_t *at = json_object_get(json_object_get(spec, ends[i]), "label");

        if (json_is_string(at))
            labels[i] = json_string_value(at);
    }
    gmtime_r(&now, &tm);
    strftime(when, sizeof(when), "%Y%m%d%H%M", &tm);
    snprintf(dst, size, "redis-%.50s-to-%.50s-%s", labels[0], labels[1], when);
}

bool job_control_is_half_named(const char *name) {
    return strncmp(name, "redis-?-to-", 11) == 0 ||
           (strncmp(name, "redis-", 6) == 0 && strstr(name, "-to-?-"));
}

bool job_control_create(struct store *store, const struct keyring *ring, const char *account,
                        const char *actor, const struct job_spec *spec, char ret_id[STORE_ID_SIZE],
                        struct err *err) {
    bool complete = job_spec_is_complete(spec);
    const char *name = json_string_value(json_object_get(spec->spec, "name"));
    struct buf sealed = BUF_INIT(STORE_SEALED_MAX);
    char made_name[JOB_SPEC_NAME_MAX + 1];
    struct store_job_new job;
    char id[ULID_ID_SIZE];
    bool ok;

    ulid_make("job", id);
    job_control_make_name(spec->spec, made_name, sizeof(made_name));
    ok = seal_for(ring, "job", id, &spec->sealed, &sealed, err);
    job = (struct store_job_new){
        .id = id,
        .account = account,
        .name = name ? name : made_name,
        .state = job_state_name(complete ? JOB_CONFIGURED : JOB_DRAFT),
        .spec_digest = spec->digest,
        .actor = actor,
        .event = "created",
        .sentence = complete ? "The job was created" : "The job was created as a draft",
        .spec = spec->spec,
        .warnings = spec->warnings,
        .sealed = buf_str(&sealed),
        .destination_key = spec->destination_key[0] ? spec->destination_key : NULL,
        .destination_databases = spec->destination_databases,
        .destination_database_count = spec->destination_database_count,
    };
    ok = ok && store_job_insert(store, &job, err) && store_job_share_retry(store, id, actor, err);
    buf_done(&sealed);
    if (ok)
        snprintf(ret_id, STORE_ID_SIZE, "%s", id);
    return ok;
}

/* ---- start ---- */

struct start {
    const char *job, *instance_class;
    const struct job_move *move;
};

static bool check_precheck(struct store *store, const struct store_job *job, struct err *err) {
    struct store_precheck run;
    struct err missing = ERR_INIT;
    int64_t now_ms = (int64_t)time(NULL) * 1000;
    bool ok;

    if (!store_precheck_latest(store, NULL, job->id, &run, &missing)) {
        if (missing.code == ERR_NOT_FOUND)
            return err_set(err, ERR_PRECHECK_REQUIRED,
                           "no precheck of %s was run yet: POST /v1/jobs/{job}/prechecks", job->id);
        *err = missing;
        return false;
    }
    if (strcmp(run.state, "passed") != 0)
        ok = err_set(err, ERR_PRECHECK_REQUIRED,
                     strcmp(run.state, "failed") == 0
                         ? "the latest precheck %s is %s: put right what its items name, or accept "
                           "its warnings (?ignore_warnings=true), and run it again"
                         : "the latest precheck %s is %s: wait for its end, or run another one",
                     run.id, run.state);
    else if (strcmp(run.spec_digest, job->spec_digest) != 0)
        ok =
            err_set(err, ERR_PRECHECK_REQUIRED,
                    "the specification has changed since the precheck %s: run another one", run.id);
    else if (now_ms - run.fresh_ms > precheck_valid_ms)
        ok = err_set(err, ERR_PRECHECK_REQUIRED,
                     "the precheck %s is older than 24 hours: run another one", run.id);
    else
        ok = true;
    store_precheck_done(&run);
    return ok;
}

/* Two starts towards one server wait for each other: both are seen by the one that is second. */
bool job_control_may_hold(struct store *store, const struct store_job *job, struct err *err) {
    const char *states[JOB_STATE_COUNT];
    size_t count = 0;
    char other[STORE_ID_SIZE];

    for (int i = 0; i < JOB_STATE_COUNT; i++) {
        if (job_state_holds_destination((enum job_state)i))
            states[count++] = job_state_name((enum job_state)i);
    }
    if (!store_txn_lock(store, "job_start", err) ||
        !store_job_overlap(store, job->id, states, count, other, err))
        return false;
    return other[0] == '\0' ||
           err_set(err, ERR_SELECTION_OVERLAPS,
                   "the job %s writes to an overlapping part of the same destination", other);
}

bool job_control_may_start(struct store *store, const struct store_job *job, struct err *err) {
    const char *unbuilt = job_spec_unbuilt(job->spec);
    enum job_state state = JOB_DRAFT;

    if (unbuilt)
        return err_set(err, ERR_NOT_SUPPORTED_YET, "%s", unbuilt);
    if (job_state_parse(job->state, &state) && job_state_next(state, JOB_EV_START))
        return check_precheck(store, job, err);
    /* Where a precheck is what is missing, say that instead of the state. */
    if ((state == JOB_CONFIGURED || state == JOB_PRECHECK_FAILED || state == JOB_PRECHECKING) &&
        !check_precheck(store, job, err))
        return false;
    return refuse(job->id, state, JOB_EV_START, err);
}

bool job_control_may_write(struct store *store, const struct store_job *job, struct err *err) {
    char live[STORE_ID_SIZE], address[300];

    role_judge_address(json_object_get(job->spec, "destination"), address);
    if (address[0] == '\0')
        return true;
    if (!store_instance_live_at(store, address, live, err))
        return false;
    return live[0] == '\0' ||
           err_set(err, ERR_DESTINATION_LIVE, "applications use %s: clear the flag of %s first",
                   address, live);
}

/* A time that was set is waited for; who asks again while it waits wants it now. */
static enum job_event start_event(const struct store_job *job) {
    bool waits = strcmp(job->state, "precheck_passed") == 0 &&
                 job_schedule_at(job->spec) > (int64_t)time(NULL) * 1000;

    return waits ? JOB_EV_SCHEDULE : JOB_EV_START;
}

static bool start_body(struct store *store, void *arg, struct err *err) {
    struct start *start = arg;
    struct store_job job;
    bool ok;

    if (!store_job_get(store, start->move ? start->move->account : NULL, start->job, &job, err))
        return false;
    ok = job_control_may_start(store, &job, err) &&
         job_reference_check(store, job.account, job.spec, err) &&
         job_control_may_write(store, &job, err) && job_control_may_hold(store, &job, err) &&
         move_job(store, start->job, start_event(&job), start->move, start->instance_class, NULL,
                  err);
    store_job_done(&job);
    return ok;
}

bool job_control_start(struct store *store, const char *job, const struct job_move *move,
                       const char *instance_class, struct err *err) {
    struct start start = {
        .job = job,
        .instance_class = instance_class ? instance_class : "unlimited",
        .move = move,
    };

    return store_txn(store, start_body, &start, err);
}
