/* store_webhook.h - where notices go, and what became of each.
 *
 * A delivery is made in the transaction of what it tells of, keeps its id through all attempts,
 * and is claimed for the time of one attempt: an alerter that dies over it leaves it to the
 * next. So it arrives at least once.
 */
#pragma once

#include <jansson.h>

#include "sql/store.h"

enum { STORE_WEBHOOK_SEALED_MAX = 64 * 1024 };

/* `endpoint` has all members of one; `sealed` empty leaves what is there. */
MUST_CHECK bool store_webhook_add(struct store *store, const char *id, const char *account,
                                  const json_t *endpoint, struct str sealed, struct err *err);
/* *ret_written is false when the version is another by now. */
MUST_CHECK bool store_webhook_change(struct store *store, const char *id, int64_t version,
                                     const json_t *endpoint, struct str sealed, bool *ret_written,
                                     struct err *err);
MUST_CHECK bool store_webhook_delete(struct store *store, const char *account, const char *id,
                                     bool *ret_found, struct err *err);
/* id, before NULL = any. A new reference. */
MUST_CHECK bool store_webhook_list(struct store *store, const char *account, const char *id,
                                   const char *before, int limit, json_t **ret_list,
                                   struct err *err);
/* The caller's to free; empty when nothing is sealed. Errors: NOT_FOUND. */
MUST_CHECK bool store_webhook_sealed(struct store *store, const char *account, const char *id,
                                     struct buf *ret_sealed, struct err *err);
/* A receiver wants nothing any more. */
MUST_CHECK bool store_webhook_disable(struct store *store, const char *id, const char *reason,
                                      struct err *err);

/* id, state, before NULL = any. A new reference. */
MUST_CHECK bool store_webhook_deliveries(struct store *store, const char *account,
                                         const char *endpoint, const char *id, const char *state,
                                         const char *before, int limit, json_t **ret_list,
                                         struct err *err);
/* *ret_found is false when there is none that is not on its way. */
MUST_CHECK bool store_webhook_redeliver(struct store *store, const char *account,
                                        const char *endpoint, const char *id, bool *ret_found,
                                        struct err *err);

struct store_notice {
    const char *id, *endpoint, *type, *alert, *job, *body; /* alert and job may be NULL */
    int attempts_max;                                      /* 0 = the schedule's */
};
/* *ret_sent is false when the endpoint is gone. */
MUST_CHECK bool store_webhook_send(struct store *store, const struct store_notice *notice,
                                   bool *ret_sent, struct err *err);

/* Ids of the endpoints that take a type of event; `contacts` (array of ids; NULL or empty = none
 * named) narrows. A new reference. */
MUST_CHECK bool store_webhook_targets(struct store *store, const char *account, const char *type,
                                      const json_t *contacts, json_t **ret_ids, struct err *err);

/* In a transaction: events that are to be sent, taken from the outbox. A new reference. */
MUST_CHECK bool store_webhook_outbox(struct store *store, int limit, json_t **ret_events,
                                     struct err *err);
/* In a transaction: what Alertmanagers are to be told now. A new reference. */
MUST_CHECK bool store_webhook_pushes(struct store *store, int every_seconds, json_t **ret_pushes,
                                     struct err *err);

struct store_delivery {
    char id[STORE_ID_SIZE], endpoint[STORE_ID_SIZE], type[64], kind[16];
    char *url, *body; /* owned */
    int attempts, attempts_max, timeout_ms;
    struct buf sealed; /* owned */
};
void store_delivery_done(struct store_delivery *d);

/* Take what is due, at most `limit`, at most `each` of an endpoint in flight. */
MUST_CHECK bool store_webhook_claim(struct store *store, int limit, int each,
                                    struct store_delivery *ret, int *ret_count, struct err *err);

struct store_attempt {
    const char *delivery, *error, *answer, *state; /* error, answer may be NULL */
    int number, duration_ms, status;               /* status 0 = no answer */
    int64_t next_in_ms;
};
MUST_CHECK bool store_webhook_note(struct store *store, const struct store_attempt *attempt,
                                   struct err *err);
