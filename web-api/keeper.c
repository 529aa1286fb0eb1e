#include "web-api/keeper.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "services/common/log.h"
#include "services/common/metric.h"
#include "services/job/job_recovery.h"
#include "services/job/job_schedule.h"
#include "services/secret/reseal.h"
#include "sql/store_job.h"
#include "sql/store_migrate.h"
#include "web-api/store_pool.h"

enum {
    RETRY_MS = 1000,
    ROUND_MS = 1000,
    CHORES_EVERY = 3, /* rounds */
    SWEEP_EVERY = 60,
    TAKE_MS = 2000,
    RESEAL_MS = 1000, /* of each round, while there is something to seal anew */
};

struct keeper {
    struct app *app;
    char *url;
    pthread_t thread;
    pthread_mutex_t lock; /* stopping, gave_up, why */
    pthread_cond_t wake;
    bool stopping, gave_up;
    struct err why;
    struct reseal reseal; /* the keeper's thread's alone, like is_resealing */
    bool is_resealing;
};

/* False when the process is to stop. */
static bool rest(struct keeper *k, int ms) {
    struct timespec until;
    bool go_on;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    pthread_mutex_lock(&k->lock);
    while (!k->stopping)
        if (pthread_cond_timedwait(&k->wake, &k->lock, &until) == ETIMEDOUT)
            break;
    go_on = !k->stopping;
    pthread_mutex_unlock(&k->lock);
    return go_on;
}

/* True once the schema is up; false when told to stop or it cannot be. */
static bool bring_schema_up(struct keeper *k) {
    bool told = false;

    for (;;) {
        struct err err = ERR_INIT;
        int applied = 0;

        if (store_migrate(k->url, &applied, &err)) {
            log_event(LOG_LEVEL_INFO, "api.schema-ready", LOG_INT("applied", applied));
            return true;
        }
        if (err.code != ERR_STORE && err.code != ERR_STORE_CONFLICT) {
            pthread_mutex_lock(&k->lock);
            k->gave_up = true;
            k->why = err;
            pthread_mutex_unlock(&k->lock);
            return false;
        }
        if (!told)
            log_event(LOG_LEVEL_WARN, "api.waiting-for-database", LOG_ERR(&err));
        told = true;
        if (!rest(k, RETRY_MS))
            return false;
    }
}

static void count_jobs(struct store *store) {
    static const struct {
        const char *state;
        enum metric metric;
    } rows[] = {{"running", METRIC_JOBS_RUNNING},
                {"retrying", METRIC_JOBS_RETRYING},
                {"blocked", METRIC_JOBS_BLOCKED},
                {"failed", METRIC_JOBS_FAILED},
                {"paused", METRIC_JOBS_PAUSED}};
    struct err err = ERR_INIT;
    json_t *summary = NULL;
    bool ok = store_job_summary(store, NULL, &summary, &err);

    metric_set(METRIC_STORE_UP, ok);
    for (size_t i = 0; ok && i < LENGTH_OF(rows); i++)
        metric_set(rows[i].metric, json_integer_value(json_object_get(
                                       json_object_get(summary, "states"), rows[i].state)));
    json_decref(summary);
}

/* Starts that were set to a time: the edge is the same for whoever sees it first. */
static void start_due(struct store *store) {
    struct err err = ERR_INIT;
    int count = 0;

    if (!job_schedule_start_due(store, &count, &err))
        log_event(LOG_LEVEL_WARN, "api.schedule-failed", LOG_ERR(&err));
    else if (count > 0)
        log_event(LOG_LEVEL_INFO, "api.started-due", LOG_INT("jobs", count));
}

/* Another key seals now, or a process that had not read the file yet sealed with an old one. */
static void look_at_keys(struct keeper *k, bool is_due) {
    struct err err = ERR_INIT;
    bool changed = false;

    if (!app_look_at_keys(k->app, &changed, &err))
        log_event(LOG_LEVEL_ERROR, "api.master-keys-unchanged", LOG_ERR(&err));
    if (changed)
        log_event(LOG_LEVEL_INFO, "api.master-keys-read",
                  LOG_INT("keys", app_keyring(k->app)->count));
    if (changed || (is_due && !k->is_resealing)) {
        k->reseal = RESEAL_BEGIN;
        k->is_resealing = true;
    }
}

