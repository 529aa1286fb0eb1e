/* links.h - the connections of a listener, and whose turn it is on each.
 *
 * A client that has the turn (a head, a body, the reading of an answer) has it for a
 * limited time: libmicrohttpd's own timeout counts silence only, so a byte a second
 * would live for ever. A reaper thread ends those. When all places, or all of one address,
 * are taken and a new client comes, the one that has kept us waiting longest goes, first of
 * those that never sent a whole request: who drips costs others nothing. Where it is our turn (a
 * request at work, a stream of events) nothing is cut.
 *
 * Every function may be called from any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "proto/base/attrs.h"

struct links;
struct link;

/* With a thread of its own. NULL when there is none to be had. */
struct links *links_new(unsigned max, unsigned per_address_max);

/* All connections must have been removed. NULL is fine. */
void links_free(struct links *links);

/* A connection that was just taken: the client's turn for within_ms. Where there is no room
 * somebody is told to go, in the worst case this one. */
struct link *links_add(struct links *links, int fd, const struct sockaddr *from,
                       uint32_t within_ms);

/* Before its descriptor is closed: the reaper never shuts down a number that belongs to
 * somebody else by then. */
void links_remove(struct links *links, struct link *link);

/* Within a request: the client is to send or to read, or we work. `link` may be NULL. */
void links_await(struct links *links, struct link *link, uint32_t within_ms);
void links_work(struct links *links, struct link *link);

/* The request is over: the next head is due within within_ms. */
void links_idle(struct links *links, struct link *link, uint32_t within_ms);

/* From now on whoever has no request under way is told to go; wait until nobody has, or until
 * the time is over. */
void links_drain(struct links *links, uint32_t within_ms);
bool links_are_draining(struct links *links);
