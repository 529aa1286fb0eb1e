/* worker_hello.h - what a worker tells of itself every few seconds, and what it is told.
 *
 * Not pure: it asks the kernel how loaded the machine is and which addresses its connections come
 * from, and writes the worker's row.
 */
#pragma once

#include "services/worker/worker_task.h"
#include "sql/store_worker.h"

struct worker_hello {
    char host[64];
    json_t *configured; /* KEYFERRY_EGRESS_ADDRESSES; owned */
};

/* Errors: CONFIG. */
MUST_CHECK bool worker_hello_open(struct worker_hello *hello, const struct config *config,
                                  struct err *err);
void worker_hello_done(struct worker_hello *hello);

/* Say it. `staying` (NULL = none) are tasks that a drain does not hand over, {"<job>:<task>": why}.
 * worker->egress is what was told. Errors: STORE. */
MUST_CHECK bool worker_hello_say(const struct worker_hello *hello, struct worker *worker,
                                 size_t tasks_held, const json_t *staying,
                                 struct store_worker_wish *ret_wish, struct err *err);
