/* router.h - which row of the table a request means. Pure. */
#pragma once

#include <stdbool.h>

#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "web-api/route.h"

struct router_match {
    const struct route *route;
    struct str param[ROUTE_PARAMS_MAX];
};

/* A literal segment wins over a {…}: "/v1/jobs/summary" is no job. HEAD matches
 * a GET row.
 * Errors:
 *   NOT_FOUND           no row has this path
 *   METHOD_NOT_ALLOWED  some have it, not with this method; `allow` (given empty)
 *                       then lists the methods for the Allow header */
MUST_CHECK bool router_match(const struct route *table, size_t count, const struct request *r,
                             struct router_match *ret_match, struct buf *allow, struct err *err);

/* Errors: VALIDATION names the first query parameter the route does not know. */
MUST_CHECK bool router_check_query(const struct route *route, const struct request *r,
                                   struct err *err);
