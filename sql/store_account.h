/* store_account.h - tenants: their rows, what they may have and what they have. */
#pragma once

#include <jansson.h>

#include "sql/store.h"

/* Make an account, or leave the one of that id as it is. The first one is the operator's.
 * `quotas` NULL = no limits. */
MUST_CHECK bool store_account_put(struct store *store, const char *id, const char *name,
                                  const json_t *quotas, struct err *err);

/* The oldest account: what `keyferry up` made on its first start. *ret_id is "" when
 * there is none. */
MUST_CHECK bool store_account_first(struct store *store, char ret_id[STORE_ID_SIZE],
                                    struct err *err);

/* As the API shows them, `version` beside; id NULL = all that are not closed, before NULL = from
 * the newest. A new reference. */
MUST_CHECK bool store_account_list(struct store *store, const char *id, const char *before,
                                   int limit, json_t **ret_list, struct err *err);

/* What may change; NULL leaves. */
struct store_account_edit {
    const char *name, *status;
    const json_t *quotas;
};

/* *ret_written is false when the version is another by now. */
MUST_CHECK bool store_account_change(struct store *store, const char *id, int64_t version,
                                     const struct store_account_edit *edit, bool *ret_written,
                                     struct err *err);

/* What keeps an account from being closed: jobs that are not released, and instances. */
MUST_CHECK bool store_account_in_use(struct store *store, const char *id, int64_t *ret_jobs,
                                     int64_t *ret_instances, struct err *err);

/* {"jobs": {"limit": n|null, "used": n}, …}; `name` NULL = all, else that one, and only where it
 * has a limit. A new reference; NULL when there is nothing to tell. */
MUST_CHECK bool store_account_usage(struct store *store, const char *id, const char *name,
                                    json_t **ret_usage, struct err *err);

/* In a transaction, before one more of `name` is made: is there room for it? Others of the same
 * account wait until the transaction is over. Errors: QUOTA. */
MUST_CHECK bool store_account_room(struct store *store, const char *id, const char *name,
                                   struct err *err);
