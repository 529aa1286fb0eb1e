/* rdb_record.h - the records of a snapshot that are not keys, as a table.
 *
 * Pure. Used by the parser: which opcode a vendor knows, how to find its end
 * (a script of rdb_walk.h), and what stands inside. Numbers: rdb.h of both.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/str.h"
#include "proto/rdb/rdb.h"

enum rdb_opcode {
    RDB_OP_FIRST = 200, /* below are value types */
    RDB_OP_HASH_TEMPLATE = 242,
    RDB_OP_KEY_META = 243,    /* Redis */
    RDB_OP_SLOT_IMPORT = 243, /* Valkey */
    RDB_OP_SLOT_INFO = 244,
    RDB_OP_FUNCTION2 = 245,
    RDB_OP_FUNCTION_PRE_GA = 246,
    RDB_OP_MODULE_AUX = 247,
    RDB_OP_IDLE = 248,
    RDB_OP_FREQ = 249,
    RDB_OP_AUX = 250,
    RDB_OP_RESIZEDB = 251,
    RDB_OP_EXPIRE_MS = 252,
    RDB_OP_EXPIRE = 253,
    RDB_OP_SELECTDB = 254,
    RDB_OP_EOF = 255,
};

struct rdb_record {
    uint8_t opcode;
    int vendor;     /* enum rdb_vendor, or -1 for both */
    bool attribute; /* of the key that follows, not a record of its own */
    enum rdb_event_kind kind;
    const char *script;
};

/* The row of an opcode, or NULL: that vendor does not use it. */
const struct rdb_record *rdb_record_find(enum rdb_vendor vendor, uint8_t opcode);

/* Fill `ev` from the body (what stands behind the opcode) of a whole record that
 * is neither key, attribute nor EOF. False when a number is out of its range. */
MUST_CHECK bool rdb_record_read(const struct rdb_record *record, struct str body,
                                struct rdb_event *ret_ev);
