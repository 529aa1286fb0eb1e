#include "sql/store.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql/embedded.h"
#include "sql/store_private.h"

enum { PAUSE_FIRST_MS = 50, PAUSE_MAX_MS = 2000, CONFLICTS_MAX = 8 };

static char *dup_text(const char *text) {
    char *copy = strdup(text);

    if (!copy)
        abort();
    return copy;
}

/* The database must have exactly the migrations of this program. */
static bool check_schema(PGconn *conn, struct err *err) {
    PGresult *result =
        store_await(conn, PQsendQuery(conn, "SELECT to_regclass('schema_migrations') IS NOT NULL"),
                    STORE_ANSWER_MS);
    const char *last = sql_migration_count ? sql_migrations[sql_migration_count - 1].name : "";
    bool exists;

    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        return store_failed(conn, result, "looking at the schema", err);
    exists = PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    if (!exists)
        return err_set(err, ERR_STORE_SCHEMA,
                       "the control database is empty; its schema is made by "
                       "`keyferry up`");
    result = store_await(
        conn, PQsendQuery(conn, "SELECT name FROM schema_migrations ORDER BY version DESC LIMIT 1"),
        STORE_ANSWER_MS);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        return store_failed(conn, result, "looking at the schema", err);
    if (PQntuples(result) != 1 || strcmp(PQgetvalue(result, 0, 0), last) != 0) {
        err_set(err, ERR_STORE_SCHEMA,
                "the control database stands at %s, this program is made for %s",
                PQntuples(result) ? PQgetvalue(result, 0, 0) : "nothing", last);
        PQclear(result);
        return false;
    }
    PQclear(result);
    return true;
}

static bool prepare_all(PGconn *conn, struct err *err) {
    for (int i = 0; i < sql_query_count; i++) {
        PGresult *result = store_await(
            conn, PQsendPrepare(conn, sql_queries[i]->name, sql_queries[i]->text, 0, NULL),
            STORE_ANSWER_MS);

        if (PQresultStatus(result) != PGRES_COMMAND_OK) {
            store_failed(conn, result, "preparing", err);
            return err_wrap(err, "sql/queries/%s.sql", sql_queries[i]->name);
        }
        PQclear(result);
    }
    return true;
}

static void disconnect(struct store *store) {
    PQfinish(store->conn);
    store->conn = NULL;
    store->is_prepared = false;
}

/* A server that went away while nobody asked it anything is seen here: the first read
 * may still bring its farewell, the second tells (PostgreSQL 15 libpq). */
static bool is_alive(PGconn *conn) {
    for (int i = 0; i < 2; i++) {
        struct pollfd fd = {.fd = PQsocket(conn), .events = POLLIN};

        if (poll(&fd, 1, 0) <= 0)
            break;
        if (!PQconsumeInput(conn))
            return false;
    }
    return PQstatus(conn) == CONNECTION_OK;
}

static bool reconnect(struct store *store, struct err *err) {
    int64_t now_ms = store_mono_ms();

    if (now_ms < store->next_ms)
        return err_set(err, ERR_STORE, "the control database is away; next attempt in %d ms",
                       (int)(store->next_ms - now_ms));
    store->conn = store_connect(store->url, store->application, err);
    if (store->conn && check_schema(store->conn, err) && prepare_all(store->conn, err)) {
        store->is_prepared = true;
        store->pause_ms = PAUSE_FIRST_MS;
        return true;
    }
    disconnect(store);
    store->next_ms = store_mono_ms() + store->pause_ms;
    store->pause_ms = store->pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : store->pause_ms * 2;
    return false;
}

bool store_ensure(struct store *store, struct err *err) {
    if (store->conn &&
        (store->in_txn ? PQstatus(store->conn) == CONNECTION_OK : is_alive(store->conn)))
        return true;
    if (store->in_txn)
        return err_set(err, ERR_STORE, "the control database went away within a transaction");
    disconnect(store);
    return reconnect(store, err);
}

