#include "services/ctl/up_address.h"

#include <errno.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/base/str.h"

/* "host:port", "[v6]:port". */
static bool split(const char *host_port, char *ret_host, size_t host_size, const char **ret_port,
                  struct err *err) {
    const char *colon = strrchr(host_port, ':');
    struct str host = STR_EMPTY;
    uint64_t port = 0;

    if (colon)
        host = str_of(host_port, (size_t)(colon - host_port));
    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = str_of(host.ptr + 1, host.len - 2);
    if (!host.len || host.len >= host_size || !str_parse_u64(str_from(colon + 1), &port) ||
        port < 1 || port > 65535)
        return err_set(err, ERR_CONFIG, "%.80s is no HOST:PORT to listen on", host_port);
    snprintf(ret_host, host_size, STR_FMT, STR_ARG(host));
    *ret_port = colon + 1;
    return true;
}

bool up_address_free(const char *host_port, struct err *err) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    const char *port;
    char host[256];
    int fd, why, yes = 1;

    if (!split(host_port, host, sizeof(host), &port, err))
        return false;
    why = getaddrinfo(host, port, &hints, &found);
    if (why != 0)
        return err_set(err, ERR_CONFIG, "%s: %s", host_port, gai_strerror(why));
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    why = 0;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
        bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, 1) != 0)
        why = errno;
    freeaddrinfo(found);
    if (fd >= 0)
        close(fd);
    if (why == EADDRINUSE)
        return err_set(err, ERR_CONFIG, "%s is taken by another process: choose one with --listen",
                       host_port);
    return why == 0 || err_set(err, ERR_CONFIG, "listening on %s: %s", host_port, strerror(why));
}

bool up_address_url(const char *host_port, char *dst, size_t dst_size, struct err *err) {
    const char *port, *name;
    char host[256];
    bool v6;
    int len;

    if (!split(host_port, host, sizeof(host), &port, err))
        return false;
    name = strcmp(host, "0.0.0.0") == 0 ? "127.0.0.1" : strcmp(host, "::") == 0 ? "::1" : host;
    v6 = strchr(name, ':') != NULL;
    len = snprintf(dst, dst_size, "http://%s%s%s:%s", v6 ? "[" : "", name, v6 ? "]" : "", port);
    return (len > 0 && (size_t)len < dst_size) ||
           err_set(err, ERR_TOO_BIG, "the address %.60s... is too long", host_port);
}
