#include "sql/store_task.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql/embedded.h"
#include "sql/store_job.h"
#include "sql/store_txn.h"

void store_claim_done(struct store_claim *claim) {
    json_decref(claim->spec);
    json_decref(claim->wanted);
    buf_done(&claim->sealed);
    *claim = (struct store_claim){.sealed = BUF_INIT(STORE_SEALED_MAX)};
}

bool store_task_claim(struct store *store, const char *worker, const char *pool, int lease_seconds,
                      struct store_claim *ret_claim, bool *ret_found, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;
    struct store_claim claim = {.sealed = BUF_INIT(STORE_SEALED_MAX)};
    json_t *progress;
    bool ok = true;

    store_bind_text(&p, worker);
    store_bind_text(&p, pool);
    store_bind_i64(&p, lease_seconds);
    if (!store_exec(store, &sql_query_task_claim, &p, &rows, err))
        return false;
    if (rows.count) {
        store_text_copy(&rows, 0, 0, claim.job, sizeof(claim.job));
        claim.task = (int)store_i64(&rows, 0, 1);
        claim.lease_epoch = store_i64(&rows, 0, 2);
        claim.claimed_before = store_bool(&rows, 0, 3);
        store_text_copy(&rows, 0, 4, claim.state, sizeof(claim.state));
        store_text_copy(&rows, 0, 5, claim.account, sizeof(claim.account));
        claim.spec = store_json(&rows, 0, 6);
        claim.wanted = store_json(&rows, 0, 7);
        ok = store_bytes(&rows, 0, 8, &claim.sealed, err);
        progress = store_json(&rows, 0, 9);
        store_progress_from_json(progress, &claim.progress);
        json_decref(progress);
    }
    if (ok) {
        *ret_found = rows.count > 0;
        *ret_claim = claim;
    } else {
        store_claim_done(&claim);
    }
    store_rows_done(&rows);
    return ok;
}

/* The arrays of one report: four texts per task, in one block. */
struct columns {
    const char **job, **number, **epoch, **progress;
    char (*digits)[2][24];
    char **json; /* owned by jansson */
    size_t count;
};

static void *zeroed(size_t count, size_t size) {
    void *p = calloc(count + 1, size);

    if (!p)
        abort();
    return p;
}

static struct columns columns_of(const struct store_report *reports, size_t count) {
    struct columns c = {.count = count};

    c.job = zeroed(count, sizeof(*c.job));
    c.number = zeroed(count, sizeof(*c.number));
    c.epoch = zeroed(count, sizeof(*c.epoch));
    c.progress = zeroed(count, sizeof(*c.progress));
    c.digits = zeroed(count, sizeof(*c.digits));
    c.json = zeroed(count, sizeof(*c.json));
    for (size_t i = 0; i < count; i++) {
        const struct store_report *r = &reports[i];

        snprintf(c.digits[i][0], sizeof(c.digits[i][0]), "%d", r->task);
        snprintf(c.digits[i][1], sizeof(c.digits[i][1]), "%" PRId64, r->lease_epoch);
        c.job[i] = r->job;
        c.number[i] = c.digits[i][0];
        c.epoch[i] = c.digits[i][1];
        if (r->progress) {
            json_t *progress = store_progress_to_json(r->progress);

            c.progress[i] = c.json[i] = json_dumps(progress, JSON_COMPACT);
            json_decref(progress);
        }
    }
    return c;
}

static void columns_done(struct columns *c) {
    json_malloc_t allocate;
    json_free_t release;

    json_get_alloc_funcs(&allocate, &release);
    for (size_t i = 0; i < c->count; i++)
        release(c->json[i]);
    free(c->job);
    free(c->number);
    free(c->epoch);
    free(c->progress);
    free(c->digits);
    free(c->json);
}

