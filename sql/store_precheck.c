#include "sql/store_precheck.h"

#include <stdlib.h>
#include <string.h>

#include "sql/embedded.h"
#include "sql/store_job.h"

/* Columns of the view precheck_shown. */
enum column {
    C_ID,
    C_ACCOUNT,
    C_JOB,
    C_STATE,
    C_SPEC_DIGEST,
    C_PROBE,
    C_SPEC,
    C_FACTS,
    C_PLAN,
    C_LAST_ERROR,
    C_ITEMS,
    C_VERSION,
    C_CREATED,
    C_STARTED,
    C_FINISHED,
    C_PURPOSE,
    C_FRESH,
};

void store_precheck_done(struct store_precheck *precheck) {
    json_decref(precheck->spec);
    json_decref(precheck->facts);
    json_decref(precheck->plan);
    json_decref(precheck->last_error);
    json_decref(precheck->items);
    memset(precheck, 0, sizeof(*precheck));
}

static void read_row(const struct store_rows *rows, int row, struct store_precheck *ret) {
    memset(ret, 0, sizeof(*ret));
    store_text_copy(rows, row, C_ID, ret->id, sizeof(ret->id));
    store_text_copy(rows, row, C_ACCOUNT, ret->account, sizeof(ret->account));
    store_text_copy(rows, row, C_JOB, ret->job, sizeof(ret->job));
    store_text_copy(rows, row, C_STATE, ret->state, sizeof(ret->state));
    store_text_copy(rows, row, C_SPEC_DIGEST, ret->spec_digest, sizeof(ret->spec_digest));
    store_text_copy(rows, row, C_PROBE, ret->probe, sizeof(ret->probe));
    ret->spec = store_json(rows, row, C_SPEC);
    ret->facts = store_json(rows, row, C_FACTS);
    ret->plan = store_json(rows, row, C_PLAN);
    ret->last_error = store_json(rows, row, C_LAST_ERROR);
    ret->items = store_json(rows, row, C_ITEMS);
    ret->version = store_i64(rows, row, C_VERSION);
    ret->created_ms = store_i64(rows, row, C_CREATED);
    ret->started_ms = store_i64(rows, row, C_STARTED);
    ret->finished_ms = store_i64(rows, row, C_FINISHED);
    store_text_copy(rows, row, C_PURPOSE, ret->purpose, sizeof(ret->purpose));
    ret->fresh_ms = store_i64(rows, row, C_FRESH);
}

static bool read_one(struct store *store, const struct sql_text *query, struct store_params *p,
                     struct store_precheck *ret, struct err *err) {
    struct store_rows rows = STORE_ROWS_INIT;
    bool found;

    if (!store_exec(store, query, p, &rows, err))
        return false;
    found = rows.count > 0;
    if (found)
        read_row(&rows, 0, ret);
    store_rows_done(&rows);
    return found || err_set(err, ERR_NOT_FOUND, "there is no such precheck");
}

bool store_precheck_get(struct store *store, const char *account, const char *id,
                        struct store_precheck *ret, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, id);
    store_bind_text(&p, account);
    return read_one(store, &sql_query_precheck_get, &p, ret, err);
}

static void bind_list(struct store_params *p, const char *account, const char *job,
                      const char *before_id, int limit) {
    store_bind_text(p, job);
    store_bind_text(p, account);
    store_bind_text(p, before_id);
    store_bind_i64(p, limit);
}

bool store_precheck_latest(struct store *store, const char *account, const char *job,
                           struct store_precheck *ret, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    bind_list(&p, account, job, NULL, 1);
    return read_one(store, &sql_query_precheck_list, &p, ret, err);
}

bool store_precheck_reading(struct store *store, const char *account, const char *job,
                            const char *purpose, struct store_precheck *ret, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, account);
    store_bind_text(&p, job);
    store_bind_text(&p, purpose);
    return read_one(store, &sql_query_reading_get, &p, ret, err);
}

bool store_precheck_own_keys(struct store *store, const char *id, json_t **ret, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, id);
    return store_exec_json(store, &sql_query_reading_own_keys, &p, ret, err);
}

bool store_precheck_reading_ask(struct store *store, const struct store_precheck_new *run,
                                int max_age_s, bool *ret_open, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, run->id);
    store_bind_text(&p, run->account);
    store_bind_text(&p, run->job);
    store_bind_text(&p, run->options->purpose);
    store_bind_json(&p, run->spec);
    store_bind_bytes(&p, run->sealed);
    store_bind_text(&p, run->spec_digest);
    store_bind_text(&p, run->actor);
    store_bind_i64(&p, max_age_s);
    return store_exec_found(store, &sql_query_reading_ask, &p, ret_open, err);
}

