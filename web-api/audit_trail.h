/* audit_trail.h - every change by a request is written down in its own transaction.
 *
 * A row of the table of routes that is no GET and needs more than the scope `read` is a change.
 * What it is called and what it changed follow from the path: POST /v1/jobs/{job}/pause is
 * jobs.pause of that job, POST /v1/jobs is jobs.create of what the answer names. A handler says
 * what was there before and is there after with call_found() and call_left(); of both only what
 * differs is kept. Neither ever holds a secret: they are what answers show.
 */
#pragma once

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "web-api/reply.h"
#include "web-api/route.h"

enum { AUDIT_ACTION_SIZE = 96 };

/* Is a call of this row a change? Pure. */
bool audit_trail_applies(const struct route *route);

/* "jobs.pause", "jobs.prechecks.items.ignore", "api-keys.create". Pure. */
void audit_trail_action(const struct route *route, char dst[AUDIT_ACTION_SIZE]);

/* Take the members that are the same out of both, deeply. Pure. */
void audit_trail_reduce(json_t *before, json_t *after);

/* Run the handler; when it is a change, together with its row in one transaction. */
MUST_CHECK bool audit_trail_run(struct call *call, struct reply *reply, struct err *err);
