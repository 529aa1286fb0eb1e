/* endpoint_map.c - the part of endpoint.h that says where announced addresses are dialled.
 *
 * Sentinels and members of a cluster announce the addresses by which their own network knows them;
 * from where a worker runs the same servers may be behind others.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/net/endpoint_read.h"
#include "services/net/endpoint_rules.h"

struct endpoint_mapping *endpoint_map_dup(const struct endpoint *ep) {
    struct endpoint_mapping *copy;

    if (!ep->address_map)
        return NULL;
    copy = calloc(ep->map_count, sizeof(*copy));
    if (!copy)
        abort();
    memcpy(copy, ep->address_map, ep->map_count * sizeof(*copy));
    return copy;
}

static bool fits(const struct endpoint_address *pattern, struct str host, uint16_t port) {
    struct str name = str_from(pattern->host);

    if (pattern->port != 0 && pattern->port != port)
        return false;
    if (name.len > 0 && name.ptr[name.len - 1] == '*')
        return host.len >= name.len - 1 &&
               str_equal_nocase(str_first(host, name.len - 1), str_first(name, name.len - 1));
    return str_equal_nocase(host, name);
}

bool endpoint_of_announced(const struct endpoint *ep, const char *host, uint16_t port,
                           struct endpoint *ret, struct err *err) {
    struct endpoint one = *ep;
    struct err why = ERR_INIT;
    int database = ep->database;

    one.other_count = 0;
    one.sentinel_master[0] = '\0';
    one.cluster = false;
    /* A path, too, is no address that a peer may name. */
    if (!endpoint_set_host(&one, str_from(host), &why) || port == 0) {
        char shown[64];

        str_escape(str_from(host), shown, sizeof(shown));
        return err_set(err, ERR_PROTOCOL, "%s announces the address %s:%u, which is none",
                       ep->label, shown, port);
    }
    one.port = port;
    for (size_t i = 0; i < ep->map_count; i++) {
        const struct endpoint_mapping *row = &ep->address_map[i];

        if (!fits(&row->announced, str_from(host), port))
            continue;
        memcpy(one.host, row->dial.host, sizeof(one.host));
        one.port = row->dial.port ? row->dial.port : port;
        break;
    }
    one.database = -1; /* no part of a server's name */
    endpoint_make_label(&one);
    one.database = database;
    *ret = one;
    return true;
}

/* ---- JSON ---- */

static bool read_dial(struct str text, struct endpoint_address *ret, struct err *err) {
    struct endpoint one = {.port = 0};

    if (!endpoint_parse_host_port(text, &one, err))
        return false;
    memcpy(ret->host, one.host, sizeof(ret->host));
    ret->port = one.port;
    return true;
}

/* "host[:port]" or "begin*[:port]". */
static bool read_announced(struct str text, struct endpoint_address *ret, struct err *err) {
    const char *star = text.len ? memchr(text.ptr, '*', text.len) : NULL;
    struct str head, tail;
    uint64_t port = 0;

    if (!star)
        return read_dial(text, ret, err);
    head = str_first(text, (size_t)(star - text.ptr));
    tail = str_skip(text, head.len + 1);
    if (tail.len > 0 && (tail.ptr[0] != ':' || !str_parse_u64(str_skip(tail, 1), &port) ||
                         port == 0 || port > UINT16_MAX))
        return err_set(err, ERR_VALIDATION, "behind the * comes nothing, or a colon and the port");
    ret->host[0] = '\0';
    if (head.len > 0 && !read_dial(head, ret, err))
        return false;
    if (ret->port != 0)
        return err_set(err, ERR_VALIDATION, "a port has no *; leave it out for any");
    strcat(ret->host, "*"); /* a name has at most 253 characters */
    ret->port = (uint16_t)port;
    return true;
}

static bool read_row(struct endpoint_reading *r, const char *at, const json_t *row,
                     struct endpoint_mapping *ret) {
    static const char *const known[] = {"announced", "dial", NULL}, *const later[] = {NULL};
    struct str announced, dial;
    bool has_announced, has_dial;

    if (!endpoint_read_members(r, at, row, known, later) ||
        !endpoint_read_text(r, row, "announced", at, &announced, &has_announced) ||
        !endpoint_read_text(r, row, "dial", at, &dial, &has_dial))
        return false;
    if (!has_announced || !has_dial)
        return endpoint_read_wrong(r, at, ERR_VALIDATION, "needs announced and dial");
    return (read_announced(announced, &ret->announced, r->err) &&
            read_dial(dial, &ret->dial, r->err)) ||
           endpoint_read_wrong_at(r, at);
}

bool endpoint_read_map(struct endpoint_reading *r, const json_t *list, struct endpoint *ep) {
    size_t count = json_array_size(list);

    if (!list || json_is_null(list))
        return true;
    if (!json_is_array(list) || count > ENDPOINT_MAP_MAX)
        return endpoint_read_wrong(r, "/address_map", ERR_VALIDATION,
                                   "must be a list of at most 256 rows");
    if (!endpoint_is_cluster(ep) && !ep->sentinel_master[0])
        return endpoint_read_wrong(r, "/address_map", ERR_VALIDATION,
                                   "is for addresses that a cluster or Sentinels announce; this "
                                   "end learns none");
    if (count == 0)
        return true;
    ep->address_map = calloc(count, sizeof(*ep->address_map));
    if (!ep->address_map)
        abort();
    ep->map_count = count;
    for (size_t i = 0; i < count; i++) {
        char at[32];

        snprintf(at, sizeof(at), "/address_map/%zu", i);
        if (!read_row(r, at, json_array_get(list, i), &ep->address_map[i]))
            return false;
    }
    return true;
}

static json_t *address_json(const struct endpoint_address *address) {
    bool brackets = strchr(address->host, ':') != NULL;

    if (address->port == 0)
        return json_sprintf(brackets ? "[%s]" : "%s", address->host);
    return json_sprintf(brackets ? "[%s]:%u" : "%s:%u", address->host, address->port);
}

json_t *endpoint_map_json(const struct endpoint *ep) {
    json_t *list = json_array();

    for (size_t i = 0; i < ep->map_count; i++)
        json_array_append_new(list, json_pack("{s:o, s:o}", "announced",
                                              address_json(&ep->address_map[i].announced), "dial",
                                              address_json(&ep->address_map[i].dial)));
    return list;
}
