#include "services/precheck/look.h"

#include "services/common/clock.h"
#include "services/flow/child.h"
#include "services/precheck/check.h"
#include "services/redis/redis_client.h"

enum { SPEC_TIMEOUT_MS = 30000, LOOK_TIMEOUT_MS = 10000 };

static json_t *number_or_null(int64_t value) {
    return value == REDIS_INFO_UNKNOWN ? json_null() : json_integer(value);
}

/* A peer wrote it. */
static json_t *text_or_null(const char *text) {
    json_t *value = text[0] ? json_string(text) : NULL;

    return value ? value : json_null();
}

static json_t *databases(const struct redis_info *info) {
    json_t *list = json_array();

    if (!info->has_keyspace) {
        json_decref(list);
        return json_null();
    }
    for (uint32_t i = 0; i < info->database_count; i++)
        json_array_append_new(list,
                              json_pack("{s:i, s:I, s:I}", "number", info->databases[i].number,
                                        "keys", (json_int_t)info->databases[i].keys, "expires",
                                        (json_int_t)info->databases[i].expires));
    return list;
}

static json_t *facts_of(const struct redis_info *info, int64_t round_trip_us) {
    const char *topology = info->cluster_enabled == REDIS_INFO_UNKNOWN ? NULL
                           : info->cluster_enabled                     ? "cluster"
                                                                       : "standalone";

    return json_pack("{s:s, s:o, s:s?, s:o, s:o, s:o, s:o, s:o, s:o, s:I}", "product",
                     redis_product_name(info->product), "version", text_or_null(info->version),
                     "topology", topology, "role", text_or_null(info->role), "databases",
                     databases(info), "keys", number_or_null(redis_info_keys(info)),
                     "used_memory_bytes", number_or_null(info->used_memory), "maxmemory_bytes",
                     number_or_null(info->maxmemory), "maxmemory_policy",
                     text_or_null(info->maxmemory_policy), "round_trip_us",
                     (json_int_t)round_trip_us);
}

/* PING answers only who is logged in; INFO may be denied, which is no failure of the login. */
static bool ask(struct redis_client *client, json_t **ret_facts, struct err *err) {
    const struct resp_value *reply = NULL;
    struct arena arena = ARENA_INIT;
    struct redis_info info;
    int64_t begun = clock_mono_us(), round_trip_us;
    bool refused = false, ok;

    redis_info_init(&info);
    ok = redis_client_call(client, &arena, &reply, err, "PING", NULL);
    round_trip_us = clock_mono_us() - begun;
    if (ok && reply->type == RESP_ERROR && resp_error_class(reply->str) != RESP_ERROR_NOPERM)
        ok = redis_client_refused(client, reply, "PING", err);
    ok = ok && redis_client_info(client, &info, &refused, err);
    arena_done(&arena);
    if (ok)
        *ret_facts = facts_of(&info, round_trip_us);
    return ok;
}

static bool ask_credentials(void *context, const char *end, struct credentials *ret,
                            struct err *err) {
    const int *fd = context;

    return child_ask_credentials(*fd, end, ret, err);
}

/* All of its shards, as the precheck sees them. */
static bool look_at_cluster(int fd, const json_t *endpoint, json_t **ret_facts, struct err *err) {
    const struct check_hooks hooks = {.context = &fd, .credentials = ask_credentials};

    return check_look(endpoint, &hooks, ret_facts, err);
}

static bool look_at_server(int fd, const struct endpoint *ep, json_t **ret_facts, struct err *err) {
    struct redis_client client = REDIS_CLIENT_INIT;
    struct credentials cred = CREDENTIALS_INIT;
    bool ok = child_ask_credentials(fd, "source", &cred, err) &&
              redis_client_open(&client, ep, &cred, REDIS_SOURCE, LOOK_TIMEOUT_MS, err) &&
              ask(&client, ret_facts, err);

    redis_client_close(&client);
    credentials_done(&cred);
    return ok;
}

static bool look(int fd, json_t **ret_facts, struct err *err) {
    struct endpoint ep = ENDPOINT_INIT;
    json_t *spec = NULL;
    const json_t *endpoint;
    bool ok = child_receive(fd, SPEC_TIMEOUT_MS, &spec, err);

    if (ok && !spec)
        ok = err_set(err, ERR_TIMEOUT, "the supervisor sent no specification");
    endpoint = json_object_get(spec, "endpoint");
    ok = ok && endpoint_from_json(endpoint, &ep, NULL, NULL, err) &&
         (endpoint_is_cluster(&ep) ? look_at_cluster(fd, endpoint, ret_facts, err)
                                   : look_at_server(fd, &ep, ret_facts, err));
    endpoint_done(&ep);
    json_decref(spec);
    return ok;
}

int look_child_main(int socket_fd) {
    json_t *facts = NULL, *message;
    struct err err = ERR_INIT;
    bool ok = look(socket_fd, &facts, &err);

    if (ok) {
        message = json_pack("{s:s, s:o}", "type", "facts", "facts", facts);
        ok = child_send(socket_fd, message, &err);
        json_decref(message);
    }
    if (!ok)
        child_send_error(socket_fd, &err);
    return ok ? 0 : 1;
}
