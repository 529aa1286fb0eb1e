/* source_address.h - which addresses connections of this machine come from.
 *
 * Not pure: the kernel is asked which source it would put on packets to some remote place; nothing
 * is sent. What happens behind this machine (NAT, a proxy) only who runs it knows:
 * KEYFERRY_EGRESS_ADDRESSES.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "proto/base/err.h"
#include "proto/base/str.h"

enum { SOURCE_ADDRESS_MAX = 64 };

/* The source for connections to `remote`, an IPv4 or IPv6 address as text. False when there is no
 * way to it, or the source is good on this machine or link only. */
bool source_address_towards(const char *remote, char dst[48]);

/* The sources for public addresses and for each block of private ones, IPv4 and IPv6, each once:
 * an array of texts, a new reference. */
json_t *source_address_list(void);

/* Addresses or CIDR blocks with commas or blanks between, as they were written: an array of texts,
 * a new reference. Pure. Errors: CONFIG quotes the word that is wrong, or there are too many. */
MUST_CHECK bool source_address_parse(struct str list, json_t **ret, struct err *err);
