/* redis_scan.h - walking what a server holds with SCAN, a step at a time.
 *
 * A cursor begins as "0", and the walk is over when it is "0" again. The server chooses it; it is
 * a number of at most 20 digits.
 */
#pragma once

#include "services/redis/redis_client.h"

enum { REDIS_SCAN_CURSOR_SIZE = 24 };

/* Move the cursor to what a server said. False when that is none; the cursor stays. Pure. */
bool redis_scan_move(char cursor[REDIS_SCAN_CURSOR_SIZE], const struct resp_value *said);

/* Take apart what SCAN answered: *ret_keys are the keys of the step, the cursor moves. False when
 * it answered something else. Pure. */
bool redis_scan_reply(const struct resp_value *reply, char cursor[REDIS_SCAN_CURSOR_SIZE],
                      const struct resp_value **ret_keys);

/* One step in the selected database: `match` may be NULL, `count` is how many keys to look at.
 * *ret_keys is an array in `arena`. `doing` is for the story of a failure.
 * Errors: as redis_client_command and redis_client_unexpected. */
MUST_CHECK bool redis_scan_step(struct redis_client *client, struct arena *arena,
                                char cursor[REDIS_SCAN_CURSOR_SIZE], const char *match,
                                const char *count, const char *doing,
                                const struct resp_value **ret_keys, struct err *err);

static inline bool redis_scan_is_over(const char cursor[REDIS_SCAN_CURSOR_SIZE]) {
    return cursor[0] == '0' && cursor[1] == '\0';
}
