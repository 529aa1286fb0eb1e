/* cluster_shards.h - the answer to CLUSTER SHARDS.
 *
 * Pure. From 7.0 on. Shards are lists of names and values: "slots" [first, last, …] and "nodes",
 * each such a list of "id", "port", "tls-port", "ip", "endpoint", "hostname", "role", "health".
 * Shards without slots are told, too. Names that are not known are passed over.
 *
 * Source: clusterGenShardsReply… (addShardReplyForClusterShards) of Redis 7.0 to 8.6 and
 * Valkey 8.0 to 9.1.
 */
#pragma once

#include "proto/cluster/cluster_view.h"
#include "proto/resp/resp_reader.h"

/* `tls`: take the port for it where one is told. `ret` is yours to cluster_view_done(), also on
 * failure. Errors: PROTOCOL, TOO_BIG, MEMORY. */
MUST_CHECK bool cluster_shards_parse(const struct resp_value *reply, bool tls,
                                     struct cluster_view *ret, struct err *err);
