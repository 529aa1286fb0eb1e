#include "web-api/handlers/job_readings.h"

#include <poll.h>
#include <string.h>

#include "services/common/clock.h"
#include "services/common/log.h"
#include "web-api/app.h"
#include "web-api/clients_view.h"
#include "web-api/handlers/handlers.h"
#include "web-api/key_counts_view.h"
#include "web-api/wait.h"

enum {
    FRESH_SECONDS = 10, /* a look costs both ends a login and an INFO */
    REFRESH_SECONDS = 1,
    WAIT_SECONDS = 5,
    PAUSE_MS = 60,
    PRECHECKS_MAX = 20,
    TAKE_STORE_MS = 3000,
};

/* There is something to look at, and the account may still have it looked at. */
static bool may_look(const struct store_job *job) {
    return strcmp(job->state, "draft") != 0 && strcmp(job->state, "released") != 0;
}

static bool last(struct call *call, const struct store_job *job, const char *purpose,
                 struct store_precheck *reading, bool *ret_found, struct err *err) {
    struct store_precheck fresh = {0};
    struct err why = ERR_INIT;

    *ret_found = store_precheck_reading(call->store, job->account, job->id, purpose, &fresh, &why);
    if (!*ret_found && why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    if (*ret_found) {
        store_precheck_done(reading);
        *reading = fresh;
    }
    return true;
}

/* The connection to the control database is somebody else's meanwhile. */
static bool pause(struct call *call, struct err *err) {
    store_pool_give(app_pool(call->app), call->store);
    call->store = NULL;
    (void)poll(NULL, 0, PAUSE_MS);
    return store_pool_take(app_pool(call->app), TAKE_STORE_MS, &call->store, err);
}

bool job_readings_take(struct call *call, const struct store_job *job, const char *purpose,
                       int max_age_s, int wait_s, struct store_precheck *reading,
                       struct key_counts *ret, struct err *err) {
    int64_t until_ms = clock_mono_ms() + (int64_t)wait_s * 1000;
    char before[STORE_ID_SIZE];
    bool found = false, is_open = false;

    if (!last(call, job, purpose, reading, &found, err) ||
        (may_look(job) && !job_control_reading(call->store, app_keyring(call->app), job, purpose,
                                               call->caller.actor, max_age_s, &is_open, err)))
        return false;
    memcpy(before, reading->id, sizeof(before)); /* "" when there was none */
    while (is_open && clock_mono_ms() < until_ms && !app_is_stopping(call->app)) {
        if (!pause(call, err) || !last(call, job, purpose, reading, &found, err))
            return false;
        is_open = strcmp(reading->id, before) == 0;
    }
    ret->job = job;
    ret->reading = reading->id[0] ? reading : NULL;
    ret->is_being_read = is_open;
    ret->now_ms = clock_wall_ms();
    return true;
}

/* How long to wait for a worker, and how old is too old. */
static bool read_wishes(struct call *call, int *ret_age, int *ret_wait, struct err *err) {
    struct str prefer = request_header(call->request, "Prefer");
    bool refresh = false;

    if (!call_query_flag(call, "refresh", &refresh, err))
        return false;
    *ret_age = refresh ? REFRESH_SECONDS : FRESH_SECONDS;
    *ret_wait = prefer.len > 0 ? wait_seconds(prefer) : WAIT_SECONDS;
    return true;
}

bool job_readings_precheck(struct call *call, const struct store_job *job,
                           struct store_precheck *ret, bool *ret_found, struct err *err) {
    struct store_precheck *list;
    size_t count;

    *ret_found = false;
    if (!store_precheck_list(call->store, job->account, job->id, NULL, PRECHECKS_MAX, &list, &count,
                             err))
        return false;
    for (size_t i = 0; i < count && !*ret_found; i++) {
        int64_t at = list[i].finished_ms;

        if (at > 0 && (job->started_ms == 0 || at <= job->started_ms)) {
            *ret = list[i];
            list[i] = (struct store_precheck){0};
            *ret_found = true;
        }
    }
    store_precheck_list_done(list, count);
    return true;
}

bool job_readings_counts(struct call *call, struct reply *reply, struct err *err) {
    struct store_precheck reading = {0}, precheck = {0};
    struct store_job job = STORE_JOB_INIT;
    struct key_counts counts = {0};
    bool found;
    int age, wait;
    bool ok = read_wishes(call, &age, &wait, err) && call_job(call, &job, err) &&
              job_readings_take(call, &job, "counts", age, wait, &reading, &counts, err) &&
              job_readings_precheck(call, &job, &precheck, &found, err);

    if (ok) {
        counts.facts_before = precheck.facts;
        reply_json(reply, 200, key_counts_view(&counts));
    }
    store_precheck_done(&precheck);
    store_precheck_done(&reading);
    store_job_done(&job);
    return ok;
}

bool job_readings_clients(struct call *call, struct reply *reply, struct err *err) {
    struct store_precheck reading = {0};
    struct store_job job = STORE_JOB_INIT;
    struct key_counts clients = {0};
    int age, wait;
    bool ok = read_wishes(call, &age, &wait, err) && call_job(call, &job, err) &&
              job_readings_take(call, &job, "clients", age, wait, &reading, &clients, err);

    if (ok)
        reply_json(reply, 200, clients_view(&clients));
    store_precheck_done(&reading);
    store_job_done(&job);
    return ok;
}