bool store_open(const char *url, const char *application, struct store **ret_store,
                struct err *err) {
    struct store *store = calloc(1, sizeof(*store));

    if (!store)
        abort();
    store->url = dup_text(url);
    store->application = dup_text(application);
    store->pause_ms = PAUSE_FIRST_MS;
    store->answer_ms = STORE_ANSWER_MS;
    if (!reconnect(store, err)) {
        store_close(store);
        return false;
    }
    *ret_store = store;
    return true;
}

void store_close(struct store *store) {
    if (!store)
        return;
    disconnect(store);
    explicit_bzero(store->url, strlen(store->url));
    free(store->url);
    free(store->application);
    free(store);
}

void store_answer_limit(struct store *store, int answer_ms) {
    store->answer_ms = answer_ms;
}

int store_fd(const struct store *store) {
    return store->conn ? PQsocket(store->conn) : -1;
}

bool store_commit_unknown(const struct store *store) {
    return store->commit_unknown;
}

static void params_done(struct store_params *p) {
    for (int i = 0; i < p->count; i++)
        free(p->value[i]);
    *p = STORE_PARAMS_INIT;
}

static PGresult *run(struct store *store, const struct sql_text *query,
                     const struct store_params *p, bool prepared) {
    const char *const *values = (const char *const *)p->value;
    int sent = prepared ? PQsendQueryPrepared(store->conn, query->name, p->count, values, p->length,
                                              p->is_binary, 0)
                        : PQsendQueryParams(store->conn, query->text, p->count, NULL, values,
                                            p->length, p->is_binary, 0);

    return store_await(store->conn, sent, store->answer_ms);
}

static bool is_success(const PGresult *result) {
    ExecStatusType status = PQresultStatus(result);

    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

static bool exec(struct store *store, const struct sql_text *query, struct store_params *params,
                 bool prepared, struct store_rows *ret_rows, struct err *err) {
    struct store_params none = STORE_PARAMS_INIT;
    PGresult *result = NULL;
    bool ok;

    if (!params)
        params = &none;
    store->is_retryable = store->commit_unknown = false;
    if (!store_ensure(store, err)) {
        params_done(params);
        return false;
    }
    /* A statement of its own is a transaction of its own, and may be repeated as one. */
    for (int i = 0; i < CONFLICTS_MAX; i++) {
        PQclear(result);
        result = run(store, query, params, prepared);
        if (is_success(result) || store->in_txn || !store_is_conflict(result))
            break;
    }
    params_done(params);
    ok = is_success(result);
    if (!ok) {
        store->is_retryable = store_is_conflict(result);
        store->commit_unknown = !store->in_txn && PQstatus(store->conn) != CONNECTION_OK;
        return store_failed(store->conn, result, query->name, err);
    }
    if (ret_rows)
        *ret_rows = (struct store_rows){
            .result = result,
            .count = PQntuples(result),
            .affected = strtoull(PQcmdTuples(result), NULL, 10),
        };
    else
        PQclear(result);
    return true;
}

bool store_exec(struct store *store, const struct sql_text *query, struct store_params *params,
                struct store_rows *ret_rows, struct err *err) {
    return exec(store, query, params, true, ret_rows, err);
}

bool store_exec_planned(struct store *store, const struct sql_text *query,
                        struct store_params *params, struct store_rows *ret_rows, struct err *err) {
    return exec(store, query, params, false, ret_rows, err);
}

bool store_ping(struct store *store, struct err *err) {
    return store_exec(store, &sql_query_ping, NULL, NULL, err);
}

bool store_sweep(struct store *store, struct err *err) {
    return store_exec(store, &sql_query_sweep, NULL, NULL, err) &&
           store_exec(store, &sql_query_job_count_fold, NULL, NULL, err);
}

void store_address(const struct store *store, char dst[80]) {
    const char *address = store->conn ? PQhostaddr(store->conn) : NULL;

    dst[0] = '\0';
    if (address && *address && *address != '/' && *address != '@')
        snprintf(dst, 80, "%.60s,%s", address, PQport(store->conn));
}
