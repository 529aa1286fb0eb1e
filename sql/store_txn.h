/* store_txn.h - run a transaction, again when the server asks for it.
 *
 * The body may run several times (SQLSTATE 40001 and 40P01, at most eight times), so
 * it changes nothing but the database and values it sets anew each time. A body that
 * returns false rolls back. Inside a body store_txn() joins the outer transaction.
 *
 * When the connection breaks at COMMIT the outcome is unknown: the error is STORE,
 * store_commit_unknown() is true, and who cares reads again.
 */
#pragma once

#include "sql/store.h"

typedef bool store_txn_body(struct store *store, void *arg, struct err *err);

MUST_CHECK bool store_txn(struct store *store, store_txn_body *body, void *arg, struct err *err);

/* Inside a body: wait until no other transaction holds this name; held until the end
 * of the transaction. */
MUST_CHECK bool store_txn_lock(struct store *store, const char *name, struct err *err);
