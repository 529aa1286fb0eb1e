/* cluster_slots.h - the answer to CLUSTER SLOTS.
 *
 * Pure. [first, last, primary, replica…]…, a node being [host, port, id, [name, value…]]: the id
 * from 4.0 on, the names from 7.0 on. The host is what cluster-preferred-endpoint-type says: nil or
 * "" is the address at which the node was asked, "?" a name that is not set: its address is taken.
 *
 * Source: clusterReplyMultiBulkSlots() of Redis 3.0 to 8.6 and Valkey 8.0 to 9.1.
 */
#pragma once

#include "proto/cluster/cluster_view.h"
#include "proto/resp/resp_reader.h"

/* `ret` is yours to cluster_view_done(), also on failure. An answer without slots has no nodes.
 * Errors: PROTOCOL, TOO_BIG, MEMORY. */
MUST_CHECK bool cluster_slots_parse(const struct resp_value *reply, struct cluster_view *ret,
                                    struct err *err);
