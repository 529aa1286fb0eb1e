/* psync_probe.h - may this account replicate? Asked without starting anything.
 *
 * I/O. Each call needs a connection of its own: what it asks may leave marks on it.
 * Measured on Redis 6.0 to 8.6 and Valkey 7.2 to 9.1: no full sync was started.
 *
 * Source: syncCommand() and failover branches of both products, ACLCheckAllPerm() before.
 */
#pragma once

#include "services/redis/redis_client.h"

/* The server's answer to a PSYNC that it must refuse: by the account's rights, because it
 * does not know the command, or because nobody could have meant it.
 * Errors: as redis_client_command. */
MUST_CHECK bool psync_probe(struct redis_client *client, struct arena *arena,
                            const struct resp_value **ret, struct err *err);

/* What a replica says beside PSYNC: the first of PING and REPLCONF that is refused, its
 * word in *ret_word; both NULL when none is.
 * Errors: as redis_client_command. */
MUST_CHECK bool psync_probe_beside(struct redis_client *client, struct arena *arena,
                                   const struct resp_value **ret, const char **ret_word,
                                   struct err *err);

/* Redis 6.0 to an account that may not MULTI: what it may is not to be known. */
bool psync_probe_is_silent(const struct resp_value *reply);

/* Does the server know SYNC? Whether the account may run it is not told.
 * Errors: as redis_client_command. */
MUST_CHECK bool psync_probe_sync(struct redis_client *client, struct arena *arena, bool *ret_known,
                                 struct err *err);

/* The command is not there: too old a server, or one that hides it. */
bool psync_probe_is_unknown(const struct resp_value *reply);

/* The account may not, or the command is not there: asking again does not help. */
bool psync_probe_is_refusal(const struct resp_value *reply);
