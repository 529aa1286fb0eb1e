/* store_role.h - roles between accounts, and the sessions that were opened by them. What a role
 * allows is judged in services/job/role_judge.h. */
#pragma once

#include <jansson.h>

#include "sql/store.h"

/* Roles of an account as the API shows them, `version` beside; id, name and before NULL = any. A
 * new reference. */
MUST_CHECK bool store_role_list(struct store *store, const char *account, const char *id,
                                const char *name, const char *before, int limit, json_t **ret_list,
                                struct err *err);

enum { STORE_ROLE_LIST_MAX = 256 };

struct store_role {
    const char *id, *account, *name, *external_id; /* external_id NULL = none */
    int64_t version;                               /* 0 = a new one */
    const char *const *trusted, *const *instances, *const *permissions;
    size_t trusted_count, instance_count, permission_count;
    const char *const *databases, *const *prefixes, *const *destinations; /* NULL = all */
    size_t database_count, prefix_count, destination_count;
    int64_t not_before_ms, not_after_ms, max_session_seconds;
    int64_t max_rps, max_bytes_per_second; /* 0 = no limit */
    bool is_enabled;
};

/* *ret_written is false when there is none of that version. Errors: STORE_CONFLICT (the account
 * has one of that name). */
MUST_CHECK bool store_role_put(struct store *store, const struct store_role *role,
                               bool *ret_written, struct err *err);
MUST_CHECK bool store_role_delete(struct store *store, const char *account, const char *id,
                                  int64_t version, bool *ret_written, struct err *err);

/* A role as role_judge() reads it, and how to log in at the instance, when the role is about it:
 * *ret_endpoint is NULL otherwise. *ret_role is NULL when there is no such role. New references;
 * *ret_sealed is given empty. */
MUST_CHECK bool store_role_find(struct store *store, const char *owner, const char *name,
                                const char *instance, json_t **ret_role, json_t **ret_endpoint,
                                struct buf *ret_sealed, struct err *err);

/* How many jobs share what the role lets through at that instance, this one among them. */
MUST_CHECK bool store_role_sharers(struct store *store, const char *role, const char *instance,
                                   const char *job, int64_t *ret_count, struct err *err);

struct store_role_session {
    const char *id, *role, *owner, *account, *job, *end, *instance, *worker;
    int64_t role_version, lease_epoch, seconds;
};

/* With a row on both sides' audit. */
MUST_CHECK bool store_role_session_open(struct store *store,
                                        const struct store_role_session *session, struct err *err);

/* Those of a role, of a job, or both (NULL = any), with a row on both sides' audit. */
MUST_CHECK bool store_role_session_close(struct store *store, const char *role, const char *job,
                                         const char *actor, const char *reason, struct err *err);

/* The role still lets the job in; *ret_revoked says that somebody closed a session of this lease.
 */
MUST_CHECK bool store_role_session_renew(struct store *store, const char *job, const char *end,
                                         int64_t lease_epoch, int64_t seconds, bool *ret_revoked,
                                         struct err *err);

MUST_CHECK bool store_role_session_list(struct store *store, const char *owner, const char *role,
                                        const char *before, int limit, const char *job,
                                        json_t **ret_list, struct err *err);

/* Instances that others let an account use. */
MUST_CHECK bool store_role_shared(struct store *store, const char *account, const char *owner,
                                  const char *name, const char *after, int limit, json_t **ret_list,
                                  struct err *err);

/* Whose a job or a precheck is. Errors: NOT_FOUND. */
MUST_CHECK bool store_role_user(struct store *store, const char *job,
                                char ret_account[STORE_ID_SIZE], struct err *err);
