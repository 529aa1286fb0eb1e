/* store_pool.h - a bounded number of connections to the control database, lent to
 * one request at a time. Thread safe.
 *
 * Some connections are opened before they are needed, more when all of them stay busy. Nobody waits
 * longer than asked: a database that is away or too busy answers 503, and the client may try again.
 */
#pragma once

#include <stdbool.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "sql/store.h"

struct store_pool;

/* `url` is kept. Nothing is connected yet, and nothing is lent before
 * store_pool_admit(). Errors: MEMORY. */
MUST_CHECK bool store_pool_new(const char *url, int connections_max, struct store_pool **ret_pool,
                               struct err *err);

/* The schema is right: begin to lend. */
void store_pool_admit(struct store_pool *pool);
bool store_pool_is_admitted(struct store_pool *pool);

/* Open those that should be there when requests come. */
void store_pool_warm(struct store_pool *pool);

/* Errors: STORE (none became free within wait_ms, or no connection can be made). */
MUST_CHECK bool store_pool_take(struct store_pool *pool, int wait_ms, struct store **ret_store,
                                struct err *err);
/* NULL is fine. */
void store_pool_give(struct store_pool *pool, struct store *store);

/* Everything must have been given back. NULL is fine. */
void store_pool_free(struct store_pool *pool);
