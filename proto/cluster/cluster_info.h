/* cluster_info.h - the text of CLUSTER INFO.
 *
 * Pure. name:value lines, as INFO has them; lines that make no sense are passed over.
 *
 * Source: genClusterInfoString() of Redis 3.0 to 8.6 and Valkey 8.0 to 9.1.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/str.h"

struct cluster_info {
    bool is_told; /* cluster_state was there */
    bool is_ok;   /* cluster_state:ok */
    /* Slots and nodes; -1 = not told. */
    int32_t assigned, ok, pfail, fail, known_nodes, size;
};

void cluster_info_parse(struct str text, struct cluster_info *ret);
