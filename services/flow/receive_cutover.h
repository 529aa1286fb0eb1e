/* receive_cutover.h - the source's half of a cutover.
 *
 * Part of the receive process, which has the source in its hands; apply has the destination
 * and sets the seal. Steps, in control.h's words:
 *
 *   PREPARING     nobody pauses the writers: look for a while whether the source is written
 *   LAG           wait until the destination is near enough
 *   DRAINING      pause the writers if asked to; take the source's offset as the goal; apply
 *                 goes on up to it
 *   MAY_SEAL      applied, and a look at the source shows no write since the goal was taken:
 *                 apply may seal, for as long as the pause is sure to hold
 *   WRITERS_FREE  sealed: the pause ends
 *
 * Whatever does not come out so gives the cutover up: the writers go on, the supervisor hears
 * why ("cutover_over"), and nothing has changed. A pause is made of short slices that are
 * renewed, so it ends soon after us, and never lasts longer than write_pause_timeout_ms.
 *
 * Whether the source is written is told by its own count of writes, which expiring keys and
 * keep-alives do not raise; a source that does not tell it is watched by its offset.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "services/flow/control.h"
#include "services/flow/source_side.h"

struct receiver;

struct receive_cutover {
    enum control_cutover step;
    int64_t began_ms;   /* monotonic */
    int64_t look_at_ms; /* monotonic: the next question to the source is due */
    bool is_paused;
    int64_t paused_at_ms;        /* monotonic: before the first pause was asked for */
    int64_t held_until_ms;       /* monotonic: the last slice surely lasts so long */
    struct source_writes before; /* what no writer may raise any more */
    uint64_t goal;
};

/* Do what is due. Returns the time until it wants to be called again: at most `tick_ms`. */
int receive_cutover_tick(struct receiver *r, int tick_ms);

/* The process ends: let the writers go on. */
void receive_cutover_end(struct receiver *r);
