#include "services/redis/redis_info.h"

#include <stddef.h>
#include <stdio.h>

/* One row per number we keep. */
static const struct {
    const char *name;
    size_t offset;
} numbers[] = {
#define NUMBER(field, info_name)                                                                   \
    { info_name, offsetof(struct redis_info, field) }
    NUMBER(master_port, "master_port"),
    NUMBER(repl_offset, "master_repl_offset"),
    NUMBER(connected_replicas, "connected_slaves"),
    NUMBER(backlog_active, "repl_backlog_active"),
    NUMBER(backlog_size, "repl_backlog_size"),
    NUMBER(backlog_histlen, "repl_backlog_histlen"),
    NUMBER(used_memory, "used_memory"),
    NUMBER(used_memory_rss, "used_memory_rss"),
    NUMBER(used_memory_dataset, "used_memory_dataset"),
    NUMBER(maxmemory, "maxmemory"),
    NUMBER(total_system_memory, "total_system_memory"),
    NUMBER(loading, "loading"),
    NUMBER(async_loading, "async_loading"),
    NUMBER(cluster_enabled, "cluster_enabled"),
    NUMBER(total_error_replies, "total_error_replies"),
    NUMBER(total_commands_processed, "total_commands_processed"),
    NUMBER(net_input_bytes, "total_net_input_bytes"),
    NUMBER(changes_since_save, "rdb_changes_since_last_save"),
    NUMBER(last_save_sec, "rdb_last_save_time"),
    NUMBER(evicted_keys, "evicted_keys"),
    NUMBER(uptime_sec, "uptime_in_seconds"),
    NUMBER(server_time_us, "server_time_usec"),
    NUMBER(bgsave_in_progress, "rdb_bgsave_in_progress"),
    NUMBER(aof_rewrite_in_progress, "aof_rewrite_in_progress"),
    NUMBER(aof_enabled, "aof_enabled"),
    NUMBER(latest_fork_usec, "latest_fork_usec"),
    NUMBER(connected_clients, "connected_clients"),
    NUMBER(cached_scripts, "number_of_cached_scripts"),
#undef NUMBER
};

static const struct {
    const char *name;
    size_t offset, size;
} texts[] = {
#define TEXT(field, info_name)                                                                     \
    { info_name, offsetof(struct redis_info, field), sizeof(((struct redis_info *)0)->field) }
    TEXT(run_id, "run_id"),
    TEXT(role, "role"),
    TEXT(replid, "master_replid"),
    TEXT(replid2, "master_replid2"),
    TEXT(master_host, "master_host"),
    TEXT(master_link_status, "master_link_status"),
    TEXT(maxmemory_policy, "maxmemory_policy"),
    TEXT(last_bgsave_status, "rdb_last_bgsave_status"),
    TEXT(master_failover_state, "master_failover_state"),
    TEXT(expired_stale_percent, "expired_stale_perc"),
#undef TEXT
};

void redis_info_init(struct redis_info *info) {
    *info = (struct redis_info){.product = REDIS_PRODUCT_UNKNOWN};
    for (size_t i = 0; i < LENGTH_OF(numbers); i++)
        *(int64_t *)(void *)((char *)info + numbers[i].offset) = REDIS_INFO_UNKNOWN;
}

uint32_t redis_version_parse(struct str text) {
    uint32_t parts[3] = {0, 0, 0};
    int part = 0;
    bool digit = false;

    for (size_t i = 0; i < text.len && part < 3; i++) {
        char c = text.ptr[i];

        if (c == '.' && digit) {
            part++;
            digit = false;
        } else if (c >= '0' && c <= '9' && parts[part] <= 99) {
            parts[part] = parts[part] * 10 + (uint32_t)(c - '0');
            digit = true;
        } else {
            break; /* 7.4.0-rc1 */
        }
    }
    for (int i = 0; i < 3; i++)
        if (parts[i] > 99)
            return 0;
    return parts[0] * 10000 + parts[1] * 100 + parts[2];
}

/* Only what prints: these go into reports. */
static void copy_text(struct str value, char *dst, size_t size) {
    str_escape(str_first(value, size - 1), dst, size);
}

