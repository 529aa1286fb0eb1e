/* crc16.h - the checksum that spreads keys over cluster slots.
 *
 * Pure. CRC-16/XMODEM (polynomial 0x1021, start 0, not reflected), as the
 * cluster specification fixes it; the check value of "123456789" is 0x31c3. A
 * slot is this modulo 16384, of the part between braces where there is one:
 * that rule belongs to the cluster code.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

uint16_t crc16(const void *p, size_t n);
