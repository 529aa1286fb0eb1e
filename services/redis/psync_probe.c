#include "services/redis/psync_probe.h"

#include <string.h>

#define NO_REPLICATION_ID "0000000000000000000000000000000000000000"

/* 6.0 has rights but no FAILOVER branch: inside MULTI the command is only queued. (7.0 refuses it
 * there before it looks at rights.) Whose account may not MULTI must not get that far: the PSYNC
 * would be meant. *ret then stays what it was. */
static bool before_62(struct redis_client *client, struct arena *arena,
                      const struct resp_value **ret, struct err *err) {
    const struct resp_value *reply;

    if (!redis_client_call(client, arena, &reply, err, "MULTI", NULL))
        return false;
    return !resp_value_is(reply, "OK") ||
           (redis_client_call(client, arena, ret, err, "PSYNC", "?", "-1", NULL) &&
            redis_client_call(client, arena, &reply, err, "DISCARD", NULL));
}

bool psync_probe_is_silent(const struct resp_value *reply) {
    return reply->type == RESP_ERROR &&
           memmem(reply->str.ptr, reply->str.len, "number of arguments", 19) != NULL;
}

/* From 6.2 on PSYNC with FAILOVER is refused by a primary and by a replica each in its
 * words, after the account's rights were looked at and before anything is started.
 * Older servers refuse the third argument before they look at rights. */
bool psync_probe(struct redis_client *client, struct arena *arena, const struct resp_value **ret,
                 struct err *err) {
    if (!redis_client_call(client, arena, ret, err, "PSYNC", NO_REPLICATION_ID, "1", "FAILOVER",
                           NULL))
        return false;
    return !psync_probe_is_silent(*ret) || before_62(client, arena, ret, err);
}

bool psync_probe_beside(struct redis_client *client, struct arena *arena,
                        const struct resp_value **ret, const char **ret_word, struct err *err) {
    static const char *const words[][3] = {
        {"PING", NULL, NULL},
        {"REPLCONF", "listening-port", "0"},
        {"REPLCONF", "capa", "psync2"},
    };

    *ret = NULL;
    *ret_word = NULL;
    for (size_t i = 0; i < LENGTH_OF(words); i++) {
        const struct resp_value *reply;

        if (!redis_client_call(client, arena, &reply, err, words[i][0], words[i][1], words[i][2],
                               NULL))
            return false;
        if (!psync_probe_is_refusal(reply))
            continue; /* a replica's other complaints do not concern rights */
        *ret = reply;
        *ret_word = words[i][0];
        return true;
    }
    return true;
}

/* SYNC takes no argument: given one, every server that knows it complains of that, before it
 * looks at anything else. */
bool psync_probe_sync(struct redis_client *client, struct arena *arena, bool *ret_known,
                      struct err *err) {
    const struct resp_value *reply;

    if (!redis_client_call(client, arena, &reply, err, "SYNC", "?", NULL))
        return false;
    *ret_known = reply->type == RESP_ERROR &&
                 memmem(reply->str.ptr, reply->str.len, "number of arguments", 19);
    return true;
}

bool psync_probe_is_unknown(const struct resp_value *reply) {
    return reply->type == RESP_ERROR && resp_error_class(reply->str) == RESP_ERROR_UNKNOWN_COMMAND;
}

bool psync_probe_is_refusal(const struct resp_value *reply) {
    enum resp_error class;

    if (reply->type != RESP_ERROR)
        return false;
    class = resp_error_class(reply->str);
    return class == RESP_ERROR_NOPERM || class == RESP_ERROR_UNKNOWN_COMMAND;
}
