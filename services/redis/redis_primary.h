/* redis_primary.h - which of an end's addresses is the primary now.
 *
 * I/O. An end may be a list of servers, one of which is the primary, or the Sentinels that
 * know where it is (endpoint_is_group). It is looked for anew before each connect, so a
 * failover is followed by whoever connects again. Every address found is dialled under the
 * same rules as one that was given (egress.h).
 *
 * Two servers of a list that both say they are the primary are no answer: one of them is about
 * to forget what it is told, so nothing is written before one is left. Sentinels decide
 * that themselves; still a server they name is asked whether it is one.
 *
 * Source: Redis documentation, "Guidelines for Redis clients with support for Redis Sentinel".
 */
#pragma once

#include "services/redis/redis_client.h"

/* Find it and open it, in about timeout_ms. `ep` is a group; *ret_found (may be NULL) is a
 * copy of `ep` that names one address; it borrows ep's PEMs.
 * Errors: SOURCE_BUSY or DEST_BUSY (there is no primary, or there are two; the detail says
 * which), those of redis_client_open of the last address that was tried. */
MUST_CHECK bool redis_primary_open(struct redis_client *client, const struct endpoint *ep,
                                   const struct credentials *cred, enum redis_side side,
                                   int64_t timeout_ms, struct endpoint *ret_found, struct err *err);

/* Only find it. An end that is no group is its own answer, and nothing is dialled. */
MUST_CHECK bool redis_primary_find(const struct endpoint *ep, const struct credentials *cred,
                                   enum redis_side side, int64_t timeout_ms,
                                   struct endpoint *ret_found, struct err *err);
