/* rdb_fixture.h - two snapshots as redis-server 7.0.15 wrote them.
 *
 * packed: every type below its limits (listpacks, intsets, one stream with a
 * group), strings of every encoding, an empty key, a binary key, an expiry, a
 * function library, databases 0 and 3.
 * unpacked: the same types above their limits (hash tables, skip lists,
 * quicklists of several nodes), LFU hints, an expiry, a stream of several nodes
 * with two groups.
 */
#pragma once

#define RDB_FIXTURE_PACKED_LEN 976
#define RDB_FIXTURE_UNPACKED_LEN 785

extern const unsigned char rdb_fixture_packed[RDB_FIXTURE_PACKED_LEN];
extern const unsigned char rdb_fixture_unpacked[RDB_FIXTURE_UNPACKED_LEN];
