/* look.h - log in at one server and say what it is: for registered instances. */
#pragma once

#include "proto/base/attrs.h"

/* The child `look`. Its first message is {"type":"spec", "endpoint":ENDPOINT}; it asks for the
 * credentials of "source" and sends {"type":"facts", "facts":{"product", "version", "topology",
 * "role", "databases":[{"number", "keys", "expires"}], "keys", "used_memory_bytes",
 * "maxmemory_bytes", "maxmemory_policy", "round_trip_us"}} with null for what the server does not
 * tell, or an error. Writes nothing. Returns the exit status. */
MUST_CHECK int look_child_main(int socket_fd);
