/* stream_limit.h - how many streams of events are open, in all and of one account.
 *
 * A stream holds its connection and thread for as long as its client likes, and nothing cuts it:
 * streams therefore never have all the connections, nor one account all the streams. Callable from
 * any thread.
 */
#pragma once

#include "proto/base/err.h"

struct stream_limit;

/* A half of the connections may be streams, a quarter of those one account's; of each at least one.
 */
struct stream_limit *stream_limit_new(unsigned connections_max);
void stream_limit_free(struct stream_limit *limit);

/* Take a place. Errors: TOO_MANY_STREAMS. */
MUST_CHECK bool stream_limit_take(struct stream_limit *limit, const char *account, struct err *err);

/* Give the place of that account back. */
void stream_limit_give(struct stream_limit *limit, const char *account);
