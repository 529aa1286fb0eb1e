/* endpoint_rules.h - what a single field of an endpoint may be.
 *
 * Pure. Shared by the URL and the JSON reader so that both take the same; not for
 * use outside of endpoint*.c.
 */
#pragma once

#include "services/net/endpoint.h"

enum { ENDPOINT_HOST_MAX = 253, ENDPOINT_DATABASE_MAX = 255 };

/* Errors of all: VALIDATION. None quotes what was given. */
MUST_CHECK bool endpoint_set_host(struct endpoint *ep, struct str host, struct err *err);
MUST_CHECK bool endpoint_set_username(struct endpoint *ep, struct str name, struct err *err);
MUST_CHECK bool endpoint_check_password(struct str password, struct err *err);

/* "host[:port]" or "[address]:port" into ep->host and ep->port. */
MUST_CHECK bool endpoint_parse_host_port(struct str text, struct endpoint *ep, struct err *err);

/* The same, several with commas between; each has ep->port when it names none. */
MUST_CHECK bool endpoint_parse_addresses(struct str text, struct endpoint *ep, struct err *err);

/* One more behind the first. */
MUST_CHECK bool endpoint_add_address(struct endpoint *ep, struct str host, uint16_t port,
                                     struct err *err);

/* How Sentinels call the server: letters, digits, '.', '_' and '-'. */
MUST_CHECK bool endpoint_set_sentinel_master(struct endpoint *ep, struct str name, struct err *err);

/* "host:port,host:port", as far as there is room. */
void endpoint_show_addresses(const struct endpoint *ep, char *dst, size_t size);

enum { ENDPOINT_SENTINEL_PORT = 26379 };

/* Takes the path of a unix socket, too: what begins with a slash. */
MUST_CHECK bool endpoint_set_server(struct endpoint *ep, struct str host_or_path, struct err *err);

/* The name of a snapshot below the import directory: parts between single slashes, none
 * of them empty, "." or "..". */
MUST_CHECK bool endpoint_set_file(struct endpoint *ep, struct str name, struct err *err);

/* Fill ep->label from the other fields. */
void endpoint_make_label(struct endpoint *ep);
