/* redis_hello.h - product and version of a server that does not let us ask INFO. */
#pragma once

#include "services/redis/redis_client.h"

/* Ask HELLO, which every account may that may log in (6.0; it changes nothing), and fill what
 * *info does not know of product and version. A server that refuses leaves it as it is.
 * Errors: of redis_client_call. */
MUST_CHECK bool redis_hello_ask(struct redis_client *client, struct redis_info *info,
                                struct err *err);
