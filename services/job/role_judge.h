/* role_judge.h - may this account do that at this instance by this role?
 *
 * Pure on jansson: the role as store_role_find() reads it, and what is wanted. Asked when a job is
 * saved, checked and started, at each connect, and every few seconds while it runs.
 *
 * Permissions: instance.describe (see name and address), instance.test (look at it), data.read,
 * data.replicate (follow changes), data.heartbeat (write the heartbeat key), data.write (as a
 * destination).
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"

/* Blanks between. */
extern const char role_judge_permissions[];

/* Is it one of them? */
bool role_judge_knows(const char *permission);

struct role_use {
    const char *account;     /* who asks */
    const char *owner;       /* whose role */
    const char *role_name;   /* how it was named */
    const char *external_id; /* NULL = none was said */
    const char *instance;
    const char *permissions[8]; /* what is needed; NULL ends them */
    /* What is to be read; NULL = nothing is known yet, or it is written to. */
    const json_t *databases;   /* objects.databases of a specification; json null = all */
    char destination_key[300]; /* host:port in lower case; "" = nothing is known yet */
    const char *destination_instance;
};

/* Fill `permissions` with what a specification does at that end ("source" or "destination"), and
 * the rest with what it says. Members borrow from `spec`. */
void role_judge_use(const json_t *spec, const char *end, struct role_use *use);

/* endpoint_server() of what endpoint_to_json() wrote: what instances and destinations are
 * known by. "" when it has none. */
void role_judge_address(const json_t *endpoint, char dst[300]);

/* `role` NULL = there is none; `has_instance`: the instance is its owner's and the role is about
 * it.
 * Errors: ROLE_NOT_TRUSTED, the same whether there is no such account, role or instance, the
 * account is not trusted, the external id is another or the role is switched off: who is not let
 * in learns nothing. ROLE_PERMISSION names what a role that trusts the account does not allow. */
MUST_CHECK bool role_judge(const json_t *role, bool has_instance, const struct role_use *use,
                           struct err *err);
