/* listener.h - a listening TCP socket from "HOST:PORT". */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"

/* "127.0.0.1:8080", "[::1]:8080", "name:8080", ":8080" for every address. Port 0
 * lets the system pick; *ret_port is the one it is. The descriptor is close-on-exec
 * and the caller's.
 * Errors: CONFIG (no such address), IO (it cannot be bound). */
MUST_CHECK bool listener_open(const char *address, int *ret_fd, uint16_t *ret_port,
                              struct err *err);
