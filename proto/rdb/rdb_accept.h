/* rdb_accept.h - which way a value can take to a destination.
 *
 * Pure: a table. A server reads a payload by its type byte alone; the version in
 * the footer only opens the door (rdb_payload.h: write the destination's own). So
 * the question is which types the destination's loader knows, and which older type
 * carries the same data where it does not.
 *
 * Source: rdbLoadObject() of Redis 2.6 to 8.6 and Valkey 7.2 to 9.1, and every pair
 * of real servers tried with RESTORE. What is said of Redis 8.8 and 8.10 (types 27
 * to 32) was read, never run.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/rdb/rdb.h"

struct rdb_destination {
    enum rdb_vendor vendor; /* Redict and other forks of Redis are RDB_REDIS */
    uint32_t version;       /* of the product: major * 10000 + minor * 100 + patch; 0: not known */
    bool extends;           /* expiries are written later than they are */
    bool held;              /* expiries are held (held_expiry.h), those of hash fields too */
    bool has_modules;       /* someone made sure that it has every module whose values it gets */
};

enum rdb_way {
    RDB_WAY_AS_IS,      /* RESTORE of the very bytes */
    RDB_WAY_TRANSCODE,  /* RESTORE of what rdb_transcode() makes of them */
    RDB_WAY_COMMANDS,   /* rdb_commands.h */
    RDB_WAY_IMPOSSIBLE, /* no server of that version can hold it */
};

struct rdb_accept {
    enum rdb_way way;
    uint8_t type; /* AS_IS, TRANSCODE: the type byte to write */
    /* The destination has no expiry of hash fields: values with one are refused unless
     * losing it was decided (rdb_transcode.h, rdb_commands.h). */
    bool drops_field_expiry;
    /* The destination refuses a stream whose length is not the number of its entries, as
     * some servers of the 5.0 days left them: transcode it to its own type when
     * rdb_stream_entries_match() says no. */
    bool counts_entries;
    const char *why; /* IMPOSSIBLE, COMMANDS: a sentence for a person; else NULL */
};

/* The way of a value of `type`, as `source` numbers types. A destination that refuses
 * a payload all the same can be given the value as commands.
 *
 * A module's value is read by the same module only. Without it Redis before 7.0 does
 * not refuse the payload: it ends (seen on 6.0). So it is IMPOSSIBLE there unless
 * has_modules; later servers answer "Bad data format". */
struct rdb_accept rdb_accept(const struct rdb_destination *dest, enum rdb_vendor source,
                             uint8_t type);

/* The destination in so far as the version in the footer of its own DUMP tells: for
 * one that does not answer INFO. False: no server writes that version. */
bool rdb_destination_of_footer(uint16_t rdb_version, struct rdb_destination *ret);

/* Hashes whose fields may expire (a hash of another type has no such field). */
bool rdb_type_has_field_expiry(enum rdb_vendor vendor, uint8_t type);

/* From which version a product's loader can be given a type of its own numbering; 0:
 * always; UINT32_MAX: not at all. */
uint32_t rdb_type_known_from(enum rdb_vendor vendor, uint8_t type);
