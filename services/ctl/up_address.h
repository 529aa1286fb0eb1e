/* up_address.h - the address `keyferry up` is asked to listen on. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"

/* Could somebody listen on "host:port" now? Errors: CONFIG names the address. */
MUST_CHECK bool up_address_free(const char *host_port, struct err *err);

/* The URL a client on this machine uses for it: any-addresses become loopback.
 * Pure. Errors: CONFIG, TOO_BIG. */
MUST_CHECK bool up_address_url(const char *host_port, char *dst, size_t dst_size, struct err *err);
