/* lookup.h - the addresses of a host, within a deadline.
 *
 * getaddrinfo() waits as long as the resolver's own settings say and cannot be stopped, so it runs
 * in a thread that is left behind when it takes too long. getaddrinfo_a() would do the same with
 * threads that no sanitizer knows of and that crash under it.
 */
#pragma once

#include <netdb.h>
#include <stdint.h>

/* 0 and the addresses, to be given to freeaddrinfo(); else an EAI_ code, of which LOOKUP_TOO_SLOW
 * is that of the deadline. An address in figures needs no thread. */
enum { LOOKUP_TOO_SLOW = EAI_INPROGRESS };

int lookup_host(const char *host, uint16_t port, uint32_t within_ms, struct addrinfo **ret);
