#include "web-api/stream_limit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql/store.h"

struct stream_limit {
    unsigned max, max_of_account;
    pthread_mutex_t lock;
    unsigned count;
    char (*account)[STORE_ID_SIZE]; /* of each open stream */
};

static unsigned at_least_one(unsigned n) {
    return n > 0 ? n : 1;
}

struct stream_limit *stream_limit_new(unsigned connections_max) {
    struct stream_limit *limit = calloc(1, sizeof(*limit));

    if (!limit)
        abort();
    limit->max = at_least_one(connections_max / 2);
    limit->max_of_account = at_least_one(limit->max / 4);
    limit->account = calloc(limit->max, sizeof(*limit->account));
    if (!limit->account)
        abort();
    pthread_mutex_init(&limit->lock, NULL);
    return limit;
}

void stream_limit_free(struct stream_limit *limit) {
    if (!limit)
        return;
    pthread_mutex_destroy(&limit->lock);
    free(limit->account);
    free(limit);
}

bool stream_limit_take(struct stream_limit *limit, const char *account, struct err *err) {
    unsigned own = 0;
    bool has_room;

    pthread_mutex_lock(&limit->lock);
    for (unsigned i = 0; i < limit->count; i++)
        own += strcmp(limit->account[i], account) == 0;
    has_room = limit->count < limit->max && own < limit->max_of_account;
    if (has_room)
        snprintf(limit->account[limit->count++], STORE_ID_SIZE, "%s", account);
    pthread_mutex_unlock(&limit->lock);
    return has_room ||
           err_set(err, ERR_TOO_MANY_STREAMS, "%u of them are open for this account, %u may be",
                   own, limit->max_of_account);
}

void stream_limit_give(struct stream_limit *limit, const char *account) {
    pthread_mutex_lock(&limit->lock);
    for (unsigned i = 0; i < limit->count; i++)
        if (strcmp(limit->account[i], account) == 0) {
            limit->count--;
            memmove(limit->account[i], limit->account[limit->count], STORE_ID_SIZE);
            break;
        }
    pthread_mutex_unlock(&limit->lock);
}
