/* cluster_view.h - a cluster as one of its nodes sees it: the nodes, who has which slot, and
 * which slots are on their way.
 *
 * Pure but for malloc, which is bounded by CLUSTER_NODES_MAX. CLUSTER NODES, SHARDS and SLOTS are
 * read into the same value (cluster_nodes.h, cluster_shards.h, cluster_slots.h); they differ in
 * how much they tell. Views of two nodes may differ while something happens.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/err.h"
#include "proto/base/str.h"
#include "proto/cluster/slot_set.h"

enum {
    CLUSTER_ID_MAX = 40,
    CLUSTER_HOST_MAX = 255,
    CLUSTER_NODES_MAX = 2048,
    CLUSTER_MOVES_MAX = 16, /* that are kept; more are counted */
};

enum cluster_flag {
    CLUSTER_MYSELF = 1,
    CLUSTER_PRIMARY = 2,
    CLUSTER_REPLICA = 4,
    CLUSTER_PFAIL = 8,      /* the node that was asked does not reach it */
    CLUSTER_FAIL = 16,      /* so does the majority */
    CLUSTER_HANDSHAKE = 32, /* not yet a member */
    CLUSTER_NOADDR = 64,    /* nobody knows where it is, or its name is not set */
    CLUSTER_LOADING = 128,
    CLUSTER_LINK_DOWN = 256, /* of the cluster's own bus */
};

struct cluster_node {
    char id[CLUSTER_ID_MAX + 1];     /* "" where it is not told (SLOTS before 4.0) */
    char host[CLUSTER_HOST_MAX + 1]; /* what clients are to use; "" = where it was asked */
    uint16_t port;
    unsigned flags;
    char primary[CLUSTER_ID_MAX + 1]; /* of a replica; "" = not told */
};

/* A slot between two owners; only the two of them tell. */
struct cluster_move {
    uint16_t slot;
    bool leaves; /* MIGRATING; else IMPORTING */
    char peer[CLUSTER_ID_MAX + 1];
};

struct cluster_view {
    struct cluster_node *nodes; /* owned */
    size_t count, room;
    uint16_t owner[SLOT_COUNT]; /* place of its primary in `nodes`, and 1; 0 = nobody's */
    unsigned disputed;          /* slots that two nodes claim */
    struct cluster_move moves[CLUSTER_MOVES_MAX];
    unsigned move_count; /* all of them */
};

#define CLUSTER_VIEW_INIT ((struct cluster_view){.nodes = NULL})

void cluster_view_done(struct cluster_view *view);

/* Add a node, which `id` and `host` become part of where they fit; *ret is valid until the next
 * one is added. Errors: TOO_BIG (CLUSTER_NODES_MAX), PROTOCOL (no id, no name), MEMORY. */
MUST_CHECK bool cluster_view_add(struct cluster_view *view, struct str id, struct str host,
                                 struct cluster_node **ret, struct err *err);

/* The node of that id, or the count of all. An id that is "" finds none. */
size_t cluster_view_find(const struct cluster_view *view, const char *id);

/* The place of the node that was asked, or the count of all: only NODES tells. */
size_t cluster_view_myself(const struct cluster_view *view);

/* Slots first..last are the node's. Errors: PROTOCOL (there are no such slots). */
MUST_CHECK bool cluster_view_own(struct cluster_view *view, size_t node, uint64_t first,
                                 uint64_t last, struct err *err);

/* The slots of the node at that place. */
void cluster_view_slots(const struct cluster_view *view, size_t node, struct slot_set *ret);

/* Slots that nobody has. */
void cluster_view_uncovered(const struct cluster_view *view, struct slot_set *ret);

/* How many replicas a node has, and how many of them are well. */
size_t cluster_view_replicas(const struct cluster_view *view, size_t node, size_t *ret_well);

/* Take the names and ports of nodes from another answer of the same node: SLOTS and SHARDS give
 * what clients are to use, NODES the addresses of the bus. */
void cluster_view_prefer(struct cluster_view *view, const struct cluster_view *names);
