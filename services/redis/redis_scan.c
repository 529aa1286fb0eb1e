#include "services/redis/redis_scan.h"

#include <string.h>

bool redis_scan_move(char cursor[REDIS_SCAN_CURSOR_SIZE], const struct resp_value *said) {
    if (said->type != RESP_BULK || said->str.len == 0 || said->str.len >= REDIS_SCAN_CURSOR_SIZE)
        return false;
    memcpy(cursor, said->str.ptr, said->str.len);
    cursor[said->str.len] = '\0';
    return true;
}

bool redis_scan_reply(const struct resp_value *reply, char cursor[REDIS_SCAN_CURSOR_SIZE],
                      const struct resp_value **ret_keys) {
    if (reply->type != RESP_ARRAY || reply->count != 2 || reply->items[1].type != RESP_ARRAY ||
        !redis_scan_move(cursor, &reply->items[0]))
        return false;
    *ret_keys = &reply->items[1];
    return true;
}

bool redis_scan_step(struct redis_client *client, struct arena *arena,
                     char cursor[REDIS_SCAN_CURSOR_SIZE], const char *match, const char *count,
                     const char *doing, const struct resp_value **ret_keys, struct err *err) {
    const struct str argv[] = {STR_LIT("SCAN"), str_from(cursor), STR_LIT("COUNT"),
                               str_from(count), STR_LIT("MATCH"), str_from(match)};
    const struct resp_value *reply;

    return redis_client_command(client, match ? 6 : 4, argv, arena, &reply, err) &&
           (redis_scan_reply(reply, cursor, ret_keys) ||
            redis_client_unexpected(client, reply, doing, err));
}
