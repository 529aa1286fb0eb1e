#include "services/redis/redis_hello.h"

#include <stdio.h>

#define VALKEY_COMPAT "7.2.4" /* what every Valkey says as its redis_version */

static struct str field(const struct resp_value *reply, const char *name) {
    for (size_t i = 0; i + 1 < reply->count; i += 2) {
        if (reply->items[i].type == RESP_BULK && str_equal(reply->items[i].str, str_from(name)) &&
            reply->items[i + 1].type == RESP_BULK)
            return reply->items[i + 1].str;
    }
    return STR_EMPTY;
}

bool redis_hello_ask(struct redis_client *client, struct redis_info *info, struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    bool ok = true;

    if (info->version_number != 0)
        return true;
    ok = redis_client_call(client, &arena, &reply, err, "HELLO", NULL);
    if (ok && reply->type == RESP_ARRAY) {
        struct str server = field(reply, "server"),
                   version = str_first(field(reply, "version"), 32);
        char text[128];

        if (str_equal(server, STR_LIT("valkey")))
            snprintf(text, sizeof(text),
                     "server_name:valkey\r\nredis_version:" VALKEY_COMPAT
                     "\r\nvalkey_version:" STR_FMT "\r\n",
                     STR_ARG(version));
        else
            snprintf(text, sizeof(text), "redis_version:" STR_FMT "\r\n", STR_ARG(version));
        if (version.len > 0)
            redis_info_parse(str_from(text), info);
    }
    arena_done(&arena);
    return ok;
}
