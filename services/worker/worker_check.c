#include "services/worker/worker_check.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/common/clock.h"
#include "services/common/log.h"
#include "services/common/metric.h"
#include "services/flow/child.h"
#include "services/job/job_control.h"
#include "services/job/role_judge.h"
#include "services/precheck/check.h"
#include "services/worker/worker_login.h"
#include "sql/store_instance.h"

enum { DEADLINE_MS = 120000, RENEW_MS_MAX = 5000, MESSAGES_PER_TURN = 64 };

/* The first failure is the story; later ones follow from it. */
static void fail(struct worker_check *check, const struct err *why) {
    if (!check->has_failed)
        check->failure = *why;
    check->has_failed = true;
    child_process_done(&check->process);
}

static bool is_for(const struct store_precheck_claim *claim, const char *purpose) {
    return strcmp(claim->purpose, purpose) == 0;
}

/* A look at both ends of a job that lives: no checks. */
static bool is_reading(const struct store_precheck_claim *claim) {
    return is_for(claim, "counts") || is_for(claim, "clients");
}

/* What is discovered stands at both ends: what it would be as either. */
static const char *end_meant(const struct store_precheck_claim *claim, const char *end) {
    return is_for(claim, "discover") ? "source" : end;
}

static bool add_ends(const struct store_precheck_claim *claim, json_t *message, struct err *err) {
    static const char *const ends[] = {"source", "destination"};

    for (size_t i = 0; i < LENGTH_OF(ends); i++) {
        const char *meant = end_meant(claim, ends[i]);
        struct endpoint ep = ENDPOINT_INIT;

        if (is_for(claim, "connectivity") && !json_is_object(json_object_get(claim->spec, meant)))
            continue; /* one end is enough for it */
        if (!job_spec_endpoint(claim->spec, meant, &ep, err))
            return false;
        json_object_set_new(message, ends[i], endpoint_to_json(&ep));
        endpoint_done(&ep);
    }
    return true;
}

/* What check_worker.c reads. What the control database does not tell is left out. */
static json_t *worker_json(struct worker *worker, const struct store_precheck_claim *claim,
                           size_t tasks_held) {
    const char *states[JOB_STATE_COUNT];
    struct err ignored = ERR_INIT;
    char live[STORE_ID_SIZE], address[300];
    json_t *neighbours = NULL, *known = NULL, *object;
    int64_t contacts;
    size_t count = 0;

    for (int i = 0; i < JOB_STATE_COUNT; i++)
        if (job_state_holds_destination((enum job_state)i))
            states[count++] = job_state_name((enum job_state)i);
    if (!store_precheck_neighbours(worker->store, claim->id, states, count, &neighbours, &ignored))
        neighbours = NULL;
    object = json_pack("{s:s, s:I, s:I, s:I, s:s}", "spool_dir", worker->identity->spool_dir,
                       "spool_quota_bytes", (json_int_t)worker->config->spool_quota_bytes,
                       "tasks_max", (json_int_t)worker->config->worker_tasks_max, "tasks_held",
                       (json_int_t)tasks_held, "pool", worker->config->worker_pool);
    if (worker->egress)
        json_object_set(object, "egress", worker->egress);
    if (neighbours)
        json_object_set_new(object, "neighbours", neighbours);
    if (claim->job[0] && store_precheck_known(worker->store, claim->id, &known, &ignored) && known)
        json_object_set_new(object, "known", known);
    if (store_precheck_contacts(worker->store, claim->id, &contacts, &ignored))
        json_object_set_new(object, "contacts", json_integer(contacts));
    role_judge_address(json_object_get(claim->spec, "destination"), address);
    if (address[0] && store_instance_live_at(worker->store, address, live, &ignored) && live[0])
        json_object_set_new(object, "live_instance", json_string(live));
    return object;
}

static void add_reading(struct worker *worker, const struct store_precheck_claim *claim,
                        json_t *message) {
    struct err ignored = ERR_INIT;
    json_t *keys = NULL;

    json_object_set_new(message, "reading", json_string(claim->purpose));
    if (store_precheck_own_keys(worker->store, claim->id, &keys, &ignored) && keys)
        json_object_set_new(message, "own_keys", keys);
}

