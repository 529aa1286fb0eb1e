/* far - a server that is further away: everything is handed on a fixed time later.
 *
 *   far LISTEN_PORT SERVER_PORT ONE_WAY_US
 *
 * On 127.0.0.1, for the benchmark: bytes of either direction wait in order for their
 * time, so that the round trip grows and the bandwidth does not shrink (a sleep between
 * read and write would do both). One thread; ends with SIGTERM. A direction that holds
 * 32 MiB is not read until some of it has left.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 64 << 10, PIECES = 512, PAIRS = 64 };

struct piece {
    uint64_t due_ns;
    size_t len, sent;
    char bytes[PIECE];
};

/* What one side said and the other has not heard. */
struct way {
    int from, to;
    bool closed;
    unsigned first, count; /* a ring of pieces */
    struct piece *pieces;
};

struct pair {
    struct way ways[2];
};

static struct pair pairs[PAIRS];
static unsigned pair_count;
static uint64_t one_way_ns;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static uint64_t now_ns(void) {
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static struct sockaddr_in loopback(const char *port) {
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

static void pair_add(int client, const char *server_port) {
    struct sockaddr_in at = loopback(server_port);
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    struct pair *pair;

    if (pair_count == PAIRS || server < 0 ||
        connect(server, (struct sockaddr *)&at, sizeof(at)) != 0) {
        close(client);
        if (server >= 0)
            close(server);
        return;
    }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    pair = &pairs[pair_count++];
    *pair = (struct pair){{{.from = client, .to = server}, {.from = server, .to = client}}};
    for (int i = 0; i < 2; i++) {
        pair->ways[i].pieces = malloc(PIECES * sizeof(struct piece));
        if (!pair->ways[i].pieces)
            die("memory");
    }
}

static void pair_remove(unsigned i) {
    close(pairs[i].ways[0].from);
    close(pairs[i].ways[0].to);
    free(pairs[i].ways[0].pieces);
    free(pairs[i].ways[1].pieces);
    pairs[i] = pairs[--pair_count];
}

static bool retry(ssize_t result) {
    return result < 0 && (errno == EAGAIN || errno == EINTR);
}

static void way_take(struct way *way) {
    while (way->count < PIECES && !way->closed) {
        struct piece *piece = &way->pieces[(way->first + way->count) % PIECES];
        ssize_t got = recv(way->from, piece->bytes, PIECE, MSG_DONTWAIT);

        if (retry(got))
            return;
        if (got <= 0) {
            way->closed = true;
            return;
        }
        piece->due_ns = now_ns() + one_way_ns;
        piece->len = (size_t)got;
        piece->sent = 0;
        way->count++;
    }
}

static void way_give(struct way *way) {
    while (way->count > 0 && way->pieces[way->first].due_ns <= now_ns()) {
        struct piece *piece = &way->pieces[way->first];
        ssize_t sent = send(way->to, piece->bytes + piece->sent, piece->len - piece->sent,
                            MSG_NOSIGNAL | MSG_DONTWAIT);

        if (retry(sent))
            return;
        if (sent <= 0) {
            way->closed = true;
            way->count = 0;
            return;
        }
        piece->sent += (size_t)sent;
        if (piece->sent < piece->len)
            return;
        way->first = (way->first + 1) % PIECES;
        way->count--;
    }
}

/* Wait for bytes, for a place to put them, or for the next piece's time. */
static void wait_for_work(int listener, struct pollfd *fds) {
    uint64_t now = now_ns(), next = now + 1000000000u;
    nfds_t n = 0;
    struct timespec wait;

    fds[n++] = (struct pollfd){.fd = listener, .events = POLLIN};
    for (unsigned i = 0; i < pair_count; i++) {
        for (int w = 0; w < 2; w++) {
            struct way *way = &pairs[i].ways[w];
            uint64_t due = way->count > 0 ? way->pieces[way->first].due_ns : UINT64_MAX;

            if (!way->closed && way->count < PIECES)
                fds[n++] = (struct pollfd){.fd = way->from, .events = POLLIN};
            if (due <= now)
                fds[n++] = (struct pollfd){.fd = way->to, .events = POLLOUT};
            else if (due < next)
                next = due;
        }
    }
    wait = (struct timespec){.tv_sec = (time_t)((next - now) / 1000000000u),
                             .tv_nsec = (long)((next - now) % 1000000000u)};
    if (ppoll(fds, n, &wait, NULL) < 0 && errno != EINTR)
        die("poll");
}

int main(int argc, char **argv) {
    static struct pollfd fds[1 + PAIRS * 4];
    struct sockaddr_in at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (argc != 4) {
        fputs("usage: far LISTEN_PORT SERVER_PORT ONE_WAY_US\n", stderr);
        return 2;
    }
    at = loopback(argv[1]);
    one_way_ns = strtoull(argv[3], NULL, 10) * 1000;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(listener, 16) != 0)
        die("listen");
    for (;;) {
        wait_for_work(listener, fds);
        if (fds[0].revents & POLLIN) {
            int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

            if (client >= 0)
                pair_add(client, argv[2]);
        }
        for (unsigned i = pair_count; i-- > 0;) {
            struct way *ways = pairs[i].ways;

            for (int w = 0; w < 2; w++) {
                way_take(&ways[w]);
                way_give(&ways[w]);
            }
            if ((ways[0].closed && ways[0].count == 0) || (ways[1].closed && ways[1].count == 0))
                pair_remove(i);
        }
    }
}
