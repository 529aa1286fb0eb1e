/* redis_info.h - what a server says about itself, as numbers and names.
 *
 * Pure: the text of INFO in, values out. Every field may be missing: an account
 * without INFO rights, a proxy or an old server. Numbers that were not said are
 * REDIS_INFO_UNKNOWN, texts "".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/err.h"
#include "proto/base/str.h"

enum { REDIS_INFO_DATABASES_MAX = 256 };
#define REDIS_INFO_UNKNOWN (-1)

enum redis_product { REDIS_PRODUCT_UNKNOWN, REDIS_PRODUCT_REDIS, REDIS_PRODUCT_VALKEY };

struct redis_info_database {
    int number;
    int64_t keys, expires;
    int64_t field_expiries; /* hashes with fields that expire (Redis 7.4, Valkey 9) */
};

struct redis_info {
    enum redis_product product;
    char version[32];        /* of the product: valkey_version for Valkey */
    uint32_t version_number; /* major * 10000 + minor * 100 + patch; 0 = unknown */
    uint32_t redis_compat;   /* redis_version as such a number (Valkey says 7.2.4) */
    char run_id[41];
    char role[16]; /* "master", "slave", … */
    char replid[41];
    char replid2[41]; /* the history before a failover; zeros = none */
    int64_t repl_offset;
    char master_host[256]; /* of a replica */
    int64_t master_port;
    char master_link_status[8]; /* "up", "down" */
    int64_t connected_replicas;
    int64_t backlog_active; /* 0, 1 */
    int64_t backlog_size, backlog_histlen;
    int64_t used_memory, used_memory_rss, used_memory_dataset, maxmemory, total_system_memory;
    char maxmemory_policy[32];
    int64_t loading, async_loading; /* 0, 1 */
    int64_t cluster_enabled;
    int64_t total_error_replies; /* from 6.2 on */
    int64_t total_commands_processed;
    int64_t net_input_bytes;
    int64_t changes_since_save; /* writes since the last snapshot */
    int64_t last_save_sec;      /* when that was; Unix time */
    int64_t evicted_keys;
    int64_t uptime_sec, server_time_us; /* the second by its clock, from 6.2 on */
    int64_t bgsave_in_progress;
    int64_t aof_rewrite_in_progress, aof_enabled;
    int64_t latest_fork_usec;
    char last_bgsave_status[8];     /* "ok", "err" */
    char master_failover_state[24]; /* "no-failover" */
    char expired_stale_percent[12]; /* of keys with an expiry, by its sample: "0.35"; "" */
    int64_t connected_clients;
    int64_t cached_scripts;
    bool has_keyspace; /* the Keyspace section was there */
    uint32_t database_count;
    struct redis_info_database databases[REDIS_INFO_DATABASES_MAX]; /* by number, rising */
};

/* Everything unknown. */
void redis_info_init(struct redis_info *info);

/* Read the text of INFO (all, or any sections) over what *info holds. Lines that make
 * no sense are passed over: a peer wrote them. */
void redis_info_parse(struct str text, struct redis_info *info);

/* "redis", "valkey", "unknown". */
const char *redis_product_name(enum redis_product product);

/* "7.0.15" -> 70015; 0 when it is no version. */
uint32_t redis_version_parse(struct str text);

/* Keys over all databases; REDIS_INFO_UNKNOWN without a Keyspace section. */
int64_t redis_info_keys(const struct redis_info *info);
