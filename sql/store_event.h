/* store_event.h - the history of jobs.
 *
 * Numbers count from 1 within a job, without a gap and in the order of commit (the
 * job's row is locked while one is written), so "after number n" never misses one:
 * what Last-Event-ID needs.
 */
#pragma once

#include <jansson.h>

#include "sql/store.h"

/* Events of a job after number `after`, oldest first, at most `limit`:
 * [{"number", "type", "at", "state", "sentence", "detail", "actor"}]. A new reference. */
MUST_CHECK bool store_event_list(struct store *store, const char *job, int64_t after, int limit,
                                 json_t **ret_events, struct err *err);

/* Where a page of an account's events ended. */
struct store_event_place {
    int64_t at_us; /* 0 = nowhere yet */
    char job[STORE_ID_SIZE];
    int64_t number;
};

/* Of a whole account, newest first, with "job_id" and "at_us". */
MUST_CHECK bool store_event_recent(struct store *store, const char *account,
                                   const struct store_event_place *behind, int limit,
                                   json_t **ret_events, struct err *err);

/* Write one that moves nothing. Wakes whoever waits for the job. Errors: NOT_FOUND. */
MUST_CHECK bool store_event_add(struct store *store, const char *job, const char *type,
                                const char *sentence, const char *detail, const char *actor,
                                struct err *err);
