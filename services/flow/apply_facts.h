/* apply_facts.h - what an apply process learns of the destination before it writes.
 *
 * Part of the apply process. Asked at every claim: the server may be another one than before.
 */
#pragma once

#include "services/flow/applier.h"
#include "services/redis/redis_info.h"

/* Before the claim: versions, limits, which databases there are, whether it counts its errors
 * for us. The client is left in the position's database. Errors: DEST_… by reply; those of
 * redis_client_call. */
MUST_CHECK bool apply_facts_learn(struct applier *a, struct redis_client *client,
                                  struct redis_info *ret_info, struct err *err);

/* Behind it: which payloads the destination reads, told by what it dumps our key as.
 * Errors: POSITION_MISSING; as above. */
MUST_CHECK bool apply_facts_payload(struct applier *a, struct redis_client *client,
                                    const struct redis_info *info, struct err *err);

/* The process we talk to, as far as a seal looks at what it evicts. */
struct position_server apply_facts_server(const struct applier *a, const struct redis_info *info);
