/* rdb_payload.h - the payload of DUMP and RESTORE: a value with a footer.
 *
 *     type byte | value bytes as in the snapshot | version, 2 LE | crc64, 8 LE
 *
 * Pure. The version only decides whether a server takes the payload, never how
 * it reads it: write the destination's own (bytes [-10:-8] of what its DUMP
 * answers). The parts come separately so that a large value is never copied.
 *
 * Source: createDumpPayload() and verifyDumpPayload() of both products.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "proto/base/str.h"
#include "proto/rdb/rdb.h"

enum { RDB_PAYLOAD_FOOTER = 10, RDB_PAYLOAD_EXTRA = 1 + RDB_PAYLOAD_FOOTER };

/* Bytes of the whole payload of a value of `value_len` bytes. */
static inline uint64_t rdb_payload_size(uint64_t value_len) {
    return value_len + RDB_PAYLOAD_EXTRA;
}

/* The footer that belongs behind `type` and `value`. */
void rdb_payload_footer(uint8_t type, struct str value, uint16_t version,
                        char ret_footer[RDB_PAYLOAD_FOOTER]);

/* The footer with a checksum of 0, which Redis 8.6 and later take for "not
 * computed"; every other server refuses it. */
void rdb_payload_footer_unsummed(uint16_t version, char ret_footer[RDB_PAYLOAD_FOOTER]);

struct rdb_payload {
    uint8_t type;
    struct str value;
    struct str meta; /* a Redis 8.6 KEY_META record with its opcode, or empty */
    uint16_t version;
    bool summed; /* false: the checksum is 0, not computed */
};

/* Take a payload apart (slices of `payload`): a RESTORE seen in the stream is
 * sent on with the destination's own footer. The value is not walked.
 *
 * Errors: RDB_CORRUPT (too short, or the checksum is wrong). */
MUST_CHECK bool rdb_payload_parse(struct str payload, struct rdb_payload *ret, struct err *err);
