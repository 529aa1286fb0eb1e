#include "proto/cluster/cluster_slots.h"

static bool wrong(struct err *err, const char *what) {
    return err_set(err, ERR_PROTOCOL, "CLUSTER SLOTS: %s", what);
}

static bool is_text(const struct resp_value *value) {
    return value->type == RESP_BULK || value->type == RESP_SIMPLE;
}

/* The "ip" of the names that follow: where the preferred name is not set. */
static struct str other_address(const struct resp_value *node) {
    const struct resp_value *names = node->count > 3 ? &node->items[3] : NULL;

    for (size_t i = 0; names && names->type == RESP_ARRAY && i + 1 < names->count; i += 2)
        if (resp_value_is(&names->items[i], "ip") && is_text(&names->items[i + 1]))
            return names->items[i + 1].str;
    return STR_EMPTY;
}

/* Before 4.0 nodes are known by their address alone. */
static size_t find(const struct cluster_view *view, const char *id, struct str host,
                   uint16_t port) {
    size_t i = 0;

    if (id[0])
        return cluster_view_find(view, id);
    while (i < view->count &&
           !(view->nodes[i].port == port && str_equal(str_from(view->nodes[i].host), host)))
        i++;
    return i;
}

static bool read_node(const struct resp_value *value, unsigned role, struct cluster_view *view,
                      size_t *ret_at, struct err *err) {
    struct str host = STR_EMPTY, id = STR_EMPTY;
    char name[CLUSTER_ID_MAX + 1] = "";
    struct cluster_node *node;
    unsigned flags = role;

    if (value->type != RESP_ARRAY || value->count < 2 || value->items[1].type != RESP_INTEGER ||
        value->items[1].integer < 0 || value->items[1].integer > UINT16_MAX)
        return wrong(err, "a node is no address");
    if (is_text(&value->items[0]))
        host = value->items[0].str;
    else if (value->items[0].type != RESP_NIL)
        return wrong(err, "a node's address is no text");
    if (str_equal(host, STR_LIT("?"))) {
        host = other_address(value);
        flags |= host.len > 0 ? 0 : CLUSTER_NOADDR;
    }
    if (value->count > 2 && is_text(&value->items[2]))
        id = value->items[2].str;
    if (id.len > CLUSTER_ID_MAX)
        return wrong(err, "a node's id is none");
    memcpy(name, id.ptr, id.len);
    *ret_at = find(view, name, host, (uint16_t)value->items[1].integer);
    if (*ret_at < view->count)
        return true;
    if (!cluster_view_add(view, id, host, &node, err))
        return err_wrap(err, "CLUSTER SLOTS");
    node->port = (uint16_t)value->items[1].integer;
    node->flags = flags;
    return true;
}

static bool read_range(const struct resp_value *row, struct cluster_view *view, struct err *err) {
    size_t primary, replica;

    if (row->type != RESP_ARRAY || row->count < 3 || row->items[0].type != RESP_INTEGER ||
        row->items[1].type != RESP_INTEGER || row->items[0].integer < 0 ||
        row->items[1].integer < 0)
        return wrong(err, "a row is no range of slots");
    if (!read_node(&row->items[2], CLUSTER_PRIMARY, view, &primary, err) ||
        !cluster_view_own(view, primary, (uint64_t)row->items[0].integer,
                          (uint64_t)row->items[1].integer, err))
        return false;
    for (size_t i = 3; i < row->count; i++) {
        if (!read_node(&row->items[i], CLUSTER_REPLICA, view, &replica, err))
            return false;
        if (view->nodes[replica].flags & CLUSTER_REPLICA)
            memcpy(view->nodes[replica].primary, view->nodes[primary].id,
                   sizeof(view->nodes[replica].primary));
    }
    return true;
}

bool cluster_slots_parse(const struct resp_value *reply, struct cluster_view *ret,
                         struct err *err) {
    *ret = CLUSTER_VIEW_INIT;
    if (reply->type != RESP_ARRAY)
        return wrong(err, "it is no list");
    for (size_t i = 0; i < reply->count; i++)
        if (!read_range(&reply->items[i], ret, err))
            return false;
    return true;
}
