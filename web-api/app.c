#include "web-api/app.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "services/common/clock.h"
#include "services/common/log.h"
#include "services/common/metric.h"
#include "web-api/app_keys.h"
#include "web-api/audit_trail.h"
#include "web-api/auth.h"
#include "web-api/etag.h"
#include "web-api/idempotency.h"
#include "web-api/json_read.h"
#include "web-api/problem.h"
#include "web-api/rate.h"
#include "web-api/router.h"
#include "web-api/spec_memo.h"
#include "web-api/stream_limit.h"
#include "web-api/wait.h"

enum {
    TAKE_STORE_MS = 3000,
    REFUSALS_PER_SECOND = 200,
    SPECS_BYTES_MAX = 64 * 1024 * 1024, /* of some twenty thousand jobs */
};

struct app {
    const struct config *config;
    struct store_pool *pool;
    struct stream_limit *streams;
    struct spec_memo *specs;
    struct app_keys *keys;
    struct rate *by_key, *by_peer; /* requests that had a good key, and those that had none */
    atomic_bool stopping;
};

/* What is kept from the head to the answer; in the request's arena. */
struct admission {
    struct router_match match;
    struct caller caller;
};

bool app_new(const struct config *config, struct app **ret_app, struct err *err) {
    struct app *app = calloc(1, sizeof(*app));

    if (!app)
        return err_set(err, ERR_MEMORY, "the application");
    app->specs = spec_memo_new(SPECS_BYTES_MAX);
    app->streams = stream_limit_new((unsigned)config->api_connections_max);
    app->config = config;
    app->by_key = rate_new((uint32_t)config->api_requests_per_second);
    app->by_peer = rate_new(REFUSALS_PER_SECOND);
    atomic_init(&app->stopping, false);
    if (!app_keys_new(config->master_key_file, &app->keys, err) ||
        !store_pool_new(config->database_url, (int)config->database_connections_max, &app->pool,
                        err)) {
        app_free(app);
        return false;
    }
    *ret_app = app;
    return true;
}

void app_free(struct app *app) {
    if (!app)
        return;
    store_pool_free(app->pool);
    stream_limit_free(app->streams);
    spec_memo_free(app->specs);
    app_keys_free(app->keys);
    rate_free(app->by_key);
    rate_free(app->by_peer);
    free(app);
}

void app_stop(struct app *app) {
    atomic_store(&app->stopping, true);
}

bool app_is_stopping(struct app *app) {
    return atomic_load(&app->stopping);
}

struct store_pool *app_pool(struct app *app) {
    return app->pool;
}

struct stream_limit *app_streams(struct app *app) {
    return app->streams;
}

struct spec_memo *app_specs(struct app *app) {
    return app->specs;
}

const struct config *app_config(struct app *app) {
    return app->config;
}

const struct keyring *app_keyring(struct app *app) {
    return app_keys_ring(app->keys);
}

bool app_look_at_keys(struct app *app, bool *ret_changed, struct err *err) {
    return app_keys_look(app->keys, ret_changed, err);
}

/* The one place that logs a failed request and makes its answer. What a client
 * did wrong is worth a line only for whoever looks for it. */
static void fail(struct reply *reply, const struct request *r, json_t *fields,
                 const struct err *err) {
    bool ours = err_http(err->code) >= 500;

    if (err->code == ERR_STORE || err->code == ERR_STORE_SCHEMA)
        metric_add(METRIC_STORE_ERRORS, 1);
    log_event(ours ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "api.request-refused",
              LOG_STR("method", r->method), LOG_STR("path", r->path), LOG_ERR(err));
    problem_reply(reply, err, fields, r->id);
}

/* One request more by `who`; what is left is told with the answer. */
static bool is_too_fast(struct rate *rate, const char *who, struct admission *a, struct err *err) {
    struct rate_verdict v = rate_take(rate, str_from(who), clock_mono_ms());

    a->caller.allowance[0] = (int)(v.per_second * RATE_BURST_SECONDS);
    a->caller.allowance[1] = (int)v.left;
    a->caller.allowance[2] = (int)v.full_in_seconds;
    if (v.is_allowed)
        return false;
    err_clear(err);
    err_set(err, ERR_RATE_LIMITED, "more than %u requests a second; the next one in %u ms",
            v.per_second, v.wait_ms);
    return true;
}

static void tell_allowance(const struct admission *a, struct reply *reply) {
    const int *left = a->caller.allowance;

    if (left[0] == 0)
        return;
    reply_header(reply, "RateLimit-Limit", arena_printf(reply->arena, "%d", left[0]));
    reply_header(reply, "RateLimit-Remaining", arena_printf(reply->arena, "%d", left[1]));
    reply_header(reply, "RateLimit-Reset", arena_printf(reply->arena, "%d", left[2]));
}

static bool admit_checked(struct app *app, struct request *r, struct admission *a,
                          struct buf *allow, struct err *err) {
    struct store *store;
    bool ok;

    if (!router_match(routes, route_count, r, &a->match, allow, err))
        return false;
    if (a->match.route->scope != SCOPE_NONE) {
        if (!store_pool_take(app->pool, TAKE_STORE_MS, &store, err))
            return false;
        ok = auth_check(store, r, a->match.route->scope, &a->caller, err);
        store_pool_give(app->pool, store);
        if (!ok) {
            if (err->code == ERR_UNAUTHORIZED)
                (void)is_too_fast(app->by_peer, r->peer, a, err);
            return false;
        }
        if (is_too_fast(app->by_key, a->caller.actor, a, err))
            return false;
    }
    return router_check_query(a->match.route, r, err);
}

