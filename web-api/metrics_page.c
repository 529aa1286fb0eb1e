#include "web-api/metrics_page.h"

#include "services/common/metric.h"
#include "sql/store_metrics.h"
#include "web-api/metrics_jobs.h"
#include "web-api/problem.h"
#include "web-api/store_pool.h"

enum { PAGE_MAX = 64 * 1024 * 1024, JOBS_MAX = 20000, TAKE_MS = 2000 };

static void refuse(void *state, struct request *r, const struct err *err, struct reply *reply) {
    (void)state;
    problem_reply(reply, err, NULL, r->id);
}

static bool admit(void *state, struct request *r, struct reply *reply) {
    struct err err = ERR_INIT;

    if (!str_equal(r->path, STR_LIT("/metrics"))) {
        err_set(&err, ERR_NOT_FOUND, "only /metrics is here");
    } else if (!str_equal(r->method, STR_LIT("GET")) && !str_equal(r->method, STR_LIT("HEAD"))) {
        err_set(&err, ERR_METHOD_NOT_ALLOWED, "only GET is taken");
        refuse(state, r, &err, reply);
        reply_header(reply, "Allow", "GET, HEAD");
        return false;
    } else {
        return true;
    }
    refuse(state, r, &err, reply);
    return false;
}

/* Without the control database the numbers of the process itself are shown. */
static bool put_jobs(struct app *app, struct buf *text, struct err *err) {
    struct err ignored = ERR_INIT;
    struct store *store;
    json_t *look = NULL;
    bool ok;

    if (!store_pool_take(app_pool(app), TAKE_MS, &store, &ignored))
        return true;
    ok = store_metrics_look(store, JOBS_MAX, &look, &ignored);
    store_pool_give(app_pool(app), store);
    ok = !ok || metrics_jobs_format(look, text, err);
    json_decref(look);
    return ok;
}

static void answer(void *state, struct request *r, struct reply *reply) {
    struct buf text = BUF_INIT(PAGE_MAX);
    struct err err = ERR_INIT;

    if (metric_format(METRIC_OF_API, &text, &err) && put_jobs(state, &text, &err))
        reply_constant(reply, 200, "text/plain; version=0.0.4; charset=utf-8",
                       arena_str(r->arena, buf_str(&text)));
    else
        refuse(state, r, &err, reply);
    buf_done(&text);
}

static void done(void *state, struct request *r, const struct reply *reply, uint64_t duration_us,
                 bool broken_off) {
    (void)state;
    (void)r;
    (void)reply;
    (void)duration_us;
    (void)broken_off;
}

struct server_app metrics_page_server(struct app *app) {
    return (struct server_app){
        .state = app, .admit = admit, .answer = answer, .refuse = refuse, .done = done};
}