bool store_precheck_list(struct store *store, const char *account, const char *job,
                         const char *before_id, int limit, struct store_precheck **ret,
                         size_t *ret_count, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;
    struct store_precheck *list;

    bind_list(&p, account, job, before_id, limit);
    if (!store_exec(store, &sql_query_precheck_list, &p, &rows, err))
        return false;
    list = calloc((size_t)rows.count + 1, sizeof(*list));
    if (!list)
        abort();
    for (int i = 0; i < rows.count; i++)
        read_row(&rows, i, &list[i]);
    *ret = list;
    *ret_count = (size_t)rows.count;
    store_rows_done(&rows);
    return true;
}

void store_precheck_list_done(struct store_precheck *list, size_t count) {
    for (size_t i = 0; list && i < count; i++)
        store_precheck_done(&list[i]);
    free(list);
}

void store_precheck_claim_done(struct store_precheck_claim *claim) {
    json_decref(claim->spec);
    json_decref(claim->carried);
    buf_done(&claim->sealed);
    *claim = (struct store_precheck_claim){.sealed = BUF_INIT(STORE_SEALED_MAX)};
}

bool store_precheck_claim(struct store *store, const char *worker, const char *pool,
                          int lease_seconds, struct store_precheck_claim *ret, bool *ret_found,
                          struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;
    struct store_precheck_claim claim = {.sealed = BUF_INIT(STORE_SEALED_MAX)};
    bool ok = true;

    store_bind_text(&p, worker);
    store_bind_text(&p, pool);
    store_bind_i64(&p, lease_seconds);
    if (!store_exec(store, &sql_query_precheck_claim, &p, &rows, err))
        return false;
    if (rows.count) {
        store_text_copy(&rows, 0, 0, claim.id, sizeof(claim.id));
        store_text_copy(&rows, 0, 1, claim.job, sizeof(claim.job));
        claim.lease_epoch = store_i64(&rows, 0, 2);
        store_text_copy(&rows, 0, 3, claim.probe, sizeof(claim.probe));
        claim.spec = store_json(&rows, 0, 4);
        ok = store_bytes(&rows, 0, 5, &claim.sealed, err);
        store_text_copy(&rows, 0, 6, claim.purpose, sizeof(claim.purpose));
        claim.carried = store_json(&rows, 0, 7);
    }
    if (ok) {
        *ret_found = rows.count > 0;
        *ret = claim;
    } else {
        store_precheck_claim_done(&claim);
    }
    store_rows_done(&rows);
    return ok;
}

bool store_precheck_renew(struct store *store, const char *id, const char *worker,
                          int64_t lease_epoch, int lease_seconds, bool *ret_held, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;

    store_bind_text(&p, id);
    store_bind_text(&p, worker);
    store_bind_i64(&p, lease_epoch);
    store_bind_i64(&p, lease_seconds);
    if (!store_exec(store, &sql_query_precheck_renew, &p, &rows, err))
        return false;
    *ret_held = rows.affected == 1;
    store_rows_done(&rows);
    return true;
}

bool store_precheck_item(struct store *store, const char *id, int64_t lease_epoch,
                         const json_t *item, struct err *err) {
    const char *check = json_string_value(json_object_get(item, "id"));
    const char *result = json_string_value(json_object_get(item, "result"));
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;
    bool ok;

    if (!check || !result)
        return err_set(err, ERR_VALIDATION, "an item of a precheck has no id or no result");
    store_bind_text(&p, id);
    store_bind_i64(&p, lease_epoch);
    store_bind_text(&p, check);
    store_bind_text(&p, result);
    store_bind_bool(&p, json_is_true(json_object_get(item, "ignorable")));
    store_bind_json(&p, item);
    if (!store_exec(store, &sql_query_precheck_item_put, &p, &rows, err))
        return false;
    ok = rows.affected == 1 || err_set(err, ERR_FENCED, "the precheck %s is not ours any more", id);
    store_rows_done(&rows);
    return ok;
}

bool store_precheck_insert(struct store *store, const struct store_precheck_new *run,
                           struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, run->id);
    store_bind_text(&p, run->account);
    store_bind_text(&p, run->job);
    store_bind_text(&p, run->options->read_only ? "read_only" : "full");
    store_bind_bool(&p, run->options->ignore_warnings);
    store_bind_text(&p, run->options->ignore_reason);
    store_bind_json(&p, run->spec);
    store_bind_bytes(&p, run->sealed);
    store_bind_text(&p, run->spec_digest);
    store_bind_text(&p, run->actor);
    store_bind_text(&p, run->options->purpose ? run->options->purpose : "precheck");
    if (!store_exec(store, &sql_query_precheck_insert, &p, NULL, err))
        return false;
    if (!run->options->only_failed)
        return true;
    store_bind_text(&p, run->id);
    return store_exec(store, &sql_query_precheck_carry, &p, NULL, err);
}

