/* store_instance.h - registered servers, and what a worker is asked to do with one. */
#pragma once

#include <jansson.h>

#include "sql/store.h"

/* As the API shows them, `version` beside; id, before and name_part NULL = any. A new reference. */
MUST_CHECK bool store_instance_list(struct store *store, const char *account, const char *id,
                                    const char *before, int limit, const char *name_part,
                                    json_t **ret_list, struct err *err);

struct store_instance {
    const char *id, *account, *name;
    int64_t version;        /* of a change: the row must be at this one */
    const json_t *details;  /* what its owner says about it */
    const json_t *endpoint; /* of a change: NULL leaves it, its address and credentials */
    const char *address;    /* host:port in lower case */
    struct str sealed;      /* bound to "instance:<id>"; empty = no credentials */
};

MUST_CHECK bool store_instance_insert(struct store *store, const struct store_instance *row,
                                      struct err *err);

/* Each: *ret_written is false when there is no such row of that version. */
MUST_CHECK bool store_instance_change(struct store *store, const struct store_instance *row,
                                      bool *ret_written, struct err *err);
MUST_CHECK bool store_instance_delete(struct store *store, const char *account, const char *id,
                                      int64_t version, bool *ret_written, struct err *err);
MUST_CHECK bool store_instance_live(struct store *store, const char *account, const char *id,
                                    int64_t version, bool is_live, const char *reason,
                                    bool *ret_written, struct err *err);

/* Also false when something is open already. `sealed` and `endpoint` (NULL = as it is) are what
 * a rotation tries. */
MUST_CHECK bool store_instance_ask(struct store *store, const char *account, const char *id,
                                   int64_t version, const char *work, struct str sealed,
                                   const json_t *endpoint, bool *ret_written, struct err *err);

/* Is the server at that address in use by applications, whoever said so? *ret_id is "" when not. */
MUST_CHECK bool store_instance_live_at(struct store *store, const char *address,
                                       char ret_id[STORE_ID_SIZE], struct err *err);

/* How to log in there now. *ret_endpoint is a new reference; *ret_sealed (given empty) is opened
 * with "instance:<id>". Errors: NOT_FOUND. */
MUST_CHECK bool store_instance_login(struct store *store, const char *account, const char *id,
                                     json_t **ret_endpoint, struct buf *ret_sealed,
                                     struct err *err);

/* A job that uses it and has not ended; "" when there is none. */
MUST_CHECK bool store_instance_user(struct store *store, const char *id,
                                    char ret_job[STORE_ID_SIZE], struct err *err);

/* ---- for workers ---- */

struct store_instance_work {
    char id[STORE_ID_SIZE];
    char work[16];     /* "rotate" or "discover" */
    json_t *endpoint;  /* owned */
    struct buf sealed; /* owned */
};

void store_instance_work_done(struct store_instance_work *work);

MUST_CHECK bool store_instance_claim(struct store *store, const char *worker, int seconds,
                                     struct store_instance_work *ret, bool *ret_found,
                                     struct err *err);

/* `why` NULL: it went well. Safe to repeat. With a row on the account's audit. */
MUST_CHECK bool store_instance_finish(struct store *store, const char *id, const char *worker,
                                      const json_t *facts, const struct err *why, struct err *err);
