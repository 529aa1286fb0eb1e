/* problem.h - an error as an RFC 9457 problem document. Pure.
 *
 * This is the only place that makes one: status, title, type, code and
 * `retryable` come from the error's row in err_codes.def, `detail` from its
 * frames. For a 500 the detail names only the request: the story is in the log.
 */
#pragma once

#include <jansson.h>

#include "proto/base/arena.h"
#include "proto/base/err.h"
#include "web-api/reply.h"

/* "not_found" as "/problems/not-found": the `type`, which the API serves too. */
const char *problem_type(struct arena *a, enum err_code code);

/* `fields` is the array for the member `errors` of a 422 (each {pointer, code,
 * detail}), or NULL; the reference stays the caller's. */
void problem_reply(struct reply *reply, const struct err *err, json_t *fields,
                   const char *request_id);
