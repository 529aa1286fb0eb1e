/* store_worker.h - which workers there are: for people, never for leases. */
#pragma once

#include <jansson.h>

#include "sql/store.h"

struct store_worker {
    const char *id, *host, *pool, *version;
    int pid;
    int tasks_held;
    const json_t *reported; /* what it says of itself: the column's comment names the members */
};

/* What a worker is told when it says hello. */
struct store_worker_wish {
    bool drain;     /* a person wants it to take nothing more and to hand over what it has */
    int64_t places; /* tasks that others of its pool could take */
};

/* Say hello; again every few seconds. ret_wish may be NULL. */
MUST_CHECK bool store_worker_seen(struct store *store, const struct store_worker *worker,
                                  struct store_worker_wish *ret_wish, struct err *err);

/* Ask a worker to drain, or to take again; it is woken. *ret_found is false when none of that id
 * was seen within the last day. */
MUST_CHECK bool store_worker_drain(struct store *store, const char *id, bool drain, bool *ret_found,
                                   struct err *err);

/* A worker that was killed is back under its id: what it held is free at once. Only
 * before it claims anything, and while nobody else can have that id. */
MUST_CHECK bool store_worker_return(struct store *store, const char *id, struct err *err);

/* It ends in order. */
MUST_CHECK bool store_worker_gone(struct store *store, const char *id, struct err *err);

/* As the API shows them: workers seen within the last day (of a pool, in a state; NULL = any), one
 * with the tasks it holds (NULL when there is none), pools, and the addresses that workers connect
 * from. New references. */
MUST_CHECK bool store_worker_list(struct store *store, const char *pool, const char *state,
                                  json_t **ret_workers, struct err *err);
MUST_CHECK bool store_worker_get(struct store *store, const char *id, json_t **ret_worker,
                                 struct err *err);
MUST_CHECK bool store_worker_pools(struct store *store, const char *pool, json_t **ret_pools,
                                   struct err *err);
MUST_CHECK bool store_worker_egress(struct store *store, const char *pool, json_t **ret_pools,
                                    struct err *err);
