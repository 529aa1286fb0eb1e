#include "services/worker/worker_login.h"

#include <stdio.h>
#include <string.h>

#include "services/common/clock.h"
#include "services/common/log.h"
#include "services/common/ulid.h"
#include "services/job/job_control.h"
#include "services/job/job_reference.h"
#include "services/job/role_judge.h"
#include "services/worker/worker_secret.h"
#include "sql/store_instance.h"
#include "sql/store_role.h"
#include "sql/store_secret.h"

/* An instance's own owner may use what was known last for as long as the database is away. */
enum { OWN_MS = 24 * 3600 * 1000 };

static const char *const ends[2] = {"source", "destination"};

void worker_login_cache_done(struct worker_login_cache *cache) {
    for (int i = 0; i < 2; i++)
        buf_done(&cache->end[i].sealed);
    *cache = WORKER_LOGIN_CACHE_INIT;
}

static const char *text_of(const json_t *object, const char *name) {
    return json_string_value(json_object_get(object, name));
}

/* The role as it is now, judged; *ret_role is a new reference. */
static bool judge(struct worker *worker, const char *account, const json_t *spec, const char *end,
                  json_t **ret_role, struct buf *ret_sealed, struct err *err) {
    struct role_use use = {.account = account};
    json_t *role = NULL, *endpoint = NULL;
    bool ok;

    role_judge_use(spec, end, &use);
    ok = store_role_find(worker->store, use.owner, use.role_name, use.instance, &role, &endpoint,
                         ret_sealed, err) &&
         role_judge(role, endpoint != NULL, &use, err);
    json_decref(endpoint);
    if (ok)
        *ret_role = role;
    else
        json_decref(role);
    return ok;
}

/* What the role lets through is for all jobs that use it there together: each takes an equal part,
 * and looks every few seconds how many they are. */
static bool take_share(struct worker *worker, const struct worker_login *who, int at,
                       const json_t *role, struct err *err) {
    int64_t rps = json_integer_value(json_object_get(role, "max_rps")), sharers = 1;
    int64_t bytes = json_integer_value(json_object_get(role, "max_bytes_per_second"));
    const char *instance = text_of(job_reference_of(who->spec, ends[at]), "instance_id");

    if ((rps > 0 || bytes > 0) &&
        !store_role_sharers(worker->store, text_of(role, "id"), instance, who->id, &sharers, err))
        return false;
    who->cache->end[at].rps = (uint64_t)(rps > 0 && rps < sharers ? 1 : rps / sharers);
    who->cache->end[at].bytes_per_second =
        (uint64_t)(bytes > 0 && bytes < sharers ? 1 : bytes / sharers);
    return true;
}

static int64_t seconds_of(const json_t *role) {
    return json_integer_value(json_object_get(role, "max_session_seconds"));
}

static bool open_session(struct worker *worker, const struct worker_login *who, const char *end,
                         const char *account, const json_t *role, struct err *err) {
    char id[ULID_ID_SIZE];
    const struct store_role_session session = {
        .id = id,
        .role = text_of(role, "id"),
        .role_version = json_integer_value(json_object_get(role, "version")),
        .owner = text_of(role, "account"),
        .account = account,
        .job = who->id,
        .end = end,
        .instance = text_of(job_reference_of(who->spec, end), "instance_id"),
        .worker = worker->identity->id,
        .lease_epoch = who->lease_epoch,
        .seconds = seconds_of(role),
    };

    ulid_make("rs", id);
    return store_role_session_open(worker->store, &session, err);
}

/* The instance's credentials as they are in the control database now. */
static bool fetch(struct worker *worker, const struct worker_login *who, int at,
                  const json_t *reference, struct err *err) {
    struct buf sealed = BUF_INIT(STORE_SEALED_MAX);
    json_t *role = NULL, *endpoint = NULL;
    char account[STORE_ID_SIZE];
    int64_t lasts_ms = OWN_MS;
    bool ok = store_role_user(worker->store, who->id, account, err);

    if (ok && job_reference_is_shared(reference)) {
        ok = judge(worker, account, who->spec, ends[at], &role, &sealed, err) &&
             take_share(worker, who, at, role, err) &&
             open_session(worker, who, ends[at], account, role, err);
        lasts_ms = seconds_of(role) * 1000;
    } else if (ok) {
        ok = store_instance_login(worker->store, account, text_of(reference, "instance_id"),
                                  &endpoint, &sealed, err);
        if (!ok && err->code == ERR_NOT_FOUND)
            err_recode(err, ERR_ROLE_REVOKED, "the instance of the %s is gone", ends[at]);
    }
    json_decref(role);
    json_decref(endpoint);
    if (!ok) {
        buf_done(&sealed);
        return false;
    }
    buf_done(&who->cache->end[at].sealed);
    who->cache->end[at].sealed = sealed;
    who->cache->end[at].until_ms = clock_mono_ms() + lasts_ms;
    snprintf(who->cache->end[at].instance, sizeof(who->cache->end[at].instance), "%s",
             text_of(reference, "instance_id"));
    return true;
}

