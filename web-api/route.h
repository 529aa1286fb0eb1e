/* route.h - one row of the table of routes, and what a handler is given.
 *
 * A handler reads `call`, fills `reply` and returns true; or returns false with
 * an error, which becomes a problem document in one place (app.c). It may run
 * inside a transaction that is begun again (idempotency.h), so it changes nothing
 * but the database, the reply and the call's own members.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/err.h"
#include "sql/store.h"
#include "web-api/reply.h"
#include "web-api/request.h"

struct app;

/* What an API key may do. Each includes the ones before it. */
enum scope { SCOPE_NONE, SCOPE_READ, SCOPE_OPERATE, SCOPE_ADMIN };

enum { ROUTE_PARAMS_MAX = 4 };

struct caller {
    char account[STORE_ID_SIZE];
    char actor[32]; /* "key:<prefix>": what the history shows */
    enum scope scope;
    bool is_operator; /* of the account that manages accounts */
    int allowance[3]; /* requests at most at once, left now, seconds until it is full again */
};

/* What `Prefer: wait` waits for when the action is done. */
enum wait_for { WAIT_FOR_NOTHING, WAIT_FOR_JOB, WAIT_FOR_PRECHECK, WAIT_FOR_INSTANCE };

struct call {
    struct app *app;
    const struct request *request;
    struct arena *arena;
    const struct route *route;
    struct str param[ROUTE_PARAMS_MAX]; /* the {…} segments, in order, decoded */
    struct caller caller;
    json_t *body;        /* an object; {} when the request has none */
    struct store *store; /* a connection of the pool, for the length of the call */
    json_t *fields;      /* `errors` of a 422 */
    json_t *before;      /* for the audit: what a change found and what it left; NULL = nothing. */
    json_t *after;       /* call_found() and call_left() set them */
    enum wait_for wait_for;
    char wait_id[STORE_ID_SIZE];
};

struct route {
    const char *method;
    const char *path;  /* "/v1/jobs/{job}": a {…} takes exactly one segment */
    enum scope scope;  /* the least a key must have; SCOPE_NONE needs no key */
    const char *query; /* names of the parameters it knows, with blanks between */
    bool (*handle)(struct call *call, struct reply *reply, struct err *err);
};

/* The table. Calls that later issues bring are rows too: route_later answers
 * not_supported_yet for them, after the key was checked. */
extern const struct route routes[];
extern const size_t route_count;

/* What of a call has to wait for a worker, before anything is changed and outside of any
 * transaction. Most have nothing. Errors: the handler's. */
MUST_CHECK bool route_prepare(struct call *call, struct err *err);

bool route_later(struct call *call, struct reply *reply, struct err *err);
