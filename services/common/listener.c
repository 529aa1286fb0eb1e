#include "services/common/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/base/str.h"

static bool split_address(const char *text, char host[256], char port[8], struct err *err) {
    const char *colon = strrchr(text, ':');
    size_t host_len = colon ? (size_t)(colon - text) : 0;
    uint64_t number;

    if (!colon || !str_parse_u64(str_from(colon + 1), &number) || number > 65535)
        return err_set(err, ERR_CONFIG, "\"%s\" is no HOST:PORT", text);
    if (host_len >= 2 && text[0] == '[' && text[host_len - 1] == ']') {
        text++;
        host_len -= 2;
    }
    if (host_len >= 256)
        return err_set(err, ERR_CONFIG, "the host to listen on is too long");
    memcpy(host, text, host_len);
    host[host_len] = '\0';
    snprintf(port, 8, "%u", (unsigned)number);
    return true;
}

/* The sockets that are accepted have it from the one listened on: a client that vanished without a
 * word does not keep its place until the kernel gives up after a quarter of an hour. */
static bool mind_the_vanished(int fd) {
    unsigned unanswered_ms = 60000;
    int one = 1;

    return setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)) == 0 &&
           setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered_ms, sizeof(unanswered_ms)) ==
               0;
}

bool listener_open(const char *address, int *ret_fd, uint16_t *ret_port, struct err *err) {
    char host[256], port[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    struct sockaddr_storage bound;
    socklen_t bound_len = sizeof(bound);
    int fd, one = 1;

    if (!split_address(address, host, port, err))
        return false;
    if (getaddrinfo(host[0] ? host : NULL, port, &hints, &found) != 0)
        return err_set(err, ERR_CONFIG, "the address \"%s\" does not resolve", address);
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
        !mind_the_vanished(fd) || bind(fd, found->ai_addr, found->ai_addrlen) != 0 ||
        listen(fd, 256) != 0 || getsockname(fd, (struct sockaddr *)&bound, &bound_len) != 0) {
        err_set(err, ERR_IO, "listening on %s: %s", address, strerror(errno));
        if (fd >= 0)
            close(fd);
        freeaddrinfo(found);
        return false;
    }
    freeaddrinfo(found);
    if (getnameinfo((struct sockaddr *)&bound, bound_len, NULL, 0, port, sizeof(port),
                    NI_NUMERICSERV) != 0)
        port[0] = '\0';
    *ret_port = (uint16_t)strtoul(port, NULL, 10);
    *ret_fd = fd;
    return true;
}
