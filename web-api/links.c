#include "web-api/links.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    REAP_EVERY_MS = 200,
    /* The head of who has something to ask comes with the last packet of the handshake: so long a
     * new client may take before it counts as one that drips. */
    NEWCOMER_MS = 50,
    ADDRESS_SIZE = 16,
};

struct link {
    struct link *prev, *next;
    int fd;
    unsigned char address[ADDRESS_SIZE];
    int64_t since_ms;    /* it has been its turn, or ours, since then */
    int64_t deadline_ms; /* of the client's turn */
    bool is_our_turn;
    bool is_busy;    /* a request is under way */
    bool was_served; /* it has sent a whole request before */
    bool told_to_go;
};

struct links {
    unsigned max, per_address_max;
    pthread_t reaper;
    pthread_mutex_t lock; /* all below, and the members of each link */
    pthread_cond_t quiet;
    struct link *first; /* newest first */
    unsigned count;     /* those told to go do not count */
    unsigned busy_count;
    bool draining, stopped;
};

static int64_t now_ms(void) {
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Under the lock, as all functions up to links_new(). */
static void tell_to_go(struct links *links, struct link *l) {
    if (!l->told_to_go)
        links->count--;
    l->told_to_go = true;
    shutdown(l->fd, SHUT_RDWR);
}

static bool drips(const struct link *l, int64_t now) {
    return !l->was_served && now - l->since_ms >= NEWCOMER_MS;
}

static bool is_of_address(const struct link *l, const struct link *other) {
    return memcmp(l->address, other->address, sizeof(l->address)) == 0;
}

/* Somebody goes for the newcomer, of its address only or of any. */
static void make_room(struct links *links, struct link *newcomer, bool of_its_address) {
    struct link *goes = newcomer;
    int64_t now = now_ms();

    for (struct link *l = links->first; l; l = l->next) {
        bool may_go = l != newcomer && !l->told_to_go && !l->is_our_turn &&
                      (!of_its_address || is_of_address(l, newcomer));
        bool is_better = goes == newcomer || drips(l, now) > drips(goes, now) ||
                         (drips(l, now) == drips(goes, now) && l->since_ms <= goes->since_ms);

        if (may_go && is_better)
            goes = l;
    }
    tell_to_go(links, goes);
}

static unsigned count_of_address(const struct links *links, const struct link *newcomer) {
    unsigned count = 0;

    for (const struct link *l = links->first; l; l = l->next)
        count += !l->told_to_go && is_of_address(l, newcomer);
    return count;
}

/* What one client has of an IPv6 network is a /64. */
static void keep_address(const struct sockaddr *from, unsigned char address[ADDRESS_SIZE]) {
    if (from->sa_family == AF_INET6)
        memcpy(address, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr,
               ADDRESS_SIZE / 2);
    else if (from->sa_family == AF_INET)
        memcpy(address, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
}

static void *reap(void *arg) {
    struct links *links = arg;

    pthread_mutex_lock(&links->lock);
    while (!links->stopped) {
        int64_t now = now_ms();

        for (struct link *l = links->first; l; l = l->next)
            if ((!l->is_our_turn && now > l->deadline_ms) || (links->draining && !l->is_busy))
                tell_to_go(links, l);
        pthread_mutex_unlock(&links->lock);
        poll(NULL, 0, REAP_EVERY_MS);
        pthread_mutex_lock(&links->lock);
    }
    pthread_mutex_unlock(&links->lock);
    return NULL;
}

static void release(struct links *links) {
    pthread_mutex_destroy(&links->lock);
    pthread_cond_destroy(&links->quiet);
    free(links);
}

struct links *links_new(unsigned max, unsigned per_address_max) {
    struct links *links = calloc(1, sizeof(*links));

    if (!links)
        abort();
    links->max = max;
    links->per_address_max = per_address_max;
    pthread_mutex_init(&links->lock, NULL);
    pthread_cond_init(&links->quiet, NULL);
    if (pthread_create(&links->reaper, NULL, reap, links) == 0)
        return links;
    release(links);
    return NULL;
}

void links_free(struct links *links) {
    if (!links)
        return;
    pthread_mutex_lock(&links->lock);
    links->stopped = true;
    pthread_mutex_unlock(&links->lock);
    pthread_join(links->reaper, NULL);
    release(links);
}

struct link *links_add(struct links *links, int fd, const struct sockaddr *from,
                       uint32_t within_ms) {
    struct link *l = calloc(1, sizeof(*l));

    if (!l)
        abort();
    l->fd = fd;
    keep_address(from, l->address);
    l->since_ms = now_ms();
    l->deadline_ms = l->since_ms + within_ms;
    pthread_mutex_lock(&links->lock);
    l->next = links->first;
    if (l->next)
        l->next->prev = l;
    links->first = l;
    links->count++;
    if (count_of_address(links, l) > links->per_address_max)
        make_room(links, l, true);
    else if (links->count > links->max)
        make_room(links, l, false);
    pthread_mutex_unlock(&links->lock);
    return l;
}

static void set_busy(struct links *links, struct link *l, bool busy) {
    if (l->is_busy != busy)
        links->busy_count += busy ? 1U : -1U;
    l->is_busy = busy;
    if (links->busy_count == 0)
        pthread_cond_broadcast(&links->quiet);
}

void links_remove(struct links *links, struct link *l) {
    pthread_mutex_lock(&links->lock);
    set_busy(links, l, false);
    if (!l->told_to_go)
        links->count--;
    if (l->prev)
        l->prev->next = l->next;
    else
        links->first = l->next;
    if (l->next)
        l->next->prev = l->prev;
    pthread_mutex_unlock(&links->lock);
    free(l);
}

static void turn(struct links *links, struct link *l, bool busy, bool ours, uint32_t within_ms) {
    if (!l)
        return;
    pthread_mutex_lock(&links->lock);
    set_busy(links, l, busy);
    l->is_our_turn = ours;
    l->since_ms = now_ms();
    l->deadline_ms = l->since_ms + within_ms;
    l->was_served = l->was_served || !busy;
    pthread_mutex_unlock(&links->lock);
}

void links_await(struct links *links, struct link *l, uint32_t within_ms) {
    turn(links, l, true, false, within_ms);
}

void links_work(struct links *links, struct link *l) {
    turn(links, l, true, true, 0);
}

void links_idle(struct links *links, struct link *l, uint32_t within_ms) {
    turn(links, l, false, false, within_ms);
}

void links_drain(struct links *links, uint32_t within_ms) {
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)(within_ms / 1000) + 1;
    pthread_mutex_lock(&links->lock);
    links->draining = true;
    while (links->busy_count > 0)
        if (pthread_cond_timedwait(&links->quiet, &links->lock, &until) == ETIMEDOUT)
            break;
    pthread_mutex_unlock(&links->lock);
}

bool links_are_draining(struct links *links) {
    bool draining;

    pthread_mutex_lock(&links->lock);
    draining = links->draining;
    pthread_mutex_unlock(&links->lock);
    return draining;
}