bool store_precheck_neighbours(struct store *store, const char *id, const char *const *states,
                               size_t state_count, json_t **ret, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, id);
    store_bind_texts(&p, states, state_count);
    return store_exec_json(store, &sql_query_precheck_neighbours, &p, ret, err);
}

bool store_precheck_known(struct store *store, const char *id, json_t **ret, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;

    store_bind_text(&p, id);
    if (!store_exec(store, &sql_query_precheck_known, &p, &rows, err))
        return false;
    *ret = rows.count ? store_json(&rows, 0, 0) : NULL;
    store_rows_done(&rows);
    return true;
}

bool store_precheck_contacts(struct store *store, const char *id, int64_t *ret_count,
                             struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;

    store_bind_text(&p, id);
    if (!store_exec(store, &sql_query_precheck_contacts, &p, &rows, err))
        return false;
    *ret_count = rows.count ? store_i64(&rows, 0, 0) : 0;
    store_rows_done(&rows);
    return true;
}

bool store_precheck_finish(struct store *store, const char *id, const char *worker,
                           int64_t lease_epoch, const json_t *facts, const json_t *plan,
                           const char *failure_code, const char *failure_detail,
                           struct store_precheck_end *ret, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;

    store_bind_text(&p, id);
    store_bind_text(&p, worker);
    store_bind_i64(&p, lease_epoch);
    store_bind_json(&p, facts);
    store_bind_json(&p, plan);
    store_bind_text(&p, failure_code);
    store_bind_text(&p, failure_detail);
    if (!store_exec(store, &sql_query_precheck_finish, &p, &rows, err))
        return false;
    *ret = (struct store_precheck_end){.state = ""};
    if (rows.count) {
        store_text_copy(&rows, 0, 0, ret->state, sizeof(ret->state));
        store_text_copy(&rows, 0, 1, ret->job, sizeof(ret->job));
        store_text_copy(&rows, 0, 2, ret->purpose, sizeof(ret->purpose));
        store_text_copy(&rows, 0, 3, ret->failed, sizeof(ret->failed));
    }
    store_rows_done(&rows);
    return true;
}

static bool read_result(struct store *store, const char *id, const char *check_id,
                        char ret_result[STORE_STATE_SIZE], struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;

    store_bind_text(&p, id);
    store_bind_text(&p, check_id);
    if (!store_exec(store, &sql_query_precheck_item_get, &p, &rows, err))
        return false;
    ret_result[0] = '\0';
    if (rows.count)
        store_text_copy(&rows, 0, 0, ret_result, STORE_STATE_SIZE);
    store_rows_done(&rows);
    return true;
}

bool store_precheck_ignore(struct store *store, const char *id, const char *check_id,
                           const char *reason, const char *actor, int *ret_ignored,
                           char ret_result[STORE_STATE_SIZE], bool *ret_passes, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;

    store_bind_text(&p, id);
    store_bind_text(&p, check_id);
    store_bind_text(&p, reason);
    store_bind_text(&p, actor);
    if (!store_exec(store, &sql_query_precheck_item_ignore, &p, &rows, err))
        return false;
    *ret_ignored = (int)rows.affected;
    store_rows_done(&rows);
    ret_result[0] = '\0';
    if (check_id && !read_result(store, id, check_id, ret_result, err))
        return false;
    store_bind_text(&p, id);
    if (!store_exec(store, &sql_query_precheck_judge, &p, &rows, err))
        return false;
    *ret_passes = rows.count == 1 && store_bool(&rows, 0, 0);
    store_rows_done(&rows);
    return true;
}

bool store_precheck_cancel(struct store *store, const char *account, const char *id,
                           bool *ret_cancelled, char ret_job[STORE_ID_SIZE], struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;

    store_bind_text(&p, id);
    store_bind_text(&p, account);
    if (!store_exec(store, &sql_query_precheck_cancel, &p, &rows, err))
        return false;
    *ret_cancelled = rows.count == 1;
    ret_job[0] = '\0';
    if (rows.count)
        store_text_copy(&rows, 0, 0, ret_job, STORE_ID_SIZE);
    store_rows_done(&rows);
    return true;
}

bool store_precheck_cancel_of_job(struct store *store, const char *job, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, job);
    return store_exec(store, &sql_query_precheck_cancel_of_job, &p, NULL, err);
}
