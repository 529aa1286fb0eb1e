/* auth.h - who is calling: `Authorization: Bearer kf_…`. */
#pragma once

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "sql/store.h"
#include "web-api/route.h"

/* Find the caller and see that its key reaches `needed`. The same answer, and the
 * same work, for a key that does not exist and one whose secret part is wrong.
 * Errors: UNAUTHORIZED, FORBIDDEN (names both scopes, or the address it came from), STORE. */
MUST_CHECK bool auth_check(struct store *store, const struct request *r, enum scope needed,
                           struct caller *ret_caller, struct err *err);

/* The widest scope of a key's list: "read operate", "admin". Pure. */
enum scope auth_scope(struct str scopes);
const char *auth_scope_name(enum scope scope);
