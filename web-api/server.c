#include "web-api/server.h"

#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proto/base/buf.h"
#include "services/common/listener.h"
#include "web-api/links.h"

/* Connections of those that were told to go and whose threads still have to end: as many as there
 * are places, and some more. */
enum { STACK_BYTES = 512 * 1024, LEAVING_MIN = 64 };

struct server {
    struct server_config config;
    struct server_app app;
    struct MHD_Daemon *daemon;
    uint16_t port;
    struct links *links;
};

/* One request and its answer. */
struct exchange {
    struct server *server;
    struct link *link;
    struct arena arena;
    struct request request;
    struct reply reply;
    struct buf body;
    bool replied;   /* reply is made */
    bool too_large; /* the body passed its limit; the rest is swallowed */
    uint64_t swallowed;
    int64_t begun_us;
};

static int64_t now_us(void) {
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code) {
    struct server *s = cls;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *fd =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        const union MHD_ConnectionInfo *from =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

        if (!fd || !from)
            abort();
        *socket_context = links_add(s->links, fd->connect_fd, from->client_addr, s->config.head_ms);
        return;
    }
    links_remove(s->links, *socket_context);
}

/* The library would decode %2f to a slash and cut at %00: it hands us what was
 * sent and request.c decodes. */
static size_t no_unescape(void *cls, struct MHD_Connection *connection, char *text) {
    (void)cls;
    (void)connection;
    return strlen(text);
}

static void name_request(struct request *r) {
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    struct str sent = request_header(r, "X-Request-Id");
    unsigned char random[26];

    if (request_id_valid(sent)) {
        memcpy(r->id, sent.ptr, sent.len);
        r->id[sent.len] = '\0';
        return;
    }
    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        abort();
    memcpy(r->id, "req_", 4);
    for (size_t i = 0; i < sizeof(random); i++)
        r->id[4 + i] = digits[random[i] % 32];
    r->id[4 + sizeof(random)] = '\0';
}

static enum MHD_Result take_header(void *cls, enum MHD_ValueKind kind, const char *key,
                                   size_t key_size, const char *value, size_t value_size) {
    struct request *r = cls;
    bool header = kind == MHD_HEADER_KIND;
    size_t *count = header ? &r->header_count : &r->query_count;

    /* One too many is counted and refused, not dropped. */
    if (*count >= (header ? REQUEST_HEADERS_MAX : REQUEST_QUERY_MAX)) {
        *count = SIZE_MAX;
        return MHD_NO;
    }

    struct request_pair *pair = header ? &r->header[*count] : &r->query[*count];

    pair->name = key ? str_of(key, key_size) : STR_EMPTY;
    pair->value = value ? str_of(value, value_size) : STR_EMPTY;
    (*count)++;
    return MHD_YES;
}

static bool read_head(struct exchange *x, struct MHD_Connection *connection, const char *url,
                      const char *method, struct err *err) {
    struct request *r = &x->request;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    r->arena = &x->arena;
    r->method = str_from(method);
    r->path = str_from(url);
    if (!info || getnameinfo(info->client_addr, sizeof(struct sockaddr_storage), r->peer,
                             sizeof(r->peer), NULL, 0, NI_NUMERICHOST) != 0)
        memcpy(r->peer, "?", 2);
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, take_header, r);
    MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, take_header, r);

    bool many = r->header_count == SIZE_MAX || r->query_count == SIZE_MAX;

    if (r->header_count == SIZE_MAX)
        r->header_count = REQUEST_HEADERS_MAX;
    if (r->query_count == SIZE_MAX)
        r->query_count = REQUEST_QUERY_MAX;
    name_request(r);
    if (many)
        return err_set(err, ERR_BAD_REQUEST, "at most %d headers and %d query parameters are taken",
                       REQUEST_HEADERS_MAX, REQUEST_QUERY_MAX);
    return request_screen(r, x->server->config.body_max, err);
}

static ssize_t stream_read(void *cls, uint64_t pos, char *dst, size_t max) {
    struct reply_stream *stream = cls;
    ssize_t n = stream->next(stream->state, dst, max);

    (void)pos;
    return n > 0 ? n : MHD_CONTENT_READER_END_OF_STREAM;
}

static void stream_free(void *cls) {
    struct reply_stream *stream = cls;

    stream->free(stream->state);
    free(stream);
}

static struct MHD_Response *make_response(struct reply *reply) {
    if (!reply->stream.next)
        return MHD_create_response_from_buffer(reply->body.len, (void *)(uintptr_t)reply->body.ptr,
                                               MHD_RESPMEM_PERSISTENT);

    struct reply_stream *stream = malloc(sizeof(*stream));

    if (!stream)
        abort();
    *stream = reply->stream;

    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, stream_read, stream, stream_free);

    if (!response)
        stream_free(stream);
    return response;
}

static enum MHD_Result send_reply(struct exchange *x, struct MHD_Connection *connection) {
    struct reply *reply = &x->reply;
    struct MHD_Response *response = make_response(reply);

    if (!response)
        return MHD_NO;
    if (reply->content_type)
        MHD_add_response_header(response, "Content-Type", reply->content_type);
    for (size_t i = 0; i < reply->header_count; i++)
        MHD_add_response_header(response, reply->header[i].name, reply->header[i].value);
    MHD_add_response_header(response, "X-Request-Id", x->request.id);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (!reply_header_get(reply, "Cache-Control"))
        MHD_add_response_header(response, "Cache-Control", "no-store");
    if (reply->close || links_are_draining(x->server->links))
        MHD_add_response_header(response, "Connection", "close");
    if (reply->stream.next)
        links_work(x->server->links, x->link);
    else
        links_await(x->server->links, x->link, x->server->config.send_ms);

