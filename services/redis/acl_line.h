/* acl_line.h - the rights an account of ours needs on a server, as ACL rules.
 *
 * Pure: role, way of reading and version in, rules out. acl_rules.def has a row per
 * rule with the reason; a test makes exactly this account on servers of every version
 * and migrates with it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/err.h"

enum acl_role { ACL_SOURCE = 1, ACL_DESTINATION = 2 };

/* Beside the role: the server is a member of a cluster. */
enum { ACL_OF_CLUSTER = 4 };

/* How the source is read; of a destination it does not matter. SYNC, for a server that hides
 * PSYNC, is no part of auto: it would be a right that hardly anybody needs. */
enum acl_reading { ACL_PSYNC = 1, ACL_SCAN = 2, ACL_AUTO = ACL_PSYNC | ACL_SCAN, ACL_SYNC = 8 };

struct acl_rule {
    unsigned roles, readings; /* masks; ACL_OF_CLUSTER: only of one; ACL_ONLY_PSYNC: not with auto,
                                 which may SCAN */
    uint32_t since, until;    /* versions as redis_version_parse() gives them; 0 = no end */
    const char *rule;         /* "+psync" */
    const char *why;
};

/* Servers from this version on have accounts. */
enum { ACL_SINCE = 60000 };

extern const struct acl_rule acl_rules[];
extern const size_t acl_rule_count;

/* Does a row belong to the account? `role` is one of enum acl_role, with ACL_OF_CLUSTER or without;
 * version 0 = the newest, of which product is not known. */
bool acl_line_has(const struct acl_rule *rule, unsigned role, enum acl_reading reading,
                  uint32_t version);

/* "ACL SETUSER user reset on >PASSWORD …": PASSWORD stands for the secret.
 * Errors: TOO_BIG (of out). */
MUST_CHECK bool acl_line_format(const char *user, unsigned role, enum acl_reading reading,
                                uint32_t version, struct buf *out, struct err *err);