static bool of_instance(struct worker *worker, const struct worker_login *who, int at,
                        const json_t *reference, json_t **ret, struct err *err) {
    const char *instance = text_of(reference, "instance_id");
    struct secret opened = SECRET_INIT;
    struct err why = ERR_INIT;
    bool ok = true;

    if (!fetch(worker, who, at, reference, &why)) {
        if (why.code != ERR_STORE || strcmp(who->cache->end[at].instance, instance) != 0 ||
            clock_mono_ms() >= who->cache->end[at].until_ms) {
            if (why.code != ERR_STORE)
                who->cache->end[at].instance[0] = '\0';
            *err = why;
            return false;
        }
        log_event(LOG_LEVEL_WARN, "login.by-what-was-known", LOG_TEXT("job", who->id),
                  LOG_ERR(&why));
    }
    ok = worker_secret_open(worker, "instance", instance, buf_str(&who->cache->end[at].sealed),
                            &opened, err);
    /* What was known last may be under a key that is gone; the database will tell what is. */
    if (!ok && why.code == ERR_STORE)
        *err = why;
    if (ok)
        *ret =
            secret_str(&opened).len ? json_loadb(opened.ptr, opened.len, 0, NULL) : json_object();
    secret_done(&opened);
    return ok && (*ret || err_set(err, ERR_INTERNAL, "the sealed credentials are not JSON"));
}

/* Its own row's. They may have been sealed anew since they were read, and the old key taken away.
 */
static bool open_own(struct worker *worker, const struct worker_login *who, struct secret *ret,
                     struct err *err) {
    struct buf fresh = BUF_INIT(STORE_SEALED_MAX);
    bool ok;

    if (worker_secret_open(worker, who->row, who->id, who->sealed, ret, err))
        return true;
    if (err->code != ERR_SECRET_UNREADABLE)
        return false;
    err_clear(err);
    ok = store_secret_get(worker->store, who->row, who->id, &fresh, err) &&
         worker_secret_open(worker, who->row, who->id, buf_str(&fresh), ret, err);
    buf_done(&fresh);
    return ok;
}

bool worker_login(struct worker *worker, const struct worker_login *who, const char *end,
                  json_t **ret, struct err *err) {
    const json_t *reference = job_reference_of(who->spec, end);
    struct credentials login = CREDENTIALS_INIT;
    struct secret opened = SECRET_INIT;
    bool ok;

    if (strcmp(end, ends[0]) != 0 && strcmp(end, ends[1]) != 0)
        return err_set(err, ERR_PROTOCOL, "there is no end \"%.16s\"", end);
    if (reference)
        return of_instance(worker, who, strcmp(end, ends[1]) == 0, reference, ret, err);
    ok = open_own(worker, who, &opened, err) && job_spec_credentials(&opened, end, &login, err) &&
         worker_secret_read(worker->config, who->spec, end, &login, err);
    if (ok)
        *ret = credentials_to_json(&login);
    credentials_done(&login);
    secret_done(&opened);
    return ok;
}

bool worker_login_is_shared(const json_t *spec) {
    return job_reference_is_shared(job_reference_of(spec, ends[0])) ||
           job_reference_is_shared(job_reference_of(spec, ends[1]));
}

static bool close_sessions(struct worker *worker, const struct worker_login *who,
                           const char *reason, struct err *err) {
    char actor[STORE_ID_SIZE + 8];

    snprintf(actor, sizeof(actor), "worker:%s", worker->identity->id);
    return store_role_session_close(worker->store, NULL, who->id, actor, reason, err);
}

static void note_end_of_role(const json_t *role, int64_t *until_ms) {
    int64_t after_ms = json_integer_value(json_object_get(role, "not_after_ms"));

    if (after_ms > 0 && (*until_ms == 0 || after_ms < *until_ms))
        *until_ms = after_ms;
}

static bool watch_end(struct worker *worker, const struct worker_login *who, const char *account,
                      int at, struct err *err) {
    struct buf sealed = BUF_INIT(STORE_SEALED_MAX);
    json_t *role = NULL;
    bool revoked = false;
    bool ok = judge(worker, account, who->spec, ends[at], &role, &sealed, err) &&
              take_share(worker, who, at, role, err) &&
              store_role_session_renew(worker->store, who->id, ends[at], who->lease_epoch,
                                       seconds_of(role), &revoked, err);

    note_end_of_role(role, &who->cache->roles_until_ms);
    buf_done(&sealed);
    json_decref(role);
    if (ok && revoked)
        return err_set(err, ERR_ROLE_REVOKED, "the sessions of the %s were revoked", ends[at]);
    return ok;
}

bool worker_login_watch(struct worker *worker, const struct worker_login *who, bool *ret_allowed,
                        struct err *ret_why, struct err *err) {
    char account[STORE_ID_SIZE];
    struct err why = ERR_INIT;

    *ret_allowed = true;
    who->cache->roles_until_ms = 0;
    if (!store_role_user(worker->store, who->id, account, err))
        return false;
    for (int i = 0; i < 2; i++) {
        if (!job_reference_is_shared(job_reference_of(who->spec, ends[i])) ||
            watch_end(worker, who, account, i, &why))
            continue;
        if (why.code == ERR_STORE || why.code == ERR_STORE_CONFLICT) {
            *err = why;
            return false;
        }
        *ret_allowed = false;
        *ret_why = why;
        return close_sessions(worker, who, err_slug(why.code), err);
    }
    return true;
}

bool worker_login_end(struct worker *worker, const struct worker_login *who, struct err *err) {
    return !worker_login_is_shared(who->spec) || close_sessions(worker, who, "ended", err);
}
