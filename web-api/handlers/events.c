/* What happened, as a page or as a stream of server-sent events. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/common/clock.h"
#include "sql/store_event.h"
#include "web-api/app.h"
#include "web-api/call.h"
#include "web-api/handlers/handlers.h"
#include "web-api/page.h"
#include "web-api/stream_limit.h"

enum {
    STREAM_LOOK_MS = 300,
    STREAM_BEAT_MS = 15000,
    STREAM_PAGE = 50,
    STREAM_BUFFER_MAX = 512 * 1024,
};

/* The year 10000: within what PostgreSQL adds to a time. */
#define PLACE_US_MAX INT64_C(253402300800000000)

struct stream {
    struct app *app;
    char job[STORE_ID_SIZE], account[STORE_ID_SIZE];
    int64_t after; /* number of the last event written into `out` */
    struct buf out;
    int64_t beat_ms;
};

/* An event's number becomes the `id` that Last-Event-ID and cursors name. */
static void name_event(json_t *event) {
    json_int_t number = json_integer_value(json_object_get(event, "number"));

    json_object_set_new(event, "id", json_sprintf("%lld", (long long)number));
    json_object_del(event, "number");
}

/* "id: 7\nevent: caught_up\ndata: {…}\n\n". JSON on one line holds no line end. */
static bool write_event(struct stream *s, json_t *event, struct err *err) {
    const char *type = json_string_value(json_object_get(event, "type"));
    json_int_t number = json_integer_value(json_object_get(event, "number"));
    char *data;
    bool ok;

    name_event(event);
    data = json_dumps(event, JSON_COMPACT);
    ok = data &&
         buf_printf(&s->out, err, "id: %lld\nevent: %s\ndata: ", (long long)number,
                    type ? type : "message") &&
         buf_append(&s->out, str_from(data), err) && buf_append(&s->out, STR_LIT("\n\n"), err);

    if (ok)
        s->after = number;
    free(data);
    return ok;
}

/* Fetch what is new. A database that is away is waited for: the stream goes on
 * behind the last event it sent. */
static void refill(struct stream *s) {
    struct err err = ERR_INIT;
    struct store *store;
    json_t *events = NULL, *event;
    size_t i;

    if (!store_pool_take(app_pool(s->app), STREAM_LOOK_MS, &store, &err))
        return;
    if (store_event_list(store, s->job, s->after, STREAM_PAGE, &events, &err))
        json_array_foreach(events, i, event) if (!write_event(s, event, &err)) break;
    json_decref(events);
    store_pool_give(app_pool(s->app), store);
}

static ssize_t stream_next(void *state, char *dst, size_t max) {
    struct stream *s = state;
    struct err err = ERR_INIT;

    while (s->out.len == 0) {
        if (app_is_stopping(s->app))
            return 0;
        refill(s);
        if (s->out.len > 0)
            break;
        if (clock_mono_ms() - s->beat_ms >= STREAM_BEAT_MS &&
            !buf_append(&s->out, STR_LIT(": nothing new\n\n"), &err))
            return 0;
        if (s->out.len == 0)
            poll(NULL, 0, STREAM_LOOK_MS);
    }
    s->beat_ms = clock_mono_ms();

    size_t n = s->out.len < max ? s->out.len : max;

    memcpy(dst, s->out.ptr, n);
    buf_consume(&s->out, n);
    return (ssize_t)n;
}

static void stream_free(void *state) {
    struct stream *s = state;

    stream_limit_give(app_streams(s->app), s->account);
    buf_done(&s->out);
    free(s);
}

static bool wants_page(const struct request *r) {
    struct str accept = request_header(r, "Accept");

    return memmem(accept.ptr, accept.len, "application/json", strlen("application/json")) != NULL;
}

static bool open_stream(struct call *call, struct reply *reply, const char *job, struct err *err) {
    struct str last = request_header(call->request, "Last-Event-ID");
    int64_t after = 0;
    struct stream *s;

    if (last.len > 0 && (!str_parse_i64(last, &after) || after < 0))
        return err_set(err, ERR_BAD_REQUEST, "Last-Event-ID is none of ours");
    if (!stream_limit_take(app_streams(call->app), call->caller.account, err))
        return false;
    s = calloc(1, sizeof(*s));
    if (!s)
        abort();
    s->app = call->app;
    s->after = after;
    s->out = BUF_INIT(STREAM_BUFFER_MAX);
    s->beat_ms = clock_mono_ms();
    snprintf(s->job, sizeof(s->job), "%s", job);
    snprintf(s->account, sizeof(s->account), "%s", call->caller.account);
    reply->status = 200;
    reply->content_type = "text/event-stream";
    reply->stream = (struct reply_stream){.next = stream_next, .free = stream_free, .state = s};
    return true;
}

static const char *event_key(const json_t *item) {
    return json_string_value(json_object_get(item, "id"));
}

bool events_job(struct call *call, struct reply *reply, struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    struct page page;
    json_t *events, *event;
    size_t i;
    bool ok;

    if (!page_parse(call->request, "events", &page, err) || !call_job(call, &job, err))
        return false;
    if (wants_page(call->request)) {
        ok = store_event_list(call->store, job.id, strtoll(page.after, NULL, 10), page.limit + 1,
                              &events, err);
        if (ok) {
            json_array_foreach(events, i, event) name_event(event);
            reply_json(reply, 200, page_json(&page, events, event_key));
        }
    } else {
        ok = open_stream(call, reply, job.id, err);
    }
    store_job_done(&job);
    return ok;
}

/* ---- of all jobs ---- */

/* A number counts within its job alone: what a page ended with is its time, its job and that. */
static const char *place_key(const json_t *item) {
    return json_string_value(json_object_get(item, "place"));
}

static void add_place(json_t *event) {
    json_object_set_new(
        event, "place",
        json_sprintf("%lld/%s/%lld", (long long)json_integer_value(json_object_get(event, "at_us")),
                     json_string_value(json_object_get(event, "job_id")),
                     (long long)json_integer_value(json_object_get(event, "number"))));
    json_object_del(event, "at_us");
    name_event(event);
}

static bool parse_place(const char *key, struct store_event_place *ret, struct err *err) {
    struct str rest = str_from(key), at, job;

    *ret = (struct store_event_place){.at_us = 0};
    if (rest.len == 0)
        return true;
    if (!str_cut(&rest, '/', &at) || !str_cut(&rest, '/', &job) ||
        !str_parse_i64(at, &ret->at_us) || !str_parse_i64(rest, &ret->number) || ret->at_us <= 0 ||
        ret->at_us > PLACE_US_MAX || job.len >= sizeof(ret->job))
        return err_set(err, ERR_VALIDATION, "cursor: not one that this list gave");
    memcpy(ret->job, job.ptr, job.len);
    return true;
}

bool events_account(struct call *call, struct reply *reply, struct err *err) {
    struct store_event_place behind;
    struct page page;
    json_t *events, *event, *body;
    size_t i;

    if (!page_parse(call->request, "account-events", &page, err) ||
        !parse_place(page.after, &behind, err) ||
        !store_event_recent(call->store, call->caller.account, &behind, page.limit + 1, &events,
                            err))
        return false;
    json_array_foreach(events, i, event) add_place(event);
    body = page_json(&page, events, place_key);
    json_array_foreach(events, i, event) json_object_del(event, "place");
    reply_json(reply, 200, body);
    return true;
}
