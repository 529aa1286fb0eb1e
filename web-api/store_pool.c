#include "web-api/store_pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* To open one takes some 40 ms of a core, with all statements it prepares: far longer than most
 * have theirs. So some are there before they are needed, and of more than these one that is lent
 * now is waited for first. */
enum { WARM_MAX = 3, OPEN_AFTER_MS = 10 };

struct store_pool {
    char *url;
    int max;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct store **idle; /* idle_count of them; the newest is lent first */
    int idle_count, open_count;
    bool admitted;
};

bool store_pool_new(const char *url, int connections_max, struct store_pool **ret_pool,
                    struct err *err) {
    struct store_pool *pool = calloc(1, sizeof(*pool));
    struct store **idle = calloc((size_t)connections_max, sizeof(struct store *));
    char *copy = strdup(url);

    if (!pool || !idle || !copy) {
        free(pool);
        free(idle);
        free(copy);
        return err_set(err, ERR_MEMORY, "a pool of connections");
    }
    pool->url = copy;
    pool->max = connections_max;
    pool->idle = idle;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->changed, NULL);
    *ret_pool = pool;
    return true;
}

void store_pool_admit(struct store_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    pool->admitted = true;
    pthread_mutex_unlock(&pool->lock);
}

bool store_pool_is_admitted(struct store_pool *pool) {
    bool admitted;

    pthread_mutex_lock(&pool->lock);
    admitted = pool->admitted;
    pthread_mutex_unlock(&pool->lock);
    return admitted;
}

/* The place in the count is taken under the lock, the connecting is done outside. */
static bool open_one(struct store_pool *pool, struct store **ret_store, struct err *err) {
    if (store_open(pool->url, "keyferry-api", ret_store, err))
        return true;
    pthread_mutex_lock(&pool->lock);
    pool->open_count--;
    pthread_cond_signal(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
    return false;
}

static struct timespec in_ms(int ms) {
    struct timespec at;

    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

/* Under the lock, until one is idle or fewer than `open` are open. */
static void await_idle(struct store_pool *pool, int open, const struct timespec *until) {
    while (pool->admitted && pool->idle_count == 0 && pool->open_count >= open)
        if (pthread_cond_timedwait(&pool->changed, &pool->lock, until) == ETIMEDOUT)
            break;
}

bool store_pool_take(struct store_pool *pool, int wait_ms, struct store **ret_store,
                     struct err *err) {
    struct timespec soon = in_ms(wait_ms < OPEN_AFTER_MS ? wait_ms : OPEN_AFTER_MS);
    struct timespec until = in_ms(wait_ms);

    pthread_mutex_lock(&pool->lock);
    await_idle(pool, WARM_MAX, &soon);
    await_idle(pool, pool->max, &until);
    if (!pool->admitted) {
        pthread_mutex_unlock(&pool->lock);
        return err_set(err, ERR_STORE, "the control database is not ready yet");
    }
    if (pool->idle_count > 0) {
        *ret_store = pool->idle[--pool->idle_count];
        pthread_mutex_unlock(&pool->lock);
        return true;
    }
    if (pool->open_count == pool->max) {
        pthread_mutex_unlock(&pool->lock);
        return err_set(err, ERR_STORE, "all %d connections stayed busy for %d ms", pool->max,
                       wait_ms);
    }
    pool->open_count++;
    pthread_mutex_unlock(&pool->lock);
    return open_one(pool, ret_store, err);
}

void store_pool_warm(struct store_pool *pool) {
    struct store *taken[WARM_MAX];
    struct err err = ERR_INIT;
    int count = 0;

    while (count < WARM_MAX && store_pool_take(pool, 0, &taken[count], &err))
        count++;
    while (count > 0)
        store_pool_give(pool, taken[--count]);
}

void store_pool_give(struct store_pool *pool, struct store *store) {
    if (!store)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->idle[pool->idle_count++] = store;
    pthread_cond_signal(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
}

void store_pool_free(struct store_pool *pool) {
    if (!pool)
        return;
    for (int i = 0; i < pool->idle_count; i++)
        store_close(pool->idle[i]);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->changed);
    free(pool->idle);
    free(pool->url);
    free(pool);
}
