/* store_idempotency.h - answers that are given again: Idempotency-Key.
 *
 * Begin, the effect and finish belong into ONE store_txn(): either all of it is there
 * or nothing, so a crash between them can neither lose an accepted call nor do it
 * twice, and no row says "in progress" for a process that is gone. Another request
 * with the same key that runs at this moment is seen by a lock of its transaction.
 * Answers are kept for 24 hours.
 */
#pragma once

#include <jansson.h>

#include "sql/store.h"

enum store_idempotency_verdict {
    STORE_IDEMPOTENCY_NEW,       /* do it, then call finish */
    STORE_IDEMPOTENCY_REPLAY,    /* *ret_answer is what was answered */
    STORE_IDEMPOTENCY_CONFLICT,  /* the key was used for another request */
    STORE_IDEMPOTENCY_IN_FLIGHT, /* the first one is still running */
};

struct store_answer {
    int status;
    json_t *headers; /* object name -> value; NULL = none */
    json_t *body;    /* NULL = none */
};

void store_answer_done(struct store_answer *answer);

enum { STORE_REQUEST_HASH_SIZE = 80 };

/* `request` is "POST /v1/jobs", `hashes` are what the request may have been kept under (a keyed
 * SHA-256 of its body, by each key that there is). Inside a store_txn() body. */
MUST_CHECK bool store_idempotency_begin(struct store *store, const char *account, const char *key,
                                        const char *request, char hashes[][STORE_REQUEST_HASH_SIZE],
                                        size_t hash_count,
                                        enum store_idempotency_verdict *ret_verdict,
                                        struct store_answer *ret_answer, struct err *err);

/* Keep the answer. Inside the same transaction. Do not keep answers of failures that a
 * retry may cure (5xx): roll back instead. */
MUST_CHECK bool store_idempotency_finish(struct store *store, const char *account, const char *key,
                                         const char *request, const char *request_hash,
                                         const struct store_answer *answer, struct err *err);