/* db0:keys=1,expires=0,avg_ttl=0 */
static void parse_database(struct str number, struct str value, struct redis_info *info) {
    struct redis_info_database db = {.number = 0};
    struct str pair, name;
    uint64_t n;

    if (!str_parse_u64(number, &n) || n > INT16_MAX ||
        info->database_count == REDIS_INFO_DATABASES_MAX)
        return;
    db.number = (int)n;
    while (str_cut(&value, ',', &pair)) {
        if (!str_cut(&pair, '=', &name) || !str_parse_u64(pair, &n) || n > INT64_MAX)
            continue;
        if (str_equal(name, STR_LIT("keys")))
            db.keys = (int64_t)n;
        else if (str_equal(name, STR_LIT("expires")))
            db.expires = (int64_t)n;
        else if (str_equal(name, STR_LIT("subexpiry")) ||
                 str_equal(name, STR_LIT("keys_with_volatile_items")))
            db.field_expiries = (int64_t)n;
    }
    if (info->database_count > 0 && info->databases[info->database_count - 1].number >= db.number)
        return; /* servers list them by number; a list that repeats itself is not one */
    info->databases[info->database_count++] = db;
}

static void parse_version(struct str name, struct str value, struct redis_info *info) {
    if (str_equal(name, STR_LIT("redis_version"))) {
        info->redis_compat = redis_version_parse(value);
        if (info->product == REDIS_PRODUCT_UNKNOWN)
            info->product = REDIS_PRODUCT_REDIS;
        if (info->product == REDIS_PRODUCT_REDIS) {
            info->version_number = info->redis_compat;
            copy_text(value, info->version, sizeof(info->version));
        }
    } else if (str_equal(name, STR_LIT("valkey_version"))) {
        info->product = REDIS_PRODUCT_VALKEY;
        info->version_number = redis_version_parse(value);
        copy_text(value, info->version, sizeof(info->version));
    } else if (str_equal(name, STR_LIT("server_name")) && str_equal(value, STR_LIT("valkey"))) {
        info->product = REDIS_PRODUCT_VALKEY;
    }
}

static void parse_line(struct str name, struct str value, struct redis_info *info) {
    int64_t n;

    for (size_t i = 0; i < LENGTH_OF(numbers); i++) {
        if (str_equal(name, str_from(numbers[i].name))) {
            if (str_parse_i64(value, &n) && n >= 0)
                *(int64_t *)(void *)((char *)info + numbers[i].offset) = n;
            return;
        }
    }
    for (size_t i = 0; i < LENGTH_OF(texts); i++) {
        if (str_equal(name, str_from(texts[i].name))) {
            copy_text(value, (char *)info + texts[i].offset, texts[i].size);
            return;
        }
    }
    if (str_starts_with(name, STR_LIT("db")) && name.len > 2 && info->has_keyspace)
        parse_database(str_skip(name, 2), value, info);
    else
        parse_version(name, value, info);
}

void redis_info_parse(struct str text, struct redis_info *info) {
    struct str line, name;

    while (str_cut(&text, '\n', &line)) {
        line = str_trim(line);
        if (str_equal_nocase(line, STR_LIT("# Keyspace"))) {
            info->has_keyspace = true;
            info->database_count = 0;
        } else if (line.len > 0 && line.ptr[0] != '#' && str_cut(&line, ':', &name)) {
            parse_line(name, line, info);
        }
    }
}

const char *redis_product_name(enum redis_product product) {
    static const char *const names[] = {
        [REDIS_PRODUCT_UNKNOWN] = "unknown",
        [REDIS_PRODUCT_REDIS] = "redis",
        [REDIS_PRODUCT_VALKEY] = "valkey",
    };

    return names[product];
}

int64_t redis_info_keys(const struct redis_info *info) {
    int64_t keys = 0;

    if (!info->has_keyspace)
        return REDIS_INFO_UNKNOWN;
    for (uint32_t i = 0; i < info->database_count; i++)
        if (__builtin_add_overflow(keys, info->databases[i].keys, &keys))
            return INT64_MAX;
    return keys;
}
