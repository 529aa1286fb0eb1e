/* rdb_transcode_hash.h - the part of rdb_transcode that writes hashes whose fields
 * may expire. Pure but for malloc.
 */
#pragma once

#include "proto/rdb/rdb_transcode.h"

/* What HPEXPIREAT of Redis takes. A payload may say up to four times as much, but no such
 * field could be made or moved on by a command; a larger time in a type 25 ends Redis 8.6. */
#define RDB_FIELD_EXPIRY_MAX_MS ((((uint64_t)1 << 48) - 1) >> 2)

/* As rdb_transcode(), to ret->type, which may become 24 where 25 was asked for. */
MUST_CHECK bool rdb_transcode_hash(struct rdb_transcoder *t, uint8_t type, struct str value,
                                   struct buf *out, struct rdb_transcoded *ret, struct err *err);

/* A field's expiry time as it is to be written; 0 stays 0 (it has none).
 * Errors: RDB_UNSUPPORTED (it cannot be held); DEST_RESTORE (too late for `to`). */
MUST_CHECK bool rdb_field_expiry_write(enum rdb_field_expiry fields, uint64_t extend_ms,
                                       enum rdb_vendor to, uint64_t at_ms, uint64_t *ret_ms,
                                       struct err *err);

/* Append a piece of a value as a raw string. */
MUST_CHECK bool rdb_transcode_put_piece(struct buf *out, const struct rdb_piece *piece,
                                        struct err *err);
