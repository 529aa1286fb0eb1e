/* postgres_setup.h - the steps of private_postgres_prepare(), in their order.
 *
 * Used by private_postgres.c only; apart from it because finding, choosing and
 * making are another idea than running. Each fills its part of the struct.
 */
#pragma once

#include "services/ctl/private_postgres.h"

/* Nothing of our environment reaches the server: PG* variables would change it. */
extern const char *const postgres_setup_environment[];

/* uid, gid, become_user: the owner of an existing cluster; else, as root,
 * `postgres` or `nobody`; else ourselves. Errors: CONFIG. */
MUST_CHECK bool postgres_setup_user(struct private_postgres *pg, struct err *err);

/* bin_dir: `wanted` when not NULL, else the newest that the distribution has, or
 * the one that fits an existing cluster. Errors: CONFIG. */
MUST_CHECK bool postgres_setup_binaries(struct private_postgres *pg, const char *wanted,
                                        struct err *err);

/* What a socket directory outside DIR is called: this, the user's id, a hash. */
#define POSTGRES_SETUP_SHORT "/tmp/keyferry-"

/* socket_dir, url, and the directories. A socket path that would pass 107 bytes
 * moves to a directory of its own below /tmp. Errors: CONFIG, IO. */
MUST_CHECK bool postgres_setup_directories(struct private_postgres *pg, struct err *err);

/* The cluster, unless it is there, and the two access files. Errors: CONFIG, IO. */
MUST_CHECK bool postgres_setup_cluster(struct private_postgres *pg, struct err *err);
