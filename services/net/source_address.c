#include "services/net/source_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "services/net/egress.h"

/* Somewhere behind each of the routes that a machine may have: two documentation blocks stand for
 * the public addresses (RFC 5737, RFC 3849), the rest are the private ones (RFC 1918, RFC 4193). */
static const char *const remotes[] = {"198.51.100.1",     "203.0.113.1",     "10.255.255.254",
                                      "172.31.255.254",   "192.168.255.254", "2001:db8::1",
                                      "fdff:ffff:ffff::1"};

static bool is_near_v4(struct in_addr address) {
    uint32_t host = ntohl(address.s_addr);

    return host == 0 || host >> 24 == 127 || host >> 16 == 0xa9fe;
}

static bool is_near_v6(const struct in6_addr *address) {
    return IN6_IS_ADDR_UNSPECIFIED(address) || IN6_IS_ADDR_LOOPBACK(address) ||
           IN6_IS_ADDR_LINKLOCAL(address);
}

/* A datagram socket that is connected has its source chosen and has sent nothing. */
static bool ask_kernel(const struct sockaddr *remote, socklen_t size,
                       struct sockaddr_storage *ret_source) {
    int fd = socket(remote->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof(*ret_source);
    bool ok;

    if (fd < 0)
        return false;
    ok =
        connect(fd, remote, size) == 0 && getsockname(fd, (struct sockaddr *)ret_source, &len) == 0;
    close(fd);
    return ok;
}

bool source_address_towards(const char *remote, char dst[48]) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(6379)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(6379)};
    struct sockaddr_storage source;

    if (inet_pton(AF_INET, remote, &v4.sin_addr) == 1) {
        if (!ask_kernel((const struct sockaddr *)&v4, sizeof(v4), &source))
            return false;
        memcpy(&v4, &source, sizeof(v4));
        return !is_near_v4(v4.sin_addr) && inet_ntop(AF_INET, &v4.sin_addr, dst, 48) != NULL;
    }
    if (inet_pton(AF_INET6, remote, &v6.sin6_addr) != 1 ||
        !ask_kernel((const struct sockaddr *)&v6, sizeof(v6), &source))
        return false;
    memcpy(&v6, &source, sizeof(v6));
    return !is_near_v6(&v6.sin6_addr) && inet_ntop(AF_INET6, &v6.sin6_addr, dst, 48) != NULL;
}

static bool holds(const json_t *list, const char *text) {
    const json_t *one;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)list, i, one) {
        if (strcmp(json_string_value(one), text) == 0)
            return true;
    }
    return false;
}

json_t *source_address_list(void) {
    json_t *list = json_array();
    char source[48];

    for (size_t i = 0; i < LENGTH_OF(remotes); i++) {
        if (source_address_towards(remotes[i], source) && !holds(list, source))
            json_array_append_new(list, json_string(source));
    }
    return list;
}

static bool add_block(json_t *all, struct str word, struct err *err) {
    struct egress_rule block;

    if (json_array_size(all) == SOURCE_ADDRESS_MAX)
        return err_set(err, ERR_CONFIG, "more than %d addresses", SOURCE_ADDRESS_MAX);
    if (!egress_parse_block(word, &block, err))
        return false;
    json_array_append_new(all, json_stringn(word.ptr, word.len));
    return true;
}

bool source_address_parse(struct str list, json_t **ret, struct err *err) {
    json_t *all = json_array();

    while (list.len > 0) {
        size_t len = 0;

        while (len < list.len && !strchr(", \t\n", list.ptr[len]))
            len++;
        if (len > 0 && !add_block(all, str_first(list, len), err)) {
            json_decref(all);
            return err_wrap(err, "KEYFERRY_EGRESS_ADDRESSES");
        }
        list = str_skip(list, len + 1);
    }
    *ret = all;
    return true;
}
