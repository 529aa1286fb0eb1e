#include "proto/cluster/cluster_shards.h"

static bool wrong(struct err *err, const char *what) {
    return err_set(err, ERR_PROTOCOL, "CLUSTER SHARDS: %s", what);
}

/* The value behind a name in a flat list, or NULL. */
static const struct resp_value *member(const struct resp_value *list, const char *name) {
    for (size_t i = 0; i + 1 < list->count; i += 2)
        if (resp_value_is(&list->items[i], name))
            return &list->items[i + 1];
    return NULL;
}

static struct str text_of(const struct resp_value *list, const char *name) {
    const struct resp_value *value = member(list, name);

    return value && (value->type == RESP_BULK || value->type == RESP_SIMPLE) ? value->str
                                                                             : STR_EMPTY;
}

static bool port_of(const struct resp_value *node, bool tls, uint16_t *ret) {
    const struct resp_value *value = tls ? member(node, "tls-port") : NULL;

    if (!value)
        value = member(node, "port");
    if (!value)
        value = member(node, "tls-port");
    if (!value || value->type != RESP_INTEGER || value->integer < 0 || value->integer > UINT16_MAX)
        return false;
    *ret = (uint16_t)value->integer;
    return true;
}

static unsigned flags_of(const struct resp_value *node) {
    struct str role = text_of(node, "role"), health = text_of(node, "health");
    unsigned flags = CLUSTER_REPLICA;

    if (str_equal(role, STR_LIT("master")) || str_equal(role, STR_LIT("primary")))
        flags = CLUSTER_PRIMARY;
    if (str_equal(health, STR_LIT("fail")) || str_equal(health, STR_LIT("failed")))
        flags |= CLUSTER_FAIL;
    if (str_equal(health, STR_LIT("loading")))
        flags |= CLUSTER_LOADING;
    return flags;
}

static bool read_node(const struct resp_value *value, bool tls, struct cluster_view *view,
                      struct err *err) {
    struct cluster_node *node;
    unsigned flags;
    struct str host;
    uint16_t port;

    if (value->type != RESP_ARRAY || !port_of(value, tls, &port))
        return wrong(err, "a node has no port");
    flags = flags_of(value);
    host = text_of(value, "endpoint");
    /* Without a name of its own, its address is better than none. */
    if (str_equal(host, STR_LIT("?"))) {
        host = text_of(value, "ip");
        flags |= host.len > 0 ? 0 : CLUSTER_NOADDR;
    }
    if (!cluster_view_add(view, text_of(value, "id"), host, &node, err))
        return err_wrap(err, "CLUSTER SHARDS");
    node->port = port;
    node->flags = flags;
    return true;
}

static bool read_slots(const struct resp_value *slots, size_t primary, struct cluster_view *view,
                       struct err *err) {
    if (slots->count % 2 != 0)
        return wrong(err, "a range of slots has no end");
    for (size_t i = 0; i < slots->count; i += 2) {
        const struct resp_value *first = &slots->items[i], *last = &slots->items[i + 1];

        if (first->type != RESP_INTEGER || last->type != RESP_INTEGER || first->integer < 0 ||
            last->integer < 0)
            return wrong(err, "a range of slots is none");
        if (!cluster_view_own(view, primary, (uint64_t)first->integer, (uint64_t)last->integer,
                              err))
            return false;
    }
    return true;
}

static bool read_shard(const struct resp_value *shard, bool tls, struct cluster_view *view,
                       struct err *err) {
    const struct resp_value *slots, *nodes;
    size_t first = view->count, primary;

    if (shard->type != RESP_ARRAY)
        return wrong(err, "a shard is no list");
    slots = member(shard, "slots");
    nodes = member(shard, "nodes");
    if (!slots || !nodes || slots->type != RESP_ARRAY || nodes->type != RESP_ARRAY)
        return wrong(err, "a shard has no slots or no nodes");
    for (size_t i = 0; i < nodes->count; i++)
        if (!read_node(&nodes->items[i], tls, view, err))
            return false;
    /* A primary that failed is told beside the replica that took its place. */
    primary = view->count;
    for (size_t i = first; i < view->count; i++)
        if (view->nodes[i].flags & CLUSTER_PRIMARY &&
            (primary == view->count || !(view->nodes[i].flags & CLUSTER_FAIL)))
            primary = i;
    if (primary == view->count)
        return slots->count == 0 || wrong(err, "a shard has slots and no primary");
    for (size_t i = first; i < view->count; i++)
        if (view->nodes[i].flags & CLUSTER_REPLICA)
            memcpy(view->nodes[i].primary, view->nodes[primary].id, sizeof(view->nodes[i].primary));
    return read_slots(slots, primary, view, err);
}

bool cluster_shards_parse(const struct resp_value *reply, bool tls, struct cluster_view *ret,
                          struct err *err) {
    *ret = CLUSTER_VIEW_INIT;
    if (reply->type != RESP_ARRAY)
        return wrong(err, "it is no list");
    for (size_t i = 0; i < reply->count; i++)
        if (!read_shard(&reply->items[i], tls, ret, err))
            return false;
    return true;
}
