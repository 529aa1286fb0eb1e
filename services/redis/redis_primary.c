#include "services/redis/redis_primary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/common/clock.h"

enum { LEAST_MS = 250 }; /* an address is given at least so long */

static enum err_code not_ready(enum redis_side side) {
    return side == REDIS_SOURCE ? ERR_SOURCE_BUSY : ERR_DEST_BUSY;
}

static int64_t share(int64_t until_ms, size_t parts) {
    int64_t left = (until_ms - clock_mono_ms()) / (int64_t)parts;

    return left > LEAST_MS ? left : LEAST_MS;
}

/* `ep` with one address, and nothing more to be found. */
static struct endpoint only(const struct endpoint *ep, const char *host, uint16_t port) {
    struct endpoint one = *ep; /* borrows its PEMs */

    snprintf(one.host, sizeof(one.host), "%s", host);
    one.port = port;
    one.other_count = 0;
    one.sentinel_master[0] = '\0';
    snprintf(one.label, sizeof(one.label), "%.260s:%u", one.host, one.port);
    return one;
}

static struct endpoint nth(const struct endpoint *ep, size_t i) {
    return i == 0 ? only(ep, ep->host, ep->port)
                  : only(ep, ep->others[i - 1].host, ep->others[i - 1].port);
}

static bool is_primary(struct redis_client *client, bool *ret, struct err *err) {
    struct redis_info *info = calloc(1, sizeof(*info));
    bool refused = false, ok;

    if (!info)
        return err_set(err, ERR_MEMORY, "no memory for INFO");
    ok = redis_client_info(client, info, &refused, err);
    if (ok && refused)
        ok = err_set(err, client->side == REDIS_SOURCE ? ERR_SOURCE_NOPERM : ERR_DEST_NOPERM,
                     "the account may not read INFO: which server is the primary is unknown");
    *ret = ok && strcmp(info->role, "master") == 0;
    free(info);
    return ok;
}

/* ---- a list --------------------------------------------------------------------------------- */

static bool find_in_list(struct redis_client *client, const struct endpoint *ep,
                         const struct credentials *cred, enum redis_side side, int64_t until_ms,
                         struct endpoint *ret_found, struct err *err) {
    size_t count = (size_t)ep->other_count + 1, replicas = 0;
    struct err last = ERR_INIT;
    bool found = false;

    for (size_t i = 0; i < count; i++) {
        struct endpoint one = nth(ep, i);
        struct redis_client open = REDIS_CLIENT_INIT;
        struct err why = ERR_INIT;
        bool primary = false;

        if (!redis_client_open(&open, &one, cred, side, share(until_ms, count - i), &why) ||
            !is_primary(&open, &primary, &why)) {
            last = why;
            redis_client_close(&open);
            continue;
        }
        if (primary && !found) {
            found = true;
            *client = open;
            *ret_found = one;
            continue;
        }
        redis_client_close(&open);
        if (primary) {
            redis_client_close(client);
            return err_set(err, not_ready(side), "both %.260s and %.260s say they are the primary",
                           ret_found->label, one.label);
        }
        replicas++;
    }
    if (found)
        return true;
    if (replicas > 0)
        return err_set(err, not_ready(side), "none of the %zu servers that answer is a primary",
                       replicas);
    *err = last;
    return false;
}

/* ---- Sentinels ------------------------------------------------------------------------------ */

static bool read_address(struct redis_client *client, const struct resp_value *reply,
                         const char *master, char ret_host[256], uint16_t *ret_port,
                         struct err *err) {
    uint64_t port;

    if (reply->type == RESP_NIL)
        return err_set(err, not_ready(client->side), "the Sentinel %.260s knows no server \"%s\"",
                       client->label, master);
    if (reply->type != RESP_ARRAY || reply->count != 2 || reply->items[0].type != RESP_BULK ||
        reply->items[0].str.len == 0 || reply->items[0].str.len > 255 ||
        reply->items[1].type != RESP_BULK || !str_parse_u64(reply->items[1].str, &port) ||
        port < 1 || port > UINT16_MAX)
        return redis_client_refused(client, reply, "asking a Sentinel for the primary", err);
    memcpy(ret_host, reply->items[0].str.ptr, reply->items[0].str.len);
    ret_host[reply->items[0].str.len] = '\0';
    *ret_port = (uint16_t)port;
    return true;
}

