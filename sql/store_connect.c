#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "sql/store_private.h"

int64_t store_mono_ms(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* libpq ends its messages with a newline and may send several lines; one is enough. */
static struct str first_line(const char *message) {
    struct str rest = str_from(message), line = STR_EMPTY;

    while (str_cut(&rest, '\n', &line) && str_trim(line).len == 0)
        continue;
    return str_trim(line);
}

/* libpq then finds the connection broken, as if the server had closed it. An answer that
 * still came would be taken for that of the next question. */
static void cut(PGconn *conn) {
    (void)shutdown(PQsocket(conn), SHUT_RDWR);
    (void)PQconsumeInput(conn);
}

/* Send what waits and read until a result is whole, the connection breaks or time is up. */
static void wait_result(PGconn *conn, int64_t until_ms) {
    int unsent;

    while ((unsent = PQflush(conn)) > 0 || (unsent == 0 && PQisBusy(conn))) {
        struct pollfd fd = {.fd = PQsocket(conn), .events = unsent > 0 ? POLLIN | POLLOUT : POLLIN};
        int64_t left_ms = until_ms - store_mono_ms();

        if (left_ms <= 0) {
            cut(conn);
            return;
        }
        if (poll(&fd, 1, (int)left_ms) > 0 && (fd.revents & ~POLLOUT) && !PQconsumeInput(conn))
            return;
    }
}

PGresult *store_await(PGconn *conn, int sent, int timeout_ms) {
    int64_t until_ms = store_mono_ms() + timeout_ms;
    PGresult *last = NULL, *next;

    if (!sent)
        return NULL;
    for (;;) {
        wait_result(conn, until_ms);
        next = PQgetResult(conn);
        if (!next)
            return last;
        /* Of several statements the one that failed is the last. */
        PQclear(last);
        last = next;
    }
}

bool store_run(PGconn *conn, const char *text, int timeout_ms, const char *doing, struct err *err) {
    PGresult *result = store_await(conn, PQsendQuery(conn, text), timeout_ms);
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        return store_failed(conn, result, doing, err);
    PQclear(result);
    return true;
}

/* libpq quotes what it cannot read, and there may be a password in it. */
static bool is_readable(const char *url, struct err *err) {
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &message);

    PQfreemem(message);
    PQconninfoFree(options);
    return options || err_set(err, ERR_CONFIG,
                              "the URL of the control database cannot be read; it is "
                              "postgresql://user@host/database or host=... dbname=...");
}

PGconn *store_connect(const char *url, const char *application, struct err *err) {
    /* What stands before dbname may be overridden by the URL. */
    const char *const names[] = {"connect_timeout",
                                 "keepalives_idle",
                                 "keepalives_interval",
                                 "keepalives_count",
                                 "tcp_user_timeout",
                                 "fallback_application_name",
                                 "dbname",
                                 NULL};
    const char *const values[] = {"5", "10", "5", "3", "30000", application, url, NULL};
    PGconn *conn;

    if (!is_readable(url, err))
        return NULL;
    conn = PQconnectdbParams(names, values, 1);
    if (PQstatus(conn) != CONNECTION_OK) {
        struct str why = first_line(PQerrorMessage(conn));

        err_set(err, ERR_STORE, "connecting to the control database: " STR_FMT, STR_ARG(why));
        PQfinish(conn);
        return NULL;
    }
    /* Sending does not wait either: store_await() has the deadline. */
    if (PQsetnonblocking(conn, 1) != 0) {
        err_set(err, ERR_MEMORY, "connecting to the control database");
        PQfinish(conn);
        return NULL;
    }
    if (!store_run(conn,
                   "SET statement_timeout = '30s'; SET lock_timeout = '10s';"
                   "SET idle_in_transaction_session_timeout = '60s'; SET timezone = 'UTC';"
                   "SET client_encoding = 'UTF8'; SET client_min_messages = 'warning';"
                   /* Our statements are short: compiling one takes longer than running it. */
                   "SET jit = off",
                   STORE_ANSWER_MS, "setting up a session", err)) {
        PQfinish(conn);
        return NULL;
    }
    return conn;
}

static bool has_state(const PGresult *result, const char *prefix) {
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    return state && strncmp(state, prefix, strlen(prefix)) == 0;
}

bool store_is_conflict(const PGresult *result) {
    return has_state(result, "40001") || has_state(result, "40P01");
}

bool store_failed(PGconn *conn, PGresult *result, const char *doing, struct err *err) {
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    struct str why = first_line(primary ? primary : PQerrorMessage(conn));
    enum err_code code = ERR_STORE;

    if (store_is_conflict(result) || has_state(result, "23505"))
        code = ERR_STORE_CONFLICT;
    else if (has_state(result, "22"))
        code = ERR_VALIDATION; /* a value the database cannot hold, like a NUL in a text */
    else if (has_state(result, "42"))
        code = ERR_STORE_SCHEMA;
    err_set(err, code, "%s: " STR_FMT, doing, STR_ARG(why));
    PQclear(result);
    return false;
}
