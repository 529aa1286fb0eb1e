/* request.h - one HTTP request as handlers see it: screened, split and decoded.
 *
 * Pure: given what the HTTP library parsed, it says what the request is or why
 * it is refused. Everything points into the request's arena or into bytes the
 * library keeps until the answer is sent.
 *
 * Why a screen of our own: libmicrohttpd 0.9.75 lets two Content-Length lines,
 * Content-Length beside Transfer-Encoding, names with blanks and control bytes
 * in values through; each of them has been used to smuggle requests past a proxy.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/arena.h"
#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "proto/base/str.h"

enum {
    REQUEST_HEADERS_MAX = 64,
    REQUEST_SEGMENTS_MAX = 12,
    REQUEST_QUERY_MAX = 32,
    REQUEST_ID_MAX = 64,
};

struct request_pair {
    struct str name;
    struct str value;
};

struct request {
    struct arena *arena;                      /* of this request; the server's */
    struct str method;                        /* "GET", "HEAD", ...: a token, as sent */
    struct str path;                          /* as sent, still encoded; without the query */
    struct str segment[REQUEST_SEGMENTS_MAX]; /* between slashes, decoded, never empty */
    size_t segment_count;
    struct request_pair header[REQUEST_HEADERS_MAX];
    size_t header_count;
    struct request_pair query[REQUEST_QUERY_MAX]; /* decoded */
    size_t query_count;
    struct str body;             /* whole, when the answer is asked for */
    bool has_body;               /* the head announces one */
    uint64_t body_declared;      /* Content-Length; 0 when chunked or absent */
    char id[REQUEST_ID_MAX + 1]; /* the client's X-Request-Id or one made for it */
    char peer[64];               /* address without the port */
    void *app; /* what the application keeps from head to answer; lives in arena */
};

/* Read the head: the headers in r->header, then the path. The caller has set
 * arena, method, path, header and query (raw, still percent-encoded).
 * Errors: BAD_REQUEST names what is wrong; BODY_TOO_LARGE when the declared
 * length passes body_max. */
MUST_CHECK bool request_screen(struct request *r, uint64_t body_max, struct err *err);

/* The first header of that name, STR_EMPTY when absent. Names ignore case. */
struct str request_header(const struct request *r, const char *name);

/* The query parameter's value; *ret_value is untouched when absent. Fails as
 * `false` only by absence; a parameter given twice is refused by the screen. */
bool request_query(const struct request *r, const char *name, struct str *ret_value);

/* Percent-decode strictly: two hex digits each, no NUL, valid UTF-8.
 * Errors: BAD_REQUEST. */
MUST_CHECK bool request_decode(struct arena *a, struct str in, struct str *ret_out,
                               struct err *err);

/* May this be echoed as a request id: 1 to 64 of [A-Za-z0-9._-]? */
bool request_id_valid(struct str id);
