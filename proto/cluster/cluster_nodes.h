/* cluster_nodes.h - the text of CLUSTER NODES.
 *
 * Pure. It tells the most: every node with its flags, and of the node that was asked the slots that
 * come and go. Its addresses are those that nodes know each other by.
 *
 *   <id> <ip:port[@bus][,hostname[,name=value…]]> <flags> <primary|-> <ping> <pong> <epoch>
 *   <link> [<slot>|<first>-<last>|[<slot>->-<id>]|[<slot>-<-<id>]]…
 *
 * Source: clusterGenNodeDescription() of Redis 3.0 to 8.6 and Valkey 8.0 to 9.1. Before 4.0 there
 * was no bus port, before 7.0 no hostname. A node that has met nobody has an empty address.
 */
#pragma once

#include "proto/cluster/cluster_view.h"

/* `ret` is yours to cluster_view_done(), also on failure.
 * Errors: PROTOCOL, TOO_BIG, MEMORY. */
MUST_CHECK bool cluster_nodes_parse(struct str text, struct cluster_view *ret, struct err *err);
