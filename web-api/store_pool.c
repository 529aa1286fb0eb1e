#include "web-api/store_pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

bool store_pool_take(struct store_pool *pool, int wait_ms, struct store **ret_store,
                     struct err *err) {
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&pool->lock);
    while (pool->admitted && pool->idle_count == 0 && pool->open_count == pool->max)
        if (pthread_cond_timedwait(&pool->changed, &pool->lock, &until) == ETIMEDOUT)
            break;
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