bool store_task_report(struct store *store, const char *worker, int lease_seconds,
                       struct store_report *reports, size_t count, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;
    struct columns c;

    if (count == 0)
        return true;
    c = columns_of(reports, count);
    store_bind_text(&p, worker);
    store_bind_i64(&p, lease_seconds);
    store_bind_texts(&p, c.job, count);
    store_bind_texts(&p, c.number, count);
    store_bind_texts(&p, c.epoch, count);
    store_bind_texts(&p, c.progress, count);
    columns_done(&c);
    if (!store_exec(store, &sql_query_task_report, &p, &rows, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        reports[i].is_held = false;
        reports[i].state[0] = '\0';
        reports[i].wanted = NULL;
        reports[i].job_version = reports[i].now_ms = 0;
    }
    for (int row = 0; row < rows.count; row++) {
        int64_t place = store_i64(&rows, row, 0);
        struct store_report *r;

        if (place < 1 || (uint64_t)place > count)
            continue;
        r = &reports[place - 1];
        json_decref(r->wanted);
        r->is_held = true;
        store_text_copy(&rows, row, 1, r->state, sizeof(r->state));
        r->wanted = store_json(&rows, row, 2);
        r->job_version = store_i64(&rows, row, 3);
        r->now_ms = store_i64(&rows, row, 4);
    }
    store_rows_done(&rows);
    return true;
}

/* Run a statement that writes the row of a held lease or none. */
static bool write_held(struct store *store, const struct sql_text *query, struct store_params *p,
                       const struct store_lease *lease, struct err *err) {
    struct store_rows rows = STORE_ROWS_INIT;
    bool ok;

    if (!store_exec(store, query, p, &rows, err))
        return false;
    ok =
        rows.affected == 1 || err_set(err, ERR_FENCED, "the lease of %s has passed on", lease->job);
    store_rows_done(&rows);
    return ok;
}

bool store_task_release(struct store *store, const struct store_lease *lease, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_lease(&p, lease);
    return store_exec(store, &sql_query_task_release, &p, NULL, err);
}

bool store_task_hand_over(struct store *store, const struct store_lease *lease, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_lease(&p, lease);
    return store_exec(store, &sql_query_task_hand_over, &p, NULL, err);
}

bool store_task_raise_epoch(struct store *store, const struct store_lease *lease, int64_t above,
                            int64_t *ret_epoch, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;
    bool ok;

    store_bind_lease(&p, lease);
    store_bind_i64(&p, above);
    if (!store_exec(store, &sql_query_task_raise_epoch, &p, &rows, err))
        return false;
    ok = rows.count == 1 || err_set(err, ERR_FENCED, "the lease of %s has passed on", lease->job);
    if (ok)
        *ret_epoch = store_i64(&rows, 0, 0);
    store_rows_done(&rows);
    return ok;
}

bool store_task_claimed_before(struct store *store, const struct store_lease *lease, bool value,
                               struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_lease(&p, lease);
    store_bind_bool(&p, value);
    return write_held(store, &sql_query_task_claimed_before, &p, lease, err);
}

bool store_task_facts(struct store *store, const struct store_lease *lease, const char *end,
                      const json_t *facts, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_lease(&p, lease);
    store_bind_text(&p, end);
    store_bind_json(&p, facts);
    return write_held(store, &sql_query_task_facts, &p, lease, err);
}

struct full_sync {
    const char *source, *job;
    int per_hour;
    bool is_first, allowed;
    int64_t retry_after_ms;
};

/* The lock comes first and alone: a statement sees what was committed when it began. */
static bool take_full_sync(struct store *store, void *arg, struct err *err) {
    struct full_sync *sync = arg;
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;
    char lock[600];

    snprintf(lock, sizeof(lock), "full_sync:%s", sync->source);
    if (!store_txn_lock(store, lock, err))
        return false;
    store_bind_text(&p, sync->source);
    store_bind_text(&p, sync->job);
    store_bind_i64(&p, sync->per_hour);
    store_bind_bool(&p, sync->is_first);
    if (!store_exec(store, &sql_query_full_sync_take, &p, &rows, err))
        return false;
    sync->allowed = rows.affected == 1;
    store_rows_done(&rows);
    if (sync->allowed)
        return true;
    store_bind_text(&p, sync->source);
    store_bind_i64(&p, sync->per_hour);
    if (!store_exec(store, &sql_query_full_sync_wait, &p, &rows, err))
        return false;
    sync->retry_after_ms = store_i64(&rows, 0, 0);
    store_rows_done(&rows);
    return true;
}

bool store_task_full_sync(struct store *store, const char *source, const char *job, int per_hour,
                          bool is_first, bool *ret_allowed, int64_t *ret_retry_after_ms,
                          struct err *err) {
    struct full_sync sync = {
        .source = source, .job = job, .per_hour = per_hour, .is_first = is_first};

    if (!store_txn(store, take_full_sync, &sync, err))
        return false;
    *ret_allowed = sync.allowed;
    *ret_retry_after_ms = sync.allowed ? 0 : sync.retry_after_ms;
    return true;
}

bool store_task_full_sync_unused(struct store *store, const char *source, const char *job,
                                 struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, source);
    store_bind_text(&p, job);
    return store_exec(store, &sql_query_full_sync_unused, &p, NULL, err);
}
