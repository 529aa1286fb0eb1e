/* store_rejected.h - commands of a stream that were not applied, and how often each was met.
 */
#pragma once

#include <jansson.h>

#include "sql/store.h"

struct store_rejected {
    const char *job;
    int task;
    int64_t generation, offset;
    const char *command;
    int database;         /* of the source */
    const char *key_hash; /* NULL = none */
    const char *reason;
    struct str sealed; /* empty = the command is not kept */
};

/* Put on record; what is there already, or beyond the limit of a job, changes nothing. */
MUST_CHECK bool store_rejected_add(struct store *store, const struct store_rejected *row,
                                   struct err *err);

/* After an id (0 = from the first). *ret_items is a new reference. */
MUST_CHECK bool store_rejected_list(struct store *store, const char *job, int64_t after, int limit,
                                    json_t **ret_items, struct err *err);

/* Ask for a replay of `ids` (decimal), or with count 0 of all that were never asked for. */
MUST_CHECK bool store_rejected_want(struct store *store, const char *job, const char *const *ids,
                                    size_t count, int64_t *ret_wanted, struct err *err);

/* The last replay wanted of a task; 0 = none. */
MUST_CHECK bool store_rejected_last(struct store *store, const char *job, int task,
                                    int64_t *ret_replay, struct err *err);

struct store_replay {
    int64_t replay; /* 0 = there is none */
    int64_t generation, offset;
    int database;
    struct buf sealed; /* yours: buf_done() */
};

/* The next one behind `after`. */
MUST_CHECK bool store_rejected_next(struct store *store, const char *job, int task, int64_t after,
                                    struct store_replay *ret, struct err *err);

/* `detail` NULL: it was replayed; else it was refused. */
MUST_CHECK bool store_rejected_result(struct store *store, const char *job, int64_t replay,
                                      const char *detail, struct err *err);

struct store_command_count {
    const char *job, *command;
    int64_t applied, skipped, rejected;
};

/* Of any number of jobs in one statement, each command of a job once. */
MUST_CHECK bool store_command_count_put(struct store *store,
                                        const struct store_command_count *counts, size_t count,
                                        struct err *err);
MUST_CHECK bool store_command_count_list(struct store *store, const char *job, json_t **ret_items,
                                         struct err *err);
