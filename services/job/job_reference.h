/* job_reference.h - ends that are named by an instance instead of an address.
 *
 * {"instance_id"} is one of the account's own; {"account_id", "role_name", "instance_id",
 * "external_id"?} another account's, by a role of it. A request's reference becomes
 *   {"resolved": {how it is reached, as endpoint_to_json()}, "reference": {what it said}}
 * which job_spec_read() takes, and a specification keeps the reference beside the address. It
 * never holds the instance's credentials: a worker fetches them before each connect.
 *
 * Not pure: it asks the control database.
 */
#pragma once

#include <jansson.h>

#include "proto/base/err.h"
#include "sql/store.h"

/* Replace the references of `body`'s ends, in place. What is wrong is added to *errors (made when
 * needed) as [{pointer, code, detail}]. Members `resolved` and `reference` are refused: they are
 * ours.
 * Errors: VALIDATION (errors has it), ROLE_NOT_TRUSTED, STORE. */
MUST_CHECK bool job_reference_resolve(struct store *store, const char *account, json_t *body,
                                      json_t **errors, struct err *err);

/* The same for one reference at `pointer`; what names no instance stays as it is. */
MUST_CHECK bool job_reference_resolve_one(struct store *store, const char *account,
                                          json_t *reference, const char *pointer, json_t **errors,
                                          struct err *err);

/* Do the roles that a canonical specification names allow what it wants? What it says about
 * databases and destination counts too.
 * Errors: ROLE_NOT_TRUSTED, ROLE_PERMISSION, STORE. */
MUST_CHECK bool job_reference_check(struct store *store, const char *account, const json_t *spec,
                                    struct err *err);

struct job_spec;

/* Read a request whose ends may be references: job_spec_read() of it resolved, and checked. `body`
 * stays as it is. *errors is a new reference where something is wrong, else NULL; `ret` is yours to
 * job_spec_done() also on false.
 * Errors: as job_spec_read() and job_reference_check(). */
MUST_CHECK bool job_reference_read(struct store *store, const char *account, const json_t *body,
                                   struct job_spec *ret, json_t **errors, struct err *err);

/* The reference of one end of a canonical specification; NULL when it has none. Borrowed. */
const json_t *job_reference_of(const json_t *spec, const char *end);

/* Is it by a role of another account? */
bool job_reference_is_shared(const json_t *reference);