static json_t *message_of(struct worker *worker, const struct store_precheck_claim *claim,
                          size_t tasks_held, struct err *err) {
    json_t *message =
        json_pack("{s:s, s:s, s:s, s:s, s:O, s:s, s:b}", "type", "spec", "precheck", claim->id,
                  "job", claim->job, "probe", claim->probe, "spec", claim->spec, "import_dir",
                  worker->config->import_dir, "discover", is_for(claim, "discover"));
    json_t *checks = is_reading(claim) ? json_array()
                                       : check_purpose(claim->purpose, claim->carried, claim->spec);

    if (!message) {
        json_decref(checks);
        err_set(err, ERR_INTERNAL, "a precheck without a specification");
        return NULL;
    }
    if (checks)
        json_object_set_new(message, "checks", checks);
    if (is_reading(claim))
        add_reading(worker, claim, message);
    else
        json_object_set_new(message, "worker", worker_json(worker, claim, tasks_held));
    if (add_ends(claim, message, err))
        return message;
    json_decref(message);
    return NULL;
}

static void start(struct worker *worker, struct worker_check *check, size_t tasks_held) {
    const struct child_fds fds = {
        .control = -1, .apply_bell = -1, .receive_bell = -1, .identity = worker->identity->lock_fd};
    struct err err = ERR_INIT;
    json_t *message = message_of(worker, &check->claim, tasks_held, &err);

    if (!message ||
        !child_process_spawn(&check->process, NULL, "check", check->claim.id, &fds, &err) ||
        !child_send_within(check->process.socket, message, 0, &err))
        fail(check, &err);
    else
        metric_add(METRIC_CHILD_STARTS, 1);
    json_decref(message);
}

/* Three times within a lease, however short it is: else a check that takes longer would be
 * claimed anew for ever. */
static int64_t renew_in_ms(const struct worker *worker) {
    int64_t third = worker->config->lease_seconds * 1000 / 3;

    return third < RENEW_MS_MAX ? third : RENEW_MS_MAX;
}

struct worker_check *worker_check_open(struct worker *worker, struct store_precheck_claim *claim,
                                       size_t tasks_held) {
    struct worker_check *check = calloc(1, sizeof(*check));
    int64_t now = clock_mono_ms();

    if (!check)
        abort();
    check->claim = *claim;
    claim->spec = claim->carried = NULL;
    claim->sealed = BUF_INIT(0);
    check->process = CHILD_PROCESS_INIT;
    check->failure = ERR_INIT;
    check->logins = WORKER_LOGIN_CACHE_INIT;
    check->deadline_ms = now + DEADLINE_MS;
    check->renew_ms = now + renew_in_ms(worker);
    check->items = json_array();
    log_event(LOG_LEVEL_INFO, "precheck.claimed", LOG_TEXT("precheck", check->claim.id));
    start(worker, check, tasks_held);
    return check;
}

void worker_check_free(struct worker_check *check) {
    if (!check)
        return;
    child_process_done(&check->process);
    worker_login_cache_done(&check->logins);
    store_precheck_claim_done(&check->claim);
    json_decref(check->items);
    json_decref(check->facts);
    json_decref(check->plan);
    free(check);
}

static struct worker_login login_of(struct worker_check *check) {
    /* What is looked at again at a job's start goes by the job's own credentials. */
    bool is_start = is_for(&check->claim, "start");

    return (struct worker_login){.row = is_start ? "job" : "precheck",
                                 .id = is_start ? check->claim.job : check->claim.id,
                                 .spec = check->claim.spec,
                                 .sealed = buf_str(&check->claim.sealed),
                                 .lease_epoch = check->claim.lease_epoch,
                                 .cache = &check->logins};
}

static void answer_login(struct worker *worker, struct worker_check *check) {
    const struct worker_login who = login_of(check);
    struct err why = ERR_INIT;
    json_t *message, *object = NULL;

    check->asks_login = false;
    if (worker_login(worker, &who, end_meant(&check->claim, check->login_end), &object, &why))
        message = json_pack("{s:s, s:o}", "type", "credentials", "credentials", object);
    else
        message = json_pack("{s:s, s:s, s:s}", "type", "credentials", "code", err_slug(why.code),
                            "error", why.frame[0]);
    err_clear(&why);
    if (check->process.socket >= 0 && !child_send_within(check->process.socket, message, 0, &why) &&
        why.code != ERR_CLOSED)
        fail(check, &why);
    json_decref(message);
}

