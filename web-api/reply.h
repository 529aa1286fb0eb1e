/* reply.h - the answer to a request, as a value: status, headers, body.
 *
 * Pure. A handler fills one; the server sends it. Header values are copied into
 * the request's arena. Whatever reaches a reply is written to a client: the only
 * secret that ever does is a new API key, shown to who made it.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "proto/base/arena.h"
#include "proto/base/attrs.h"
#include "proto/base/buf.h"
#include "proto/base/str.h"

enum { REPLY_HEADERS_MAX = 12 };

/* A body that is made while it is sent. `next` fills at most `max` bytes, may
 * block a bounded time, and answers how many; 0 ends the body. */
struct reply_stream {
    ssize_t (*next)(void *state, char *dst, size_t max);
    void (*free)(void *state);
    void *state;
};

struct reply {
    struct arena *arena;
    int status;
    const char *content_type; /* a literal */
    struct str body;          /* in the arena or constant */
    struct str kept_body;     /* what may be kept and given again: set when body holds a secret */
    struct {
        const char *name; /* a literal */
        const char *value;
    } header[REPLY_HEADERS_MAX];
    size_t header_count;
    struct reply_stream stream; /* instead of body when next is set */
    bool close;                 /* end the connection behind this answer */
};

#define REPLY_INIT(arena_of_request)                                                               \
    ((struct reply){.arena = (arena_of_request), .status = 500, .content_type = "text/plain"})

/* Replaces a header of that name. `name` must be a literal. */
void reply_header(struct reply *r, const char *name, const char *value);

/* NULL when that header is not set. */
const char *reply_header_get(const struct reply *r, const char *name);

/* A JSON body; 0.2 is written as 0.2. Takes the reference over. NULL (a value that could not be
 * made into JSON) answers 500 with an empty body, which a test would see. */
void reply_json(struct reply *r, int status, json_t *body_taken);

/* The same of a text that is JSON already, which is used up. */
void reply_json_text(struct reply *r, int status, struct buf *text);

/* Bytes that outlive the request: a constant. */
void reply_constant(struct reply *r, int status, const char *content_type, struct str body);

/* No body, 204 or 304. */
void reply_empty(struct reply *r, int status);
