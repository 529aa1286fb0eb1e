/* store.h - one connection to the control database, every statement prepared.
 *
 * Not pure: libpq. A handle belongs to one thread at a time. Opening connects,
 * compares the schema with what this program was built for and prepares every file
 * of sql/queries/, so a wrong statement stops a process at its start and not at
 * night. When the connection is lost the call in progress fails with STORE (whether
 * its commit happened is then unknown) and the next call connects again; until the
 * server is back calls fail at once, with pauses of 50 ms to 2 s between attempts.
 *
 * Every statement has a time limit (30 s) and so has waiting for a lock (10 s). A server
 * that does not answer at all is given up after 40 s, or what store_answer_limit() says.
 *
 * Errors of everything in sql/store_*.h, beside what each function names:
 *   STORE            the server is away, or refused the statement; worth a retry
 *   STORE_CONFLICT   a transaction was lost to another too often, or a row that
 *                    must be unique exists
 *   STORE_SCHEMA     the database has another schema than this program
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/str.h"

struct store;

enum { STORE_ID_SIZE = 40, STORE_STATE_SIZE = 24 };

/* `url` as libpq takes it. `application` is shown in pg_stat_activity. */
MUST_CHECK bool store_open(const char *url, const char *application, struct store **ret_store,
                           struct err *err);

/* NULL is fine. */
void store_close(struct store *store);

/* Ask the server for something small. */
MUST_CHECK bool store_ping(struct store *store, struct err *err);

/* Where the server is, as "<address>,<port>"; "" over a unix socket or while there is no
 * connection. */
void store_address(const struct store *store, char dst[80]);

/* Drop what has had its time: idempotent answers, samples, stand-alone prechecks. A thousand
 * rows of a kind at most; any process, every few minutes. */
MUST_CHECK bool store_sweep(struct store *store, struct err *err);

/* Give up sooner: who must do something else by its own clock says so here. */
void store_answer_limit(struct store *store, int answer_ms);

/* The connection's descriptor (-1 = none now), for a process that wants to see it
 * break; and whether the last failure leaves a commit in doubt. */
int store_fd(const struct store *store);
bool store_commit_unknown(const struct store *store);

/* A task as its holder knows it. Writes that name it change nothing once it has passed on.
 * The worker stands beside the epoch because a database that was restored gives the
 * numbers since its backup out once more. */
struct store_lease {
    const char *worker, *job;
    int task;
    int64_t epoch;
};

/* ---- for store_*.c and nobody else ---- */

struct sql_text {
    const char *name; /* of the file, without .sql: also the prepared statement's */
    const char *text;
};

enum { STORE_PARAMS_MAX = 32 };

/* Parameters of one call. Text and JSON are copied, so the arguments may go. */
struct store_params {
    int count;
    char *value[STORE_PARAMS_MAX]; /* owned; NULL = null */
    int length[STORE_PARAMS_MAX];
    int is_binary[STORE_PARAMS_MAX];
};

#define STORE_PARAMS_INIT ((struct store_params){.count = 0})

void store_bind_text(struct store_params *p, const char *value); /* NULL is null */
void store_bind_str(struct store_params *p, struct str value);
void store_bind_i64(struct store_params *p, int64_t value);
void store_bind_bool(struct store_params *p, bool value);
void store_bind_bytes(struct store_params *p, struct str value);   /* bytea; empty is null */
void store_bind_json(struct store_params *p, const json_t *value); /* NULL is null */
void store_bind_lease(struct store_params *p, const struct store_lease *lease);         /* four */
void store_bind_texts(struct store_params *p, const char *const *values, size_t count); /* text[] */

struct store_rows {
    void *result; /* PGresult */
    int count;
    uint64_t affected; /* rows a statement wrote */
};

#define STORE_ROWS_INIT ((struct store_rows){.result = NULL})

/* Run a prepared statement. The parameters are used up also on failure. ret_rows
 * may be NULL. */
MUST_CHECK bool store_exec(struct store *store, const struct sql_text *query,
                           struct store_params *params, struct store_rows *ret_rows,
                           struct err *err);
void store_rows_done(struct store_rows *rows);

/* The same for a statement whose best plan depends on what is asked for: it is planned with its
 * values each time, which a prepared one is only the first five times (PostgreSQL 15). */
MUST_CHECK bool store_exec_planned(struct store *store, const struct sql_text *query,
                                   struct store_params *params, struct store_rows *ret_rows,
                                   struct err *err);

/* The same for a statement that answers with one JSON value: NULL when it has no row. A new
 * reference. */
MUST_CHECK bool store_exec_json(struct store *store, const struct sql_text *query,
                                struct store_params *params, json_t **ret_value, struct err *err);

/* The same for one that answers with a row when it did something. */
MUST_CHECK bool store_exec_found(struct store *store, const struct sql_text *query,
                                 struct store_params *params, bool *ret_found, struct err *err);

/* Columns by position. Null reads as "", 0, false, NULL. */
bool store_is_null(const struct store_rows *rows, int row, int column);
const char *store_text(const struct store_rows *rows, int row, int column); /* borrowed */
void store_text_copy(const struct store_rows *rows, int row, int column, char *dst, size_t size);
int64_t store_i64(const struct store_rows *rows, int row, int column);
bool store_bool(const struct store_rows *rows, int row, int column);
json_t *store_json(const struct store_rows *rows, int row, int column); /* new reference */
MUST_CHECK bool store_bytes(const struct store_rows *rows, int row, int column, struct buf *ret,
                            struct err *err); /* bytea */