static void on_error(struct worker_check *check, const json_t *message) {
    const char *slug = json_string_value(json_object_get(message, "code"));
    const char *detail = json_string_value(json_object_get(message, "detail"));
    enum err_code code = slug ? err_from_slug(slug) : ERR_NONE;
    struct err why = ERR_INIT;

    err_set(&why, code != ERR_NONE ? code : ERR_INTERNAL, "%s",
            detail ? detail : "no detail was given");
    fail(check, &why);
}

static void handle(struct worker_check *check, const json_t *message) {
    const char *type = json_string_value(json_object_get(message, "type"));
    struct err why = ERR_INIT;

    if (strcmp(type, "credentials") == 0) {
        const char *end = json_string_value(json_object_get(message, "end"));

        snprintf(check->login_end, sizeof(check->login_end), "%s", end ? end : "");
        check->asks_login = true;
    } else if (strcmp(type, "check") == 0 &&
               json_array_size(check->items) < WORKER_CHECK_ITEMS_MAX) {
        json_array_append(check->items, json_object_get(message, "item"));
    } else if (strcmp(type, "check_done") == 0) {
        json_t *facts = json_object_get(message, "facts"), *plan = json_object_get(message, "plan");

        check->facts = json_is_object(facts) ? json_incref(facts) : NULL;
        check->plan = json_is_object(plan) ? json_incref(plan) : NULL;
        check->is_done = true;
    } else if (strcmp(type, "error") == 0) {
        on_error(check, message);
    } else {
        err_set(&why, ERR_INTERNAL, "the check process sent \"%.40s\"", type);
        fail(check, &why);
    }
}

static void read_all(struct worker *worker, struct worker_check *check) {
    for (int i = 0; i < MESSAGES_PER_TURN && !check->is_done && check->process.socket >= 0; i++) {
        struct err err = ERR_INIT;
        json_t *message = NULL;

        if (!child_receive(check->process.socket, 0, &message, &err)) {
            if (err.code == ERR_CLOSED)
                err_set(&err, ERR_INTERNAL, "the check process ended without a word");
            fail(check, &err);
            return;
        }
        if (!message)
            return;
        handle(check, message);
        json_decref(message);
        if (check->asks_login)
            answer_login(worker, check);
    }
}

void worker_check_run(struct worker *worker, struct worker_check *check) {
    struct err late = ERR_INIT;

    if (check->is_done || check->has_failed)
        return;
    read_all(worker, check);
    if (check->is_done) {
        child_process_done(&check->process); /* it has nothing more to do */
    } else if (!check->has_failed && clock_mono_ms() >= check->deadline_ms) {
        err_set(&late, ERR_TIMEOUT, "the check was not through after %d s", DEADLINE_MS / 1000);
        fail(check, &late);
    }
}

/* FENCED: it was cancelled, or is another's. */
static bool gone_or_down(struct worker_check *check, struct err *err) {
    if (err->code == ERR_STORE)
        return false;
    log_event(LOG_LEVEL_INFO, "precheck.given-up", LOG_TEXT("precheck", check->claim.id),
              LOG_ERR(err));
    err_clear(err);
    check->is_gone = true;
    return true;
}

bool worker_check_flush(struct worker *worker, struct worker_check *check, struct err *err) {
    const struct store_precheck_claim *claim = &check->claim;
    int64_t now = clock_mono_ms();
    bool held = true;

    while (json_array_size(check->items) > 0) {
        if (!store_precheck_item(worker->store, claim->id, claim->lease_epoch,
                                 json_array_get(check->items, 0), err))
            return gone_or_down(check, err);
        json_array_remove(check->items, 0);
    }
    if (check->is_done || check->has_failed) {
        const struct worker_login who = login_of(check);

        if (!worker_login_end(worker, &who, err))
            return gone_or_down(check, err);
        if (!job_control_precheck_finish(worker->store, claim->id, worker->identity->id,
                                         claim->lease_epoch, check->facts, check->plan,
                                         check->has_failed ? &check->failure : NULL, err))
            return gone_or_down(check, err);
        metric_add(METRIC_PRECHECKS, 1);
        check->is_gone = true;
        return true;
    }
    if (now < check->renew_ms)
        return true;
    if (!store_precheck_renew(worker->store, claim->id, worker->identity->id, claim->lease_epoch,
                              (int)worker->config->lease_seconds, &held, err))
        return gone_or_down(check, err);
    check->renew_ms = now + renew_in_ms(worker);
    if (!held)
        check->is_gone = true;
    return true;
}
