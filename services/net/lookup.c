#include "services/net/lookup.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

/* Of whoever is the last to look at it: the thread, or the caller when the answer is there. */
struct lookup {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done, is_given_up;
    char host[256], port[8];
    int code;
    struct addrinfo *addresses;
};

static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};

static void release(struct lookup *l) {
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->done);
    free(l);
}

static void *look(void *arg) {
    struct lookup *l = arg;
    struct addrinfo *addresses = NULL;
    int code = getaddrinfo(l->host, l->port, &hints, &addresses);
    bool is_given_up;

    pthread_mutex_lock(&l->lock);
    l->code = code;
    l->addresses = addresses;
    l->is_done = true;
    is_given_up = l->is_given_up;
    pthread_cond_signal(&l->done);
    pthread_mutex_unlock(&l->lock);
    if (is_given_up) {
        if (code == 0)
            freeaddrinfo(addresses);
        release(l);
    }
    return NULL;
}

/* Signals are the caller's. */
static bool begin(struct lookup *l) {
    pthread_t thread;
    sigset_t all, before;
    bool ok;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    ok = pthread_create(&thread, NULL, look, l) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (ok)
        pthread_detach(thread);
    return ok;
}

static struct lookup *make(const char *host, const char *port) {
    struct lookup *l = calloc(1, sizeof(*l));
    pthread_condattr_t attributes;

    if (!l)
        abort();
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->done, &attributes);
    pthread_condattr_destroy(&attributes);
    snprintf(l->host, sizeof(l->host), "%s", host);
    snprintf(l->port, sizeof(l->port), "%s", port);
    return l;
}

static int await(struct lookup *l, uint32_t within_ms, struct addrinfo **ret) {
    struct timespec until;
    bool is_done;
    int code;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += within_ms / 1000;
    until.tv_nsec += (long)(within_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&l->lock);
    while (!l->is_done)
        if (pthread_cond_timedwait(&l->done, &l->lock, &until) == ETIMEDOUT)
            break;
    is_done = l->is_done;
    l->is_given_up = !is_done;
    code = l->code;
    *ret = l->addresses;
    pthread_mutex_unlock(&l->lock);
    if (!is_done)
        return LOOKUP_TOO_SLOW;
    release(l);
    return code;
}

int lookup_host(const char *host, uint16_t port, uint32_t within_ms, struct addrinfo **ret) {
    struct addrinfo figures = hints;
    struct lookup *l;
    char text[8];
    int code;

    snprintf(text, sizeof(text), "%u", port);
    figures.ai_flags |= AI_NUMERICHOST;
    *ret = NULL;
    code = getaddrinfo(host, text, &figures, ret);
    if (code != EAI_NONAME)
        return code;
    l = make(host, text);
    if (begin(l))
        return await(l, within_ms, ret);
    release(l);
    return EAI_AGAIN;
}
