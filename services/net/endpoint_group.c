/* An end that is several addresses: a list of servers, or the Sentinels that know one. */
#include <stdio.h>
#include <string.h>

#include "services/net/endpoint_rules.h"

bool endpoint_add_address(struct endpoint *ep, struct str host, uint16_t port, struct err *err) {
    struct endpoint one = ENDPOINT_INIT;
    struct endpoint_address *address = &ep->others[ep->other_count];

    if (ep->other_count == ENDPOINT_OTHERS_MAX)
        return err_set(err, ERR_VALIDATION, "more than %d addresses", ENDPOINT_OTHERS_MAX + 1);
    if (!endpoint_set_host(&one, host, err))
        return false;
    memcpy(address->host, one.host, sizeof(address->host));
    address->port = port;
    ep->other_count++;
    return true;
}

bool endpoint_parse_addresses(struct str text, struct endpoint *ep, struct err *err) {
    const uint16_t port = ep->port;
    struct str rest = text, one = STR_EMPTY;

    (void)str_cut(&rest, ',', &one);
    if (!endpoint_parse_host_port(one, ep, err))
        return false;
    while (str_cut(&rest, ',', &one)) {
        struct endpoint next = {.port = port};

        if (!endpoint_parse_host_port(one, &next, err) ||
            !endpoint_add_address(ep, str_from(next.host), next.port, err))
            return false;
    }
    return text.len == 0 || text.ptr[text.len - 1] != ',' ||
           err_set(err, ERR_VALIDATION, "an address is missing behind the last comma");
}

bool endpoint_set_sentinel_master(struct endpoint *ep, struct str name, struct err *err) {
    if (name.len == 0)
        return err_set(err, ERR_VALIDATION,
                       "the name that the Sentinels call the server is missing: "
                       "redis+sentinel://host,host/NAME");
    if (name.len > ENDPOINT_MASTER_MAX)
        return err_set(err, ERR_VALIDATION, "the name is longer than %d bytes",
                       ENDPOINT_MASTER_MAX);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '.' && c != '-' && c != '_')
            return err_set(err, ERR_VALIDATION,
                           "the name holds a character that no Sentinel takes");
    }
    memcpy(ep->sentinel_master, name.ptr, name.len);
    ep->sentinel_master[name.len] = '\0';
    return true;
}

void endpoint_show_addresses(const struct endpoint *ep, char *dst, size_t size) {
    size_t at = 0;

    dst[0] = '\0';
    for (int i = -1; i < (int)ep->other_count && at < size; i++) {
        const char *host = i < 0 ? ep->host : ep->others[i].host;
        const char *open = strchr(host, ':') ? "[" : "", *shut = *open ? "]" : "";
        int n = snprintf(dst + at, size - at, "%s%s%s%s:%u", i < 0 ? "" : ",", open, host, shut,
                         i < 0 ? ep->port : ep->others[i].port);

        at += n > 0 ? (size_t)n : 0;
    }
}
