/* rdb_summary.h - what a snapshot holds, counted event by event.
 *
 * Pure but for malloc, which is bounded: one row per database that has keys.
 * Slices point into what the events pointed into, so the bytes must outlive the
 * summary (a mapped file does).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "proto/base/str.h"
#include "proto/rdb/rdb.h"

enum {
    RDB_SUMMARY_TYPES = 64, /* numbers of value types that are counted one by one */
    RDB_SUMMARY_DATABASES_MAX = 16384,
    RDB_SUMMARY_LARGEST = 10,
    RDB_SUMMARY_MODULES_MAX = 64,
    RDB_SUMMARY_FUNCTIONS_MAX = 64, /* whose source is remembered; all are counted */
};

struct rdb_summary_db {
    uint32_t db;
    uint64_t keys, expires;
    uint64_t by_type[RDB_SUMMARY_TYPES];
};

struct rdb_summary_key {
    uint32_t db;
    uint8_t type;
    struct str key;      /* raw */
    uint64_t value_size; /* bytes as encoded */
};

struct rdb_summary_module {
    uint64_t module_id;
    uint64_t keys;        /* values of its types */
    uint64_t aux_records; /* data beside the keys */
};

struct rdb_summary {
    enum rdb_vendor vendor;
    int version; /* 0: no magic was read */
    bool beyond_known;
    struct str server_version; /* raw, or empty */
    uint64_t aux_records, lua_scripts, slot_records, templates;

    uint64_t keys, expires;
    uint64_t by_type[RDB_SUMMARY_TYPES];
    struct rdb_summary_db *databases; /* by number */
    size_t database_count, database_room;

    uint64_t functions;
    struct {
        struct str name;   /* raw; set in records of release candidates only */
        struct str source; /* raw */
    } function[RDB_SUMMARY_FUNCTIONS_MAX];
    struct rdb_summary_module modules[RDB_SUMMARY_MODULES_MAX];
    size_t module_count;
    bool more_modules; /* than fit */

    struct rdb_summary_key largest[RDB_SUMMARY_LARGEST]; /* the largest first */
    size_t largest_count;

    bool ended;
    enum rdb_checksum checksum; /* when ended */
};

#define RDB_SUMMARY_INIT ((struct rdb_summary){.databases = NULL})

void rdb_summary_done(struct rdb_summary *s);

/* Count one event. Errors: TOO_BIG (more databases than any server has), MEMORY. */
MUST_CHECK bool rdb_summary_add(struct rdb_summary *s, const struct rdb_event *ev, struct err *err);

/* The name in the first line of a function library ("#!lua name=lib"), or empty. */
struct str rdb_summary_library_name(struct str source);
