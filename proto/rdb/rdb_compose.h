/* rdb_compose.h - makes a snapshot out of DUMP payloads.
 *
 * Pure but for malloc; the inverse of rdb_parser.h for what a client can read: keys
 * with their expiry, databases, function libraries. The bytes are appended to a buf
 * of the caller's, who writes them where they belong; a value is only pointed at, so
 * that a large one is never copied.
 *
 *     REDISnnnn or VALKEYnnn | FUNCTION2 ... | SELECTDB db | [EXPIRE_MS] [KEY_META]
 *     type key value ... | EOF | 8 zero bytes: no checksum
 *
 * A value stands in a payload exactly as in a snapshot of the version that the
 * payload's footer names, so one version holds for the whole; Valkey counts from 80 on.
 *
 * Source: rdbSaveRio() and createDumpPayload() of both products; functionDumpCommand()
 * of Redis 7.0.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/str.h"

enum { RDB_COMPOSE_VALKEY_FROM = 80, RDB_COMPOSE_VERSION_MAX = 999 };

/* Plain numbers: what is stored of them lets another process go on. */
struct rdb_composer {
    uint32_t version; /* of the snapshot; 0 = nothing was written yet */
    bool in_database; /* a SELECTDB was written */
    uint32_t db;
};

#define RDB_COMPOSER_INIT ((struct rdb_composer){.version = 0})

struct rdb_compose_key {
    uint32_t db;
    struct str key;       /* its bytes */
    struct str payload;   /* what DUMP answered */
    int64_t expire_at_ms; /* Unix time; -1 = it does not expire */
};

/* One key. What stands before its value is appended to `b`; *ret_value is a slice of
 * the payload that belongs behind it. The payload's checksum is checked.
 * Errors: RDB_CORRUPT (the payload); PROTOCOL (its version is no version, or not that
 * of the keys before); TOO_BIG, MEMORY. Then neither `b` nor *c has changed. */
MUST_CHECK bool rdb_compose_key(struct rdb_composer *c, struct buf *b,
                                const struct rdb_compose_key *key, struct str *ret_value,
                                struct err *err);

/* What FUNCTION DUMP answered: only before the first key. Errors: as above. */
MUST_CHECK bool rdb_compose_functions(struct rdb_composer *c, struct buf *b, struct str payload,
                                      struct err *err);

/* The end. A snapshot without any record is one of version 9, which every server
 * reads. Errors: TOO_BIG, MEMORY. */
MUST_CHECK bool rdb_compose_end(struct rdb_composer *c, struct buf *b, struct err *err);
