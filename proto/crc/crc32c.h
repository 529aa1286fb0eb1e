/* crc32c.h - the checksum of spool records: CRC-32C (Castagnoli).
 *
 * Pure. The usual convention: start with 0, the inversions before and after are
 * inside, so pieces chain; the check value of "123456789" is 0xe3069283. SSE4.2
 * where the processor has it (decided at run time), tables otherwise.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The checksum of what `crc` covers (0 for nothing) followed by `n` bytes at `p`. */
uint32_t crc32c_update(uint32_t crc, const void *p, size_t n);

/* The two ways to compute it, for tests that hold them against each other.
 * crc32c_sse42() may only be called when crc32c_sse42_usable(). */
uint32_t crc32c_slice8(uint32_t crc, const void *p, size_t n);
uint32_t crc32c_sse42(uint32_t crc, const void *p, size_t n);
bool crc32c_sse42_usable(void);
