#include "web-api/metrics_page.h"

#include "services/common/metric.h"
#include "web-api/problem.h"

enum { PAGE_MAX = 256 * 1024 };

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

static void answer(void *state, struct request *r, struct reply *reply) {
    struct buf text = BUF_INIT(PAGE_MAX);
    struct err err = ERR_INIT;

    if (metric_format(&text, &err))
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

struct server_app metrics_page_server(void) {
    return (struct server_app){.admit = admit, .answer = answer, .refuse = refuse, .done = done};
}
