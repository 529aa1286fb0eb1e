/* tail_records.h - commands that a tail leaves out, and those it is asked to apply after all.
 *
 * What a unit leaves out is on record, with the supervisor and its control database, before
 * the unit goes: a position that passed it without a trace cannot be. A replay is a unit of its
 * own at the position where the tail stands; its number is in the position's hash, in the same
 * transaction, so it is done once.
 */
#pragma once

#include "services/flow/stream_units.h"

/* Errors: those of child_ask(). */
MUST_CHECK bool tail_records_keep(struct applier *a, const struct stream_unit *u, struct err *err);

/* It is about the command that it cannot be applied, and not about a connection that is asked
 * meanwhile, or about us. */
bool tail_records_is_refusal(enum err_code code);

/* Apply what is wanted. The lane is READY and is so again; `u` is empty, and again. What the
 * rules of today still refuse is refused on record. *ret_upto: of control.replay_wanted,
 * what this call has seen to.
 * Errors: those of lane_pump(), of child_ask(), of applier_connect(). */
MUST_CHECK bool tail_records_replay(struct applier *a, struct lane *lane, struct stream_units *s,
                                    struct stream_unit *u, uint64_t *ret_upto, struct err *err);
