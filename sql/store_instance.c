#include "sql/store_instance.h"

#include <stdio.h>

#include "sql/embedded.h"
#include "sql/store_audit.h"
#include "sql/store_txn.h"

enum { SEALED_MAX = 1024 * 1024 };

bool store_instance_list(struct store *store, const char *account, const char *id,
                         const char *before, int limit, const char *name_part, json_t **ret_list,
                         struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, account);
    store_bind_text(&p, id);
    store_bind_text(&p, before);
    store_bind_i64(&p, limit);
    store_bind_text(&p, name_part);
    return store_exec_json(store, &sql_query_instance_list, &p, ret_list, err);
}

bool store_instance_insert(struct store *store, const struct store_instance *row, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, row->id);
    store_bind_text(&p, row->account);
    store_bind_text(&p, row->name);
    store_bind_json(&p, row->details);
    store_bind_json(&p, row->endpoint);
    store_bind_text(&p, row->address);
    store_bind_bytes(&p, row->sealed);
    return store_exec(store, &sql_query_instance_insert, &p, NULL, err);
}

bool store_instance_change(struct store *store, const struct store_instance *row, bool *ret_written,
                           struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, row->account);
    store_bind_text(&p, row->id);
    store_bind_i64(&p, row->version);
    store_bind_text(&p, row->name);
    store_bind_json(&p, row->details);
    store_bind_json(&p, row->endpoint);
    store_bind_text(&p, row->address);
    store_bind_bytes(&p, row->sealed);
    return store_exec_found(store, &sql_query_instance_edit, &p, ret_written, err);
}

static void bind_row(struct store_params *p, const char *account, const char *id, int64_t version) {
    store_bind_text(p, account);
    store_bind_text(p, id);
    store_bind_i64(p, version);
}

bool store_instance_delete(struct store *store, const char *account, const char *id,
                           int64_t version, bool *ret_written, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    bind_row(&p, account, id, version);
    return store_exec_found(store, &sql_query_instance_delete, &p, ret_written, err);
}

bool store_instance_live(struct store *store, const char *account, const char *id, int64_t version,
                         bool is_live, const char *reason, bool *ret_written, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    bind_row(&p, account, id, version);
    store_bind_bool(&p, is_live);
    store_bind_text(&p, reason);
    return store_exec_found(store, &sql_query_instance_live, &p, ret_written, err);
}

bool store_instance_ask(struct store *store, const char *account, const char *id, int64_t version,
                        const char *work, struct str sealed, const json_t *endpoint,
                        bool *ret_written, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    bind_row(&p, account, id, version);
    store_bind_text(&p, work);
    store_bind_bytes(&p, sealed);
    store_bind_json(&p, endpoint);
    return store_exec_found(store, &sql_query_instance_ask, &p, ret_written, err);
}

/* The id a statement answers with; "" when it has no row. */
static bool read_id(struct store *store, const struct sql_text *query, const char *parameter,
                    char ret_id[STORE_ID_SIZE], struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;

    store_bind_text(&p, parameter);
    if (!store_exec(store, query, &p, &rows, err))
        return false;
    ret_id[0] = '\0';
    if (rows.count)
        store_text_copy(&rows, 0, 0, ret_id, STORE_ID_SIZE);
    store_rows_done(&rows);
    return true;
}

bool store_instance_live_at(struct store *store, const char *address, char ret_id[STORE_ID_SIZE],
                            struct err *err) {
    return read_id(store, &sql_query_instance_live_at, address, ret_id, err);
}

bool store_instance_user(struct store *store, const char *id, char ret_job[STORE_ID_SIZE],
                         struct err *err) {
    return read_id(store, &sql_query_instance_users, id, ret_job, err);
}

bool store_instance_login(struct store *store, const char *account, const char *id,
                          json_t **ret_endpoint, struct buf *ret_sealed, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;
    bool ok;

    store_bind_text(&p, account);
    store_bind_text(&p, id);
    if (!store_exec(store, &sql_query_instance_login, &p, &rows, err))
        return false;
    ok = (rows.count == 1 || err_set(err, ERR_NOT_FOUND, "there is no such instance")) &&
         store_bytes(&rows, 0, 1, ret_sealed, err);
    if (ok)
        *ret_endpoint = store_json(&rows, 0, 0);
    store_rows_done(&rows);
    return ok;
}

/* ---- work ---- */

void store_instance_work_done(struct store_instance_work *work) {
    json_decref(work->endpoint);
    work->endpoint = NULL;
    buf_done(&work->sealed);
}

bool store_instance_claim(struct store *store, const char *worker, int seconds,
                          struct store_instance_work *ret, bool *ret_found, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;
    bool ok = true;

    *ret = (struct store_instance_work){.sealed = BUF_INIT(SEALED_MAX)};
    store_bind_text(&p, worker);
    store_bind_i64(&p, seconds);
    if (!store_exec(store, &sql_query_instance_work_claim, &p, &rows, err))
        return false;
    *ret_found = rows.count == 1;
    if (rows.count == 1) {
        store_text_copy(&rows, 0, 0, ret->id, sizeof(ret->id));
        store_text_copy(&rows, 0, 1, ret->work, sizeof(ret->work));
        ret->endpoint = store_json(&rows, 0, 2);
        ok = store_bytes(&rows, 0, 3, &ret->sealed, err);
    }
    store_rows_done(&rows);
    return ok;
}

struct finish {
    const char *id, *worker;
    const json_t *facts;
    const struct err *why;
};

static bool finish_body(struct store *store, void *arg, struct err *err) {
    const struct finish *f = arg;
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;
    char detail[ERR_FRAMES * (ERR_FRAME_LEN + 2)] = "", actor[STORE_ID_SIZE + 8], action[48];
    char account[STORE_ID_SIZE] = "";

    if (f->why)
        err_format(f->why, detail, sizeof(detail));
    snprintf(actor, sizeof(actor), "worker:%s", f->worker);
    store_bind_text(&p, f->id);
    store_bind_text(&p, f->worker);
    store_bind_json(&p, f->facts);
    store_bind_text(&p, f->why ? err_slug(f->why->code) : NULL);
    store_bind_text(&p, detail);
    if (!store_exec(store, &sql_query_instance_work_done, &p, &rows, err))
        return false;
    if (rows.count == 1) {
        store_text_copy(&rows, 0, 0, account, sizeof(account));
        snprintf(action, sizeof(action), "instances.%s.%s", store_text(&rows, 0, 1),
                 f->why ? "failed" : "done");
    }
    store_rows_done(&rows);
    return account[0] == '\0' || store_audit_add(store,
                                                 &(struct store_audit){.account = account,
                                                                       .actor = actor,
                                                                       .action = action,
                                                                       .kind = "instances",
                                                                       .object = f->id},
                                                 err);
}

bool store_instance_finish(struct store *store, const char *id, const char *worker,
                           const json_t *facts, const struct err *why, struct err *err) {
    struct finish f = {.id = id, .worker = worker, .facts = facts, .why = why};

    return store_txn(store, finish_body, &f, err);
}
