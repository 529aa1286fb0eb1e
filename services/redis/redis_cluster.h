/* redis_cluster.h - what a member of a cluster tells of it.
 *
 * I/O. CLUSTER NODES tells the most and is what is gone by, CLUSTER SHARDS and SLOTS where an
 * account may not ask for it. Where clients are to connect is taken from SHARDS or SLOTS, which
 * heed cluster-preferred-endpoint-type; NODES has the addresses of the nodes among themselves.
 * What is learned so is dialled under the same rules as what was given (endpoint_of_announced,
 * egress.h).
 */
#pragma once

#include "proto/cluster/cluster_info.h"
#include "proto/cluster/cluster_view.h"
#include "services/redis/redis_client.h"

struct redis_cluster {
    bool is_none;    /* the server is no member of a cluster */
    bool is_refused; /* the account may ask for none of the three */
    bool has_nodes;  /* it told of flags and of slots on their way */
    struct cluster_view view;
    struct cluster_info info;
    /* Moves of slots that servers carry out by themselves (CLUSTER MIGRATION of Redis 8.4,
     * MIGRATESLOTS of Valkey 9) and that are not over. */
    unsigned tasks;
};

#define REDIS_CLUSTER_INIT ((struct redis_cluster){.view = CLUSTER_VIEW_INIT})

/* Ask a server that said `info` of itself. `tls`: it was reached so. *ret is yours to
 * redis_cluster_done(), also on failure. Errors: as redis_client_command, and those of the readers
 * in proto/cluster. */
MUST_CHECK bool redis_cluster_ask(struct redis_client *client, const struct redis_info *info,
                                  bool tls, struct redis_cluster *ret, struct err *err);

void redis_cluster_done(struct redis_cluster *cluster);