static void reseal(struct keeper *k, struct store *store) {
    struct err err = ERR_INIT;
    bool over = false;

    if (!k->is_resealing)
        return;
    if (!reseal_some(&k->reseal, store, app_keyring(k->app), RESEAL_MS, &over, &err)) {
        log_event(LOG_LEVEL_WARN, "api.reseal-waits", LOG_ERR(&err));
        return;
    }
    k->is_resealing = !over;
    if (over && k->reseal.done + k->reseal.unreadable > 0)
        log_event(LOG_LEVEL_INFO, "api.resealed", LOG_INT("secrets", k->reseal.done),
                  LOG_INT("unreadable", k->reseal.unreadable));
}

/* Failed jobs that are to be tried again by themselves. */
static void recover(struct store *store, int pause_seconds) {
    struct err err = ERR_INIT;
    int count = 0;

    if (!job_recovery_run(store, pause_seconds, &count, &err))
        log_event(LOG_LEVEL_WARN, "api.recovery-failed", LOG_ERR(&err));
    else if (count > 0)
        log_event(LOG_LEVEL_INFO, "api.recovered", LOG_INT("jobs", count));
}

static void visit_store(struct keeper *k, unsigned round) {
    struct err err = ERR_INIT;
    struct store *store;

    if (!store_pool_take(app_pool(k->app), TAKE_MS, &store, &err)) {
        metric_set(METRIC_STORE_UP, 0);
        return;
    }
    if (round % CHORES_EVERY == 0) {
        count_jobs(store);
        start_due(store);
        recover(store, (int)app_config(k->app)->recovery_pause_seconds);
    }
    reseal(k, store);
    if (round % SWEEP_EVERY == 0 && !store_sweep(store, &err))
        log_event(LOG_LEVEL_WARN, "api.sweep-failed", LOG_ERR(&err));
    store_pool_give(app_pool(k->app), store);
}

static void *keeper_run(void *arg) {
    struct keeper *k = arg;

    if (!bring_schema_up(k))
        return NULL;
    store_pool_admit(app_pool(k->app));
    store_pool_warm(app_pool(k->app));
    for (unsigned round = 0;; round++) {
        look_at_keys(k, round % SWEEP_EVERY == 0);
        if (round % CHORES_EVERY == 0 || k->is_resealing)
            visit_store(k, round);
        if (!rest(k, ROUND_MS))
            return NULL;
    }
}

static void keeper_free(struct keeper *k) {
    pthread_mutex_destroy(&k->lock);
    pthread_cond_destroy(&k->wake);
    free(k->url);
    free(k);
}

bool keeper_start(struct app *app, const char *database_url, struct keeper **ret_keeper,
                  struct err *err) {
    struct keeper *k = calloc(1, sizeof(*k));

    if (!k || !(k->url = strdup(database_url))) {
        free(k);
        return err_set(err, ERR_MEMORY, "the keeper");
    }
    k->app = app;
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->wake, NULL);
    if (pthread_create(&k->thread, NULL, keeper_run, k) != 0) {
        keeper_free(k);
        return err_set(err, ERR_IO, "no thread for the keeper");
    }
    *ret_keeper = k;
    return true;
}

bool keeper_gave_up(struct keeper *k, struct err *ret_why) {
    bool gave_up;

    pthread_mutex_lock(&k->lock);
    gave_up = k->gave_up;
    if (gave_up)
        *ret_why = k->why;
    pthread_mutex_unlock(&k->lock);
    return gave_up;
}

void keeper_stop(struct keeper *k) {
    if (!k)
        return;
    pthread_mutex_lock(&k->lock);
    k->stopping = true;
    pthread_cond_signal(&k->wake);
    pthread_mutex_unlock(&k->lock);
    pthread_join(k->thread, NULL);
    keeper_free(k);
}
