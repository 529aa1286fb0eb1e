/* store_private.h - what the files of sql/ share about a connection; for nobody else. */
#pragma once

#include <libpq-fe.h>

#include "sql/store.h"

struct store {
    PGconn *conn; /* NULL until the first connect and after a loss */
    char *url, *application;
    int answer_ms;       /* how long an answer may take */
    bool is_prepared;    /* this connection knows the statements */
    bool in_txn;         /* store_txn() runs */
    bool is_retryable;   /* the last failure was 40001 or 40P01 */
    bool commit_unknown; /* the last failure may have committed */
    int64_t next_ms;     /* monotonic: no attempt to connect before */
    int64_t pause_ms;    /* after the next failed attempt */
};

/* Connect and set the time limits of a session. NULL on failure.
 * Errors: STORE. No message quotes the URL. */
PGconn *store_connect(const char *url, const char *application, struct err *err);

/* Turn a failed result (NULL is possible) into an error, and free it. Returns false. */
bool store_failed(PGconn *conn, PGresult *result, const char *doing, struct err *err);

/* Was it lost to another transaction, so that it may be repeated? */
bool store_is_conflict(const PGresult *result);

/* Above the time limits of a session: the server's own message comes first. */
enum { STORE_ANSWER_MS = 40000 };

/* The answer to what was sent (`sent` is what PQsend...() returned), the last one when there
 * are several. NULL when it does not come in time; the connection is broken then. */
PGresult *store_await(PGconn *conn, int sent, int timeout_ms);

/* Run text without parameters. */
MUST_CHECK bool store_run(PGconn *conn, const char *text, int timeout_ms, const char *doing,
                          struct err *err);

/* A connection that works, statements prepared. In a transaction a lost connection stays
 * lost. */
MUST_CHECK bool store_ensure(struct store *store, struct err *err);

int64_t store_mono_ms(void);
