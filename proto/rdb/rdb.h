/* rdb.h - what a snapshot (RDB) is made of: vendors, versions, types, events.
 *
 * Pure: types and tables, no I/O. The numbers are those of Redis 2.2 to 8.10 and
 * Valkey 7.2 to 9.2 (rdb.h of either). The same number can mean another thing
 * per vendor (types 22 and 23, opcodes 242 and 243): always ask with the vendor,
 * which the magic of the file tells.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/str.h"

enum rdb_vendor { RDB_REDIS, RDB_VALKEY };

/* Newest versions whose every type and opcode is known here. A newer file is
 * read too, until the first thing in it that is not known. */
enum { RDB_REDIS_VERSION_MAX = 13, RDB_VALKEY_VERSION_MAX = 80 };

/* Value types that code outside this folder names; rdb_type_name() knows all. */
enum rdb_type {
    RDB_TYPE_STRING = 0,
    RDB_TYPE_LIST = 1,
    RDB_TYPE_SET = 2,
    RDB_TYPE_ZSET = 3, /* scores as ASCII */
    RDB_TYPE_HASH = 4,
    RDB_TYPE_ZSET_2 = 5, /* scores as binary doubles */
    RDB_TYPE_MODULE_2 = 7,
    RDB_TYPE_HASH_ZIPMAP = 9,
    RDB_TYPE_LIST_ZIPLIST = 10,
    RDB_TYPE_SET_INTSET = 11,
    RDB_TYPE_ZSET_ZIPLIST = 12,
    RDB_TYPE_HASH_ZIPLIST = 13,
    RDB_TYPE_LIST_QUICKLIST = 14,
    RDB_TYPE_STREAM = 15,
    RDB_TYPE_HASH_LISTPACK = 16,
    RDB_TYPE_ZSET_LISTPACK = 17,
    RDB_TYPE_LIST_QUICKLIST_2 = 18,
    RDB_TYPE_STREAM_2 = 19,
    RDB_TYPE_SET_LISTPACK = 20,
    RDB_TYPE_STREAM_3 = 21,
    RDB_TYPE_VALKEY_HASH_2 = 22,    /* Valkey: hash whose fields may expire */
    RDB_TYPE_HASH_METADATA = 24,    /* Redis: hash whose fields may expire */
    RDB_TYPE_HASH_LISTPACK_EX = 25, /* Redis: the same, packed */
    RDB_TYPE_STREAM_4 = 26,
    RDB_TYPE_STREAM_5 = 27,
    RDB_TYPE_ARRAY = 28,
    RDB_TYPE_HASH_TMPL_LP = 29,     /* in DUMP payloads only, as 31 */
    RDB_TYPE_HASH_TMPL_LP_REF = 30, /* in snapshots only, as 32 */
    RDB_TYPE_HASH_TMPL_ARRAY = 31,
    RDB_TYPE_HASH_TMPL_ARRAY_REF = 32,
};

/* The kind of data a key holds, whatever its encoding. */
enum rdb_kind {
    RDB_KIND_STRING,
    RDB_KIND_LIST,
    RDB_KIND_SET,
    RDB_KIND_ZSET,
    RDB_KIND_HASH,
    RDB_KIND_STREAM,
    RDB_KIND_MODULE,
    RDB_KIND_ARRAY,
    RDB_KIND_COUNT,
    RDB_KIND_UNKNOWN = RDB_KIND_COUNT,
};

/* "hash-listpack"; "unknown" for a number that vendor does not use. */
const char *rdb_type_name(enum rdb_vendor vendor, uint8_t type);
enum rdb_kind rdb_type_kind(enum rdb_vendor vendor, uint8_t type);
const char *rdb_kind_name(enum rdb_kind kind); /* "hash" */
const char *rdb_vendor_name(enum rdb_vendor vendor);

/* A value whose end can be found and whose bytes mean something by themselves,
 * so that it can travel in a DUMP payload (types 30 and 32 refer to a template
 * elsewhere in the file). */
bool rdb_type_is_dumpable(enum rdb_vendor vendor, uint8_t type);

/* A module id holds nine characters and an encoding version. */
enum { RDB_MODULE_NAME_LEN = 9 };
void rdb_module_name(uint64_t module_id, char ret_name[RDB_MODULE_NAME_LEN + 1]);
int rdb_module_encver(uint64_t module_id);

enum rdb_event_kind {
    RDB_EV_VERSION,       /* first, once */
    RDB_EV_AUX,           /* a named fact; unknown names are to be ignored */
    RDB_EV_SELECTDB,      /* the keys that follow belong to this database */
    RDB_EV_RESIZEDB,      /* a hint: how many keys the database holds */
    RDB_EV_FUNCTION,      /* a function library */
    RDB_EV_MODULE_AUX,    /* a module's data beside the keys; no command loads it */
    RDB_EV_SLOT_INFO,     /* Redis cluster: a slot begins */
    RDB_EV_SLOT_IMPORT,   /* Valkey: slots this shard was still importing */
    RDB_EV_HASH_TEMPLATE, /* Redis 8.10: field names that types 30 and 32 refer to */
    RDB_EV_KEY,
    RDB_EV_EOF, /* last, once */
};

enum rdb_checksum {
    RDB_CHECKSUM_OK,
    RDB_CHECKSUM_ABSENT, /* version below 5, or the server was told not to compute it */
    RDB_CHECKSUM_WRONG,
    RDB_CHECKSUM_UNCHECKED, /* one is there, but the caller switched checking off */
};
const char *rdb_checksum_name(enum rdb_checksum verdict); /* "ok" */

/* One record. Every slice points into the view given to rdb_parser_next(). `raw`
 * strings are in the file's encoding: rdb_string_decode() yields their bytes. */
struct rdb_event {
    enum rdb_event_kind kind;
    uint64_t offset; /* of the record's first byte in the file */
    uint64_t size;   /* bytes of the record */
    union {
        struct {
            enum rdb_vendor vendor;
            int number;
            bool beyond_known; /* newer than RDB_..._VERSION_MAX */
        } version;
        struct {
            struct str key, value; /* raw */
        } aux;
        struct {
            uint32_t db;
        } selectdb;
        struct {
            uint64_t keys, expires;
        } resizedb;
        struct {
            /* Raw. Of a pre-GA record (7.0 release candidates) all but
             * description may be set; else name, engine and description are
             * empty and source starts with its own "#!" line. */
            bool pre_ga;
            struct str name, engine, description, source;
        } function;
        struct {
            uint64_t module_id;
            char name[RDB_MODULE_NAME_LEN + 1];
            struct str items; /* raw module items, without the terminator's meaning */
        } module_aux;
        struct {
            uint64_t slot, keys, expires;
        } slot_info;
        struct {
            struct str job;    /* raw */
            struct str ranges; /* range_count pairs of lengths: first, last slot */
            uint64_t range_count;
        } slot_import;
        struct {
            uint64_t id, count;
            struct str fields; /* count raw strings */
        } hash_template;
        struct {
            uint32_t db;
            uint8_t type;
            struct str key;       /* raw */
            struct str value;     /* exactly as DUMP carries it */
            struct str meta;      /* a Redis 8.6 KEY_META record with its opcode, or empty */
            int64_t expire_at_ms; /* Unix time; -1 when the key does not expire */
            int64_t idle_seconds; /* -1 when not told */
            int freq;             /* LFU counter 0-255; -1 when not told */
        } key;
        struct {
            enum rdb_checksum checksum;
            uint64_t stored, computed; /* computed is 0 when unchecked */
        } eof;
    };
};
