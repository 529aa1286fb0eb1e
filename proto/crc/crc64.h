/* crc64.h - the checksum of snapshots and of DUMP payloads.
 *
 * Pure. CRC-64 "Jones" as Redis and Valkey use it: polynomial
 * 0xad93d23594c935a9, reflected in and out, start 0, no final xor; the check
 * value of "123456789" is 0xe9c6d914c4b8d9ca. Stored little endian where it is
 * stored. Zero means "not computed" to both products.
 *
 * Carry-less multiplication is used where the processor has it (decided at run
 * time); the tables otherwise, and for short pieces.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The checksum of what `crc` covers (0 for nothing) followed by `n` bytes at `p`. */
uint64_t crc64_update(uint64_t crc, const void *p, size_t n);

/* The two ways to compute it, for tests that hold them against each other.
 * crc64_clmul() may only be called when crc64_clmul_usable(). */
uint64_t crc64_slice16(uint64_t crc, const void *p, size_t n);
uint64_t crc64_clmul(uint64_t crc, const void *p, size_t n);
bool crc64_clmul_usable(void);