static bool ask_sentinel(const struct endpoint *sentinel, const char *master,
                         const struct credentials *cred, enum redis_side side, int64_t timeout_ms,
                         char ret_host[256], uint16_t *ret_port, struct err *err) {
    struct redis_client client = REDIS_CLIENT_INIT;
    struct endpoint ep = *sentinel;
    struct credentials login = CREDENTIALS_INIT;
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    bool ok;

    /* Sentinels have a login of their own; the client's certificate is for both. */
    memcpy(ep.username, sentinel->sentinel_username, sizeof(ep.username));
    ep.has_password = sentinel->sentinel_has_password;
    ep.database = -1;
    if (cred) {
        secret_set(&login.client_key_pem, secret_str(&cred->client_key_pem));
        secret_set(&login.password, secret_str(&cred->sentinel_password));
    }
    ok = redis_client_open(&client, &ep, &login, side, timeout_ms, err) &&
         redis_client_call(&client, &arena, &reply, err, "SENTINEL", "get-master-addr-by-name",
                           master, NULL) &&
         read_address(&client, reply, master, ret_host, ret_port, err);
    arena_done(&arena);
    redis_client_close(&client);
    credentials_done(&login);
    return ok;
}

static bool find_by_sentinel(struct redis_client *client, const struct endpoint *ep,
                             const struct credentials *cred, enum redis_side side, int64_t until_ms,
                             struct endpoint *ret_found, struct err *err) {
    size_t count = (size_t)ep->other_count + 1;
    struct err last = ERR_INIT;

    for (size_t i = 0; i < count; i++) {
        struct endpoint sentinel = nth(ep, i), one;
        struct err why = ERR_INIT;
        char host[256];
        uint16_t port;
        bool primary = false;

        if (!ask_sentinel(&sentinel, ep->sentinel_master, cred, side,
                          share(until_ms, 2 * (count - i)), host, &port, &why)) {
            last = why;
            continue;
        }
        if (!endpoint_of_announced(ep, host, port, &one, &why)) {
            last = why;
            continue;
        }
        if (redis_client_open(client, &one, cred, side, share(until_ms, count - i), &why) &&
            is_primary(client, &primary, &why) && primary) {
            *ret_found = one;
            return true;
        }
        redis_client_close(client);
        if (why.code == ERR_NONE)
            (void)err_set(&why, not_ready(side),
                          "the Sentinels name %.260s, which is no primary (yet)", one.label);
        last = why;
    }
    *err = last;
    return false;
}

bool redis_primary_open(struct redis_client *client, const struct endpoint *ep,
                        const struct credentials *cred, enum redis_side side, int64_t timeout_ms,
                        struct endpoint *ret_found, struct err *err) {
    int64_t limit_ms = timeout_ms > 0 ? timeout_ms : ep->connect_timeout_ms;
    int64_t until_ms = clock_mono_ms() + limit_ms;
    struct endpoint found;
    bool ok;

    *client = REDIS_CLIENT_INIT;
    ok = ep->sentinel_master[0] ? find_by_sentinel(client, ep, cred, side, until_ms, &found, err)
                                : find_in_list(client, ep, cred, side, until_ms, &found, err);
    if (!ok)
        return err_wrap(err, "looking for the primary of %s", ep->label);
    client->timeout_ms = limit_ms;
    if (ret_found)
        *ret_found = found;
    return true;
}

bool redis_primary_find(const struct endpoint *ep, const struct credentials *cred,
                        enum redis_side side, int64_t timeout_ms, struct endpoint *ret_found,
                        struct err *err) {
    struct redis_client client = REDIS_CLIENT_INIT;
    bool ok;

    if (!endpoint_is_group(ep)) {
        *ret_found = *ep;
        return true;
    }
    ok = redis_primary_open(&client, ep, cred, side, timeout_ms, ret_found, err);
    redis_client_close(&client);
    return ok;
}
