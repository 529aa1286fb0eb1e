/* idempotency.h - Idempotency-Key: a POST that is sent twice is done once.
 *
 * The key, the effect and the answer are one transaction, so a crash at any point
 * leaves all of them or none. Only answers of calls that did something are kept:
 * a refused call changed nothing, and the same key may try again once the reason
 * is gone. Of an answer that shows a new API key, reply.kept_body is kept, without it.
 */
#pragma once

#include <stdbool.h>

#include "proto/base/err.h"
#include "web-api/reply.h"
#include "web-api/route.h"

enum { IDEMPOTENCY_KEY_MAX = 255 };

/* Does this call carry a key? Only a POST may; others pass over the header. */
bool idempotency_applies(const struct call *call);

/* Run the call's handler under its key. On true `reply` is the fresh or the
 * repeated answer (then with Idempotent-Replayed: true).
 * Errors: IDEMPOTENCY_CONFLICT, IDEMPOTENCY_IN_FLIGHT, VALIDATION (the key is
 * empty, too long or not printable), and the handler's own. */
MUST_CHECK bool idempotency_run(struct call *call, struct reply *reply, struct err *err);
