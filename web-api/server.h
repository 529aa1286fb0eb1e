/* server.h - the HTTP listener: the only part that knows libmicrohttpd.
 *
 * A thread per connection with poll: libmicrohttpd's epoll loop stands still
 * once 128 connections of one worker are ready. A handler may therefore block,
 * up to SERVER_HANDLER_MAX_MS. What a client can hold is bounded: connections in
 * all and per address, bytes of head and body, and the time a head, a body or
 * the reading of an answer may take (links.h).
 *
 * The order of a request: head -> screen -> admit -> body -> answer -> done.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/err.h"
#include "web-api/reply.h"
#include "web-api/request.h"

struct server;

enum { SERVER_HANDLER_MAX_MS = 40000 };

struct server_config {
    const char *listen; /* "127.0.0.1:8080", "[::1]:8080", "name:port"; port 0 picks one */
    unsigned connections_max;
    unsigned per_address_max; /* connections of one client address */
    uint64_t body_max;        /* bytes */
    uint32_t head_ms;         /* from opening until the first head is whole */
    uint32_t idle_ms;         /* from an answer until the next head is whole */
    uint32_t body_ms;         /* from the head until the body is whole */
    uint32_t send_ms;         /* until an answer is read; streams are exempt */
};

#define SERVER_CONFIG_DEFAULT                                                                      \
    ((struct server_config){.connections_max = 256,                                                \
                            .per_address_max = 64,                                                 \
                            .body_max = 1024 * 1024,                                               \
                            .head_ms = 10000,                                                      \
                            .idle_ms = 30000,                                                      \
                            .body_ms = 30000,                                                      \
                            .send_ms = 60000})

/* What answers. Called from many threads at once. */
struct server_app {
    void *state;
    /* The head is screened. True: go on with the body. False: `reply` holds the
     * refusal, and the body, if there is one, is not read. */
    bool (*admit)(void *state, struct request *request, struct reply *reply);
    /* The request is whole. */
    void (*answer)(void *state, struct request *request, struct reply *reply);
    /* The server itself refuses the request; make the reply for it. */
    void (*refuse)(void *state, struct request *request, const struct err *err,
                   struct reply *reply);
    /* The exchange is over, sent or broken off; the arena goes after this. */
    void (*done)(void *state, struct request *request, const struct reply *reply,
                 uint64_t duration_us, bool broken_off);
};

/* Bind, listen and serve until server_stop. Signals must be blocked in the
 * calling thread: the threads inherit its mask.
 * Errors: CONFIG (the address is none), IO (it cannot be bound, no thread). */
MUST_CHECK bool server_start(const struct server_config *config, const struct server_app *app,
                             struct server **ret_server, struct err *err);

/* The port listened on. */
uint16_t server_port(const struct server *s);

/* Take no new connection, end the idle ones, let the running requests end for up
 * to drain_ms, then close everything. NULL is fine. A handler that still runs is
 * waited for (SERVER_HANDLER_MAX_MS). */
void server_stop(struct server *s, uint32_t drain_ms);
