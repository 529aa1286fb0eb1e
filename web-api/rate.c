#include "web-api/rate.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { WAYS = 4, SETS = RATE_BUCKETS / WAYS };

struct bucket {
    char name[RATE_NAME_MAX];
    size_t len; /* 0 = free */
    int64_t used_ms;
    double level;
};

struct rate {
    pthread_mutex_t lock;
    double per_second;
    struct bucket bucket[SETS][WAYS];
};

struct rate *rate_new(uint32_t per_second) {
    struct rate *rate = calloc(1, sizeof(*rate));

    if (!rate)
        abort();
    pthread_mutex_init(&rate->lock, NULL);
    rate->per_second = per_second;
    return rate;
}

void rate_free(struct rate *rate) {
    if (!rate)
        return;
    pthread_mutex_destroy(&rate->lock);
    free(rate);
}

/* FNV-1a: names are ours or addresses, so nobody gains by making them collide but company. */
static size_t set_of(struct str name) {
    uint64_t hash = 14695981039346656037ULL;

    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.ptr[i]) * 1099511628211ULL;
    return hash % SETS;
}

static struct bucket *find(struct rate *rate, struct str name, int64_t now_ms) {
    struct bucket *set = rate->bucket[set_of(name)], *idle = &set[0];

    for (int i = 0; i < WAYS; i++) {
        if (set[i].len == name.len && memcmp(set[i].name, name.ptr, name.len) == 0)
            return &set[i];
        if (set[i].len == 0 || (idle->len > 0 && set[i].used_ms < idle->used_ms))
            idle = &set[i];
    }
    memcpy(idle->name, name.ptr, name.len);
    idle->len = name.len;
    idle->used_ms = now_ms;
    idle->level = rate->per_second * RATE_BURST_SECONDS;
    return idle;
}

struct rate_verdict rate_take(struct rate *rate, struct str name, int64_t now_ms) {
    double most = rate->per_second * RATE_BURST_SECONDS;
    struct rate_verdict v = {.per_second = (uint32_t)rate->per_second};
    struct bucket *b;

    pthread_mutex_lock(&rate->lock);
    b = find(rate, str_first(name, RATE_NAME_MAX), now_ms);
    b->level += (double)(now_ms - b->used_ms) * rate->per_second / 1000;
    if (b->level > most)
        b->level = most;
    b->used_ms = now_ms;
    v.is_allowed = b->level >= 1;
    if (v.is_allowed)
        b->level -= 1;
    else
        v.wait_ms = (uint32_t)((1 - b->level) * 1000 / rate->per_second) + 1;
    v.left = (uint32_t)b->level;
    v.full_in_seconds = (uint32_t)((most - b->level) / rate->per_second + 0.999);
    pthread_mutex_unlock(&rate->lock);
    return v;
}