static bool app_admit(void *state, struct request *r, struct reply *reply) {
    struct admission *a = arena_alloc(r->arena, sizeof(*a));
    struct buf allow = BUF_INIT(256);
    struct err err = ERR_INIT;
    bool ok;

    metric_add(METRIC_HTTP_IN_FLIGHT, 1);
    log_context("request", r->id);
    r->app = a;
    ok = admit_checked(state, r, a, &allow, &err);
    if (!ok) {
        fail(reply, r, NULL, &err);
        if (err.code == ERR_METHOD_NOT_ALLOWED)
            reply_header(reply, "Allow", arena_dup(r->arena, buf_str(&allow)));
        tell_allowance(a, reply);
    }
    buf_done(&allow);
    return ok;
}

/* "application/json", with or without parameters; a PATCH may call it a merge patch. */
static bool is_json_type(const struct route *route, struct str type) {
    struct str name = STR_EMPTY;

    if (str_cut(&type, ';', &name))
        name = str_trim(name);
    return str_equal_nocase(name, STR_LIT("application/json")) ||
           (strcmp(route->method, "PATCH") == 0 &&
            str_equal_nocase(name, STR_LIT("application/merge-patch+json")));
}

static bool read_body(struct call *call, struct err *err) {
    const struct request *r = call->request;

    if (r->body.len > 0 && strcmp(call->route->method, "GET") == 0)
        return err_set(err, ERR_BAD_REQUEST, "a GET takes no body");
    if (r->body.len > 0 && !is_json_type(call->route, request_header(r, "Content-Type")))
        return err_set(err, ERR_MEDIA_TYPE, "send Content-Type: application/json");
    if (!json_read_object(r->body, &call->body, err))
        return false;
    /* No DELETE asks for anything in its body: what stands there would be ignored. */
    if (strcmp(call->route->method, "DELETE") == 0)
        json_read_known(call->body, &call->fields, "");
    return json_read_end(call->fields, err);
}

static bool run_handler(struct call *call, struct reply *reply, struct err *err) {
    if (!read_body(call, err))
        return false;
    if (call->route->scope == SCOPE_NONE)
        return call->route->handle(call, reply, err);
    if (!route_prepare(call, err) ||
        !store_pool_take(call->app->pool, TAKE_STORE_MS, &call->store, err))
        return false;

    bool ok = idempotency_applies(call) ? idempotency_run(call, reply, err)
                                        : audit_trail_run(call, reply, err);

    if (!ok && store_commit_unknown(call->store))
        err_wrap(err, "it is not known whether this took effect: ask before doing it again");
    store_pool_give(call->app->pool, call->store);
    call->store = NULL;
    return ok;
}

/* 304 for what the client has already. */
static void answer_condition(struct call *call, struct reply *reply) {
    struct str known = request_header(call->request, "If-None-Match");
    char tag[ETAG_SIZE];

    if (reply->status != 200 || reply->stream.next || strcmp(call->route->method, "GET") != 0)
        return;
    if (!reply_header_get(reply, "ETag")) {
        etag_format(reply->body, 0, tag);
        reply_header(reply, "ETag", tag);
    }
    if (known.len > 0 && etag_is_named(known, reply_header_get(reply, "ETag")))
        reply_empty(reply, 304);
}

void app_run(struct call *call, struct reply *reply) {
    struct err err = ERR_INIT;

    if (run_handler(call, reply, &err)) {
        wait_for_end(call, reply);
        answer_condition(call, reply);
    } else {
        *reply = REPLY_INIT(call->arena);
        fail(reply, call->request, call->fields, &err);
    }
}

static void app_answer(void *state, struct request *r, struct reply *reply) {
    const struct admission *a = r->app;
    struct call call = {.app = state,
                        .request = r,
                        .arena = r->arena,
                        .route = a->match.route,
                        .caller = a->caller};

    memcpy(call.param, a->match.param, sizeof(call.param));
    app_run(&call, reply);
    tell_allowance(a, reply);
    json_decref(call.before);
    json_decref(call.after);
    json_decref(call.body);
    json_decref(call.fields);
}

static void app_refuse(void *state, struct request *r, const struct err *err, struct reply *reply) {
    (void)state;
    log_context("request", r->id);
    fail(reply, r, NULL, err);
}

static void app_done(void *state, struct request *r, const struct reply *reply,
                     uint64_t duration_us, bool broken_off) {
    static const enum metric by_class[] = {METRIC_HTTP_2XX, METRIC_HTTP_3XX, METRIC_HTTP_4XX,
                                           METRIC_HTTP_5XX};

    (void)state;
    if (r->app)
        metric_add(METRIC_HTTP_IN_FLIGHT, -1);
    metric_add(METRIC_HTTP_MICROSECONDS, (int64_t)duration_us);
    if (reply && reply->status >= 200 && reply->status < 600)
        metric_add(by_class[reply->status / 100 - 2], 1);
    log_event(LOG_LEVEL_DEBUG, "api.request", LOG_TEXT("peer", r->peer),
              LOG_STR("method", r->method), LOG_STR("path", r->path),
              LOG_INT("status", reply ? reply->status : 0), LOG_INT("us", duration_us),
              LOG_TEXT("end", broken_off ? "broken off" : NULL));
    log_context("request", NULL);
}

struct server_app app_server(struct app *app) {
    return (struct server_app){.state = app,
                               .admit = app_admit,
                               .answer = app_answer,
                               .refuse = app_refuse,
                               .done = app_done};
}