    enum MHD_Result queued = MHD_queue_response(connection, (unsigned)reply->status, response);

    MHD_destroy_response(response);
    return queued;
}

static void refuse(struct exchange *x, const struct err *err) {
    x->server->app.refuse(x->server->app.state, &x->request, err, &x->reply);
    x->reply.close = true;
    x->replied = true;
}

static enum MHD_Result begin(struct server *s, struct MHD_Connection *connection, const char *url,
                             const char *method, void **con_cls) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct exchange *x = calloc(1, sizeof(*x));
    struct err err = ERR_INIT;

    if (!x)
        return MHD_NO;
    *con_cls = x;
    x->server = s;
    x->link = info ? info->socket_context : NULL;
    x->arena = ARENA_INIT;
    x->reply = REPLY_INIT(&x->arena);
    x->body = BUF_INIT(s->config.body_max);
    x->begun_us = now_us();
    links_work(s->links, x->link);
    if (!read_head(x, connection, url, method, &err)) {
        refuse(x, &err);
        return send_reply(x, connection);
    }
    if (s->app.admit(s->app.state, &x->request, &x->reply)) {
        if (x->request.has_body)
            links_await(s->links, x->link, s->config.body_ms);
        return MHD_YES;
    }
    x->replied = true;
    /* An answer from here closes the connection: right when a body follows that
     * nobody will read, needless otherwise. */
    if (!x->request.has_body)
        return MHD_YES;
    x->reply.close = true;
    return send_reply(x, connection);
}

static enum MHD_Result take_body(struct exchange *x, const char *data, size_t *size) {
    struct err err = ERR_INIT;

    if (!x->too_large && !buf_append(&x->body, str_of(data, *size), &err))
        x->too_large = true;
    if (x->too_large)
        x->swallowed += *size;
    *size = 0;
    /* No answer can be queued while pieces arrive. Who sends a little too much
     * gets to read why; who goes on sending is cut. */
    return x->swallowed > x->server->config.body_max ? MHD_NO : MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_size, void **con_cls) {
    struct server *s = cls;
    struct exchange *x = *con_cls;
    struct err err = ERR_INIT;

    (void)version;
    if (!x)
        return begin(s, connection, url, method, con_cls);
    if (*data_size > 0)
        return take_body(x, data, data_size);
    links_work(s->links, x->link);
    if (!x->replied && x->too_large) {
        err_set(&err, ERR_BODY_TOO_LARGE, "at most %llu bytes are taken",
                (unsigned long long)s->config.body_max);
        refuse(x, &err);
    } else if (!x->replied) {
        x->request.body = buf_str(&x->body);
        s->app.answer(s->app.state, &x->request, &x->reply);
        x->replied = true;
    }
    return send_reply(x, connection);
}

/* The only place that frees an exchange: it also runs for those that broke. */
static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                         enum MHD_RequestTerminationCode code) {
    struct server *s = cls;
    struct exchange *x = *con_cls;

    (void)connection;
    if (!x)
        return;
    *con_cls = NULL;
    s->app.done(s->app.state, &x->request, x->replied ? &x->reply : NULL,
                (uint64_t)(now_us() - x->begun_us), code != MHD_REQUEST_TERMINATED_COMPLETED_OK);
    links_idle(s->links, x->link, s->config.idle_ms);
    buf_done(&x->body);
    arena_done(&x->arena);
    free(x);
}

bool server_start(const struct server_config *config, const struct server_app *app,
                  struct server **ret_server, struct err *err) {
    struct server *s = calloc(1, sizeof(*s));
    int fd;

    if (!s)
        return err_set(err, ERR_MEMORY, "a server");
    s->config = *config;
    s->app = *app;
    s->links = links_new(config->connections_max, config->per_address_max);
    if (!s->links || !listener_open(config->listen, &fd, &s->port, err)) {
        bool no_thread = !s->links;

        links_free(s->links);
        free(s);
        return no_thread ? err_set(err, ERR_IO, "no thread for the reaper") : false;
    }
    /* The library's timeout is the last resort: it also counts the time a handler
     * takes, so it must lie above the longest of them. */
    s->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL |
            MHD_USE_ITC,
        0, NULL, NULL, on_request, s, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        2 * config->connections_max + LEAVING_MIN, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        2 * config->per_address_max + LEAVING_MIN, MHD_OPTION_CONNECTION_TIMEOUT,
        2U * SERVER_HANDLER_MAX_MS / 1000U, MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_UNESCAPE_CALLBACK, no_unescape, NULL,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        s, MHD_OPTION_END);
    if (!s->daemon) {
        close(fd);
        links_free(s->links);
        free(s);
        return err_set(err, ERR_IO, "the HTTP library did not start");
    }
    *ret_server = s;
    return true;
}

uint16_t server_port(const struct server *s) {
    return s->port;
}

void server_stop(struct server *s, uint32_t drain_ms) {
    if (!s)
        return;

    int fd = MHD_quiesce_daemon(s->daemon);

    if (fd >= 0)
        close(fd);
    links_drain(s->links, drain_ms);
    MHD_stop_daemon(s->daemon);
    links_free(s->links);
    free(s);
}
