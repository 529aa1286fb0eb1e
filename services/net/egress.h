/* egress.h - which addresses this service may dial.
 *
 * Users name the hosts we connect to, so a name must not become a way into the
 * network of whoever runs the service. The address that was resolved is checked,
 * and that very address is connected to: a second look-up could answer otherwise.
 *
 * Always refused: multicast, 0.0.0.0/8, ::, link-local 169.254/16 and the metadata services of the
 * clouds, also inside IPv4-mapped, NAT64 and 6to4 addresses. Beyond that:
 * KEYFERRY_EGRESS_DENY refuses, then KEYFERRY_EGRESS_ALLOW, when it names blocks, must
 * contain the address. Without blocks everything else is allowed but this machine itself:
 * loopback and the addresses of its interfaces are refused unless a block of the list contains
 * them or it holds the word `loopback`, which `keyferry up` sets: a service for oneself
 * migrates what is on the same machine. The port of the control database is never
 * dialled. Lists are CIDR blocks or addresses, separated by commas or blanks.
 *
 * Unix sockets are refused unless KEYFERRY_EGRESS_ALLOW holds the word `unix`, which says
 * nothing about addresses: a path may lead to what only the service's own user can reach.
 *
 * Source: the OWASP cheat sheet on server-side request forgery.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "proto/base/err.h"
#include "proto/base/str.h"

enum { EGRESS_RULES_MAX = 256, EGRESS_LOCAL_MAX = 64 };

/* By this name a supervisor tells its children "<address>,<port>" of the control database. */
#define EGRESS_OWN_NAME "KF_OWN_DATABASE"

/* A block of addresses; IPv4 is held as ::ffff:a.b.c.d. */
struct egress_rule {
    uint8_t address[16];
    uint8_t bits; /* of the 128 */
};

struct egress {
    struct egress_rule allow[EGRESS_RULES_MAX], deny[EGRESS_RULES_MAX];
    uint32_t allow_count, deny_count; /* no allow rule = no restriction */
    bool allow_unix, allow_loopback;
    struct egress_rule local[EGRESS_LOCAL_MAX]; /* addresses of this machine's interfaces */
    uint32_t local_count;
    uint8_t own_address[16]; /* of the control database; own_port 0 = it has none */
    uint16_t own_port;
};

/* Pure. Errors: CONFIG quotes the word that is wrong. */
MUST_CHECK bool egress_parse(struct str allow, struct str deny, struct egress *ret,
                             struct err *err);

/* Pure. One block or address. Errors: CONFIG quotes it. */
MUST_CHECK bool egress_parse_block(struct str text, struct egress_rule *ret, struct err *err);

/* Pure. Does a list of blocks hold the address (IPv4 or IPv6 as text)? An address or block
 * that is none holds nothing. */
bool egress_list_holds(struct str list, const char *address);

/* Pure. This is the control database: never dialled, on this machine by no address. False when
 * `address` is none. */
bool egress_own(struct egress *policy, const char *address, uint16_t port);

/* Pure. May `address` (AF_INET, AF_INET6 or AF_UNIX) be dialled? */
bool egress_permits(const struct egress *policy, const struct sockaddr *address);

/* The policy of this process: read from the environment at the first call, the
 * same afterwards. A main function calls it once so that a wrong value stops the
 * process; several threads may call it. Errors: CONFIG. */
MUST_CHECK bool egress_of_process(const struct egress **ret, struct err *err);
