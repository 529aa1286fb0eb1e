/* Which product and edition answers, as far as a server lets that be seen.
 *
 * Servers that speak RESP and keep their data on disk have neither the replication
 * nor the payloads of Redis. They say who they are in INFO. What only a provider
 * knows (encryption at rest, storage editions behind a proxy) cannot be asked.
 *
 * Source: INFO of Kvrocks, Pika, Dragonfly, KeyDB FLASH, Garnet, ARDB, Tendis.
 */
#include <stdio.h>

#include "services/precheck/check_run.h"

static const struct {
    const char *field; /* of INFO server */
    const char *product;
} foreign[] = {
    {"kvrocks_version", "Apache Kvrocks"},
    {"pika_version", "Pika"},
    {"dragonfly_version", "Dragonfly"},
    {"garnet_version", "Garnet"},
    {"ardb_version", "ARDB"},
    {"storage_provider", "KeyDB with FLASH storage"},
    {"tendisplus_version", "Tendis"},
    {"TRedis_version", "Tendis"},
    {"rocksdb_version", "a server on RocksDB"},
};

/* A line NAME:value of INFO. */
static bool has_field(struct str text, struct str field, char *ret_value, size_t size) {
    struct str line, name;

    while (str_cut(&text, '\n', &line)) {
        line = str_trim(line);
        if (str_cut(&line, ':', &name) && str_equal(name, field)) {
            str_escape(line, ret_value, size);
            return true;
        }
    }
    return false;
}

static bool judge_edition(struct check_run *run, struct check_end *end, struct check_finding *f,
                          struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    const char *found = NULL;
    char value[48] = "";
    bool ok = check_ask(run, end, &arena, &reply, err, "INFO", "server");
    bool told = ok && reply->type == RESP_BULK;

    for (size_t i = 0; told && !found && i < LENGTH_OF(foreign); i++)
        if (has_field(reply->str, str_from(foreign[i].field), value, sizeof(value)))
            found = foreign[i].product;
    arena_done(&arena);
    if (!ok)
        return false;
    if (!told)
        return check_skip(f, "The account may not ask who the server is (INFO)");
    if (found) {
        check_observed(f, "%s %s", found, value);
        return check_fail(f,
                          "This is %s: neither its replication nor its payloads are those of "
                          "Redis and Valkey",
                          found);
    }
    if (end->info.product == REDIS_PRODUCT_UNKNOWN)
        return check_warn(f, "The server does not say which product it is");
    check_observed(f, "%s %s", redis_product_name(end->info.product), end->info.version);
    return check_pass(f, "%s in memory, as far as it says",
                      end->info.product == REDIS_PRODUCT_VALKEY ? "Valkey" : "Redis");
}

bool check_src_edition(struct check_run *run, struct check_finding *ret, struct err *err) {
    return judge_edition(run, &run->source, ret, err);
}

bool check_dst_edition(struct check_run *run, struct check_finding *ret, struct err *err) {
    return judge_edition(run, &run->destination, ret, err);
}

/* Nothing a server answers depends on it, and no field of an endpoint declares it. */
bool check_dst_tde(struct check_run *run, struct check_finding *ret, struct err *err) {
    (void)run;
    (void)err;
    return check_skip(ret, "A server does not tell whether its provider encrypts what it stores: "
                           "where that can be chosen, see to it that it is off");
}
