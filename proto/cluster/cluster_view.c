#include "proto/cluster/cluster_view.h"

#include <stdlib.h>

void cluster_view_done(struct cluster_view *view) {
    free(view->nodes);
    *view = CLUSTER_VIEW_INIT;
}

/* Printable and without blanks: what a peer says must not be able to look like something else. */
static bool is_word(struct str text) {
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] <= ' ' || (unsigned char)text.ptr[i] >= 0x7f)
            return false;
    return true;
}

static bool grow(struct cluster_view *view, struct err *err) {
    size_t room = view->room ? view->room * 2 : 16;
    struct cluster_node *nodes;

    if (view->count < view->room)
        return true;
    if (view->count >= CLUSTER_NODES_MAX)
        return err_set(err, ERR_TOO_BIG, "the cluster has more than %d nodes", CLUSTER_NODES_MAX);
    nodes = realloc(view->nodes, room * sizeof(*nodes));
    if (!nodes)
        return err_set(err, ERR_MEMORY, "no memory for %zu nodes", room);
    view->nodes = nodes;
    view->room = room;
    return true;
}

bool cluster_view_add(struct cluster_view *view, struct str id, struct str host,
                      struct cluster_node **ret, struct err *err) {
    struct cluster_node *node;

    if (id.len > CLUSTER_ID_MAX || !is_word(id))
        return err_set(err, ERR_PROTOCOL, "a node of the cluster has an id that is none");
    if (host.len > CLUSTER_HOST_MAX || !is_word(host))
        return err_set(err, ERR_PROTOCOL, "a node of the cluster has an address that is none");
    if (!grow(view, err))
        return false;
    node = &view->nodes[view->count++];
    *node = (struct cluster_node){.port = 0};
    memcpy(node->id, id.ptr, id.len);
    memcpy(node->host, host.ptr, host.len);
    *ret = node;
    return true;
}

size_t cluster_view_find(const struct cluster_view *view, const char *id) {
    size_t i = 0;

    while (i < view->count && (!id[0] || strcmp(view->nodes[i].id, id) != 0))
        i++;
    return i;
}

size_t cluster_view_myself(const struct cluster_view *view) {
    size_t i = 0;

    while (i < view->count && !(view->nodes[i].flags & CLUSTER_MYSELF))
        i++;
    return i;
}

bool cluster_view_own(struct cluster_view *view, size_t node, uint64_t first, uint64_t last,
                      struct err *err) {
    if (first > last || last >= SLOT_COUNT)
        return err_set(err, ERR_PROTOCOL, "a node of the cluster claims slots that there are not");
    for (uint64_t slot = first; slot <= last; slot++) {
        view->disputed += view->owner[slot] != 0 && view->owner[slot] != node + 1;
        view->owner[slot] = (uint16_t)(node + 1);
    }
    return true;
}

void cluster_view_slots(const struct cluster_view *view, size_t node, struct slot_set *ret) {
    *ret = (struct slot_set){{0}};
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        if (view->owner[slot] == node + 1)
            slot_set_add(ret, (uint16_t)slot, (uint16_t)slot);
}

void cluster_view_uncovered(const struct cluster_view *view, struct slot_set *ret) {
    *ret = (struct slot_set){{0}};
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        if (view->owner[slot] == 0)
            slot_set_add(ret, (uint16_t)slot, (uint16_t)slot);
}

size_t cluster_view_replicas(const struct cluster_view *view, size_t node, size_t *ret_well) {
    const unsigned unwell = CLUSTER_FAIL | CLUSTER_PFAIL | CLUSTER_NOADDR | CLUSTER_LINK_DOWN;
    size_t all = 0;

    *ret_well = 0;
    for (size_t i = 0; i < view->count; i++) {
        const struct cluster_node *one = &view->nodes[i];

        if (!(one->flags & CLUSTER_REPLICA) || !one->primary[0] ||
            strcmp(one->primary, view->nodes[node].id) != 0)
            continue;
        all++;
        *ret_well += !(one->flags & unwell);
    }
    return all;
}

void cluster_view_prefer(struct cluster_view *view, const struct cluster_view *names) {
    for (size_t i = 0; i < view->count; i++) {
        struct cluster_node *node = &view->nodes[i];
        size_t at = cluster_view_find(names, node->id);

        if (at == names->count || names->nodes[at].flags & CLUSTER_NOADDR)
            continue;
        memcpy(node->host, names->nodes[at].host, sizeof(node->host));
        node->port = names->nodes[at].port ? names->nodes[at].port : node->port;
        node->flags &= ~(unsigned)CLUSTER_NOADDR;
    }
}
