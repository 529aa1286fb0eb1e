/* store_worker.h - which workers there are: for people, never for leases. */
#pragma once

#include <jansson.h>

#include "sql/store.h"

struct store_worker {
    const char *id, *host, *pool, *version;
    int pid;
    int tasks_held;
};

/* Say hello; again every few seconds. *ret_drain (may be NULL): a person wants it to
 * take nothing more. */
MUST_CHECK bool store_worker_seen(struct store *store, const struct store_worker *worker,
                                  bool *ret_drain, struct err *err);

/* A worker that was killed is back under its id: what it held is free at once. Only
 * before it claims anything, and while nobody else can have that id. */
MUST_CHECK bool store_worker_return(struct store *store, const char *id, struct err *err);

/* It ends in order. */
MUST_CHECK bool store_worker_gone(struct store *store, const char *id, struct err *err);

/* [{"id","host","pool","version","pid","tasks_held","seen_at","draining","alive"}], seen within
 * the last day. A new reference. */
MUST_CHECK bool store_worker_list(struct store *store, json_t **ret_workers, struct err *err);
