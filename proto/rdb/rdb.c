#include "proto/rdb/rdb.h"

#include "proto/base/attrs.h"
#include "proto/rdb/rdb_walk.h"

enum { ANY = -1 };

/* One row per meaning of a type number. A missing script: the end of such a
 * value cannot be found. Streams grew by version; what each added is
 *
 *   nodes, length and last id; v2 first id, deleted id, entries added;
 *   groups of: name, last id, v2 entries read, pending entries, consumers of
 *   (name, seen, v3 active, pending ids), v5 ids given back;
 *   v4 idempotent producers of (id, entries of (id, ms, seq)).
 */
static const struct type_row {
    uint8_t number;
    int vendor; /* enum rdb_vendor or ANY */
    enum rdb_kind kind;
    bool no_dump; /* bytes refer to something elsewhere in the file */
    const char *name;
    const char *script;
} types[] = {
    {0, ANY, RDB_KIND_STRING, false, "string", "S"},
    {1, ANY, RDB_KIND_LIST, false, "list", "(S)"},
    {2, ANY, RDB_KIND_SET, false, "set", "(S)"},
    {3, ANY, RDB_KIND_ZSET, false, "zset", "(Sd)"},
    {4, ANY, RDB_KIND_HASH, false, "hash", "(SS)"},
    {5, ANY, RDB_KIND_ZSET, false, "zset2", "(S8)"},
    {6, ANY, RDB_KIND_MODULE, true, "module", NULL},
    {7, ANY, RDB_KIND_MODULE, false, "module2", "Lm"},
    {9, ANY, RDB_KIND_HASH, false, "hash-zipmap", "S"},
    {10, ANY, RDB_KIND_LIST, false, "list-ziplist", "S"},
    {11, ANY, RDB_KIND_SET, false, "set-intset", "S"},
    {12, ANY, RDB_KIND_ZSET, false, "zset-ziplist", "S"},
    {13, ANY, RDB_KIND_HASH, false, "hash-ziplist", "S"},
    {14, ANY, RDB_KIND_LIST, false, "list-quicklist", "(S)"},
    {15, ANY, RDB_KIND_STREAM, false, "stream1", "(SS)LLL(SLL(k8L)(S8(k)))"},
    {16, ANY, RDB_KIND_HASH, false, "hash-listpack", "S"},
    {17, ANY, RDB_KIND_ZSET, false, "zset-listpack", "S"},
    {18, ANY, RDB_KIND_LIST, false, "list-quicklist2", "(LS)"},
    {19, ANY, RDB_KIND_STREAM, false, "stream2", "(SS)LLLLLLLL(SLLL(k8L)(S8(k)))"},
    {20, ANY, RDB_KIND_SET, false, "set-listpack", "S"},
    {21, ANY, RDB_KIND_STREAM, false, "stream3", "(SS)LLLLLLLL(SLLL(k8L)(S88(k)))"},
    {22, RDB_REDIS, RDB_KIND_HASH, false, "hash-meta-rc", "(LSS)"},
    {22, RDB_VALKEY, RDB_KIND_HASH, false, "hash2", "(SS8)"},
    {23, RDB_REDIS, RDB_KIND_HASH, false, "hash-lp-ex-rc", "S"},
    {24, ANY, RDB_KIND_HASH, false, "hash-meta", "8(LSS)"},
    {25, ANY, RDB_KIND_HASH, false, "hash-lp-ex", "8S"},
    {26, ANY, RDB_KIND_STREAM, false, "stream4", "(SS)LLLLLLLL(SLLL(k8L)(S88(k)))LL(S(SLL))LL"},
    {27, ANY, RDB_KIND_STREAM, false, "stream5", "(SS)LLLLLLLL(SLLL(k8L)(S88(k))(k))LL(S(SLL))LL"},
    {28, ANY, RDB_KIND_ARRAY, false, "array", "N[L]{a}"},
    {30, RDB_REDIS, RDB_KIND_HASH, true, "hash-template-lp", "S"},
    {32, RDB_REDIS, RDB_KIND_HASH, true, "hash-template-array", NULL},
};

static const struct type_row *row_of(enum rdb_vendor vendor, uint8_t type) {
    for (size_t i = 0; i < LENGTH_OF(types); i++) {
        if (types[i].number == type && (types[i].vendor == ANY || types[i].vendor == (int)vendor))
            return &types[i];
    }
    return NULL;
}

const char *rdb_type_name(enum rdb_vendor vendor, uint8_t type) {
    const struct type_row *row = row_of(vendor, type);

    return row ? row->name : "unknown";
}

enum rdb_kind rdb_type_kind(enum rdb_vendor vendor, uint8_t type) {
    const struct type_row *row = row_of(vendor, type);

    return row ? row->kind : RDB_KIND_UNKNOWN;
}

bool rdb_type_is_dumpable(enum rdb_vendor vendor, uint8_t type) {
    const struct type_row *row = row_of(vendor, type);

    return row && row->script && !row->no_dump;
}

const char *rdb_walk_script(enum rdb_vendor vendor, uint8_t type) {
    const struct type_row *row = row_of(vendor, type);

    return row ? row->script : NULL;
}

const char *rdb_kind_name(enum rdb_kind kind) {
    static const char *const names[] = {"string", "list",   "set",   "zset",   "hash",
                                        "stream", "module", "array", "unknown"};

    return names[kind <= RDB_KIND_UNKNOWN ? kind : RDB_KIND_UNKNOWN];
}

const char *rdb_vendor_name(enum rdb_vendor vendor) {
    return vendor == RDB_VALKEY ? "valkey" : "redis";
}

const char *rdb_checksum_name(enum rdb_checksum verdict) {
    static const char *const names[] = {"ok", "absent", "wrong", "unchecked"};

    return names[verdict];
}

void rdb_module_name(uint64_t module_id, char ret_name[RDB_MODULE_NAME_LEN + 1]) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    for (int i = 0; i < RDB_MODULE_NAME_LEN; i++)
        ret_name[i] = letters[(module_id >> (58 - 6 * i)) & 0x3f];
    ret_name[RDB_MODULE_NAME_LEN] = '\0';
}

int rdb_module_encver(uint64_t module_id) {
    return (int)(module_id & 0x3ff);
}
