/* copy.h - the full copy: the spooled snapshot into the destination.
 *
 * Part of the apply process. Parses the snapshot while it arrives and writes it in
 * large fenced units, the next one built while one is on its way; copy_encode.h says
 * what a record becomes.
 *
 * Each unit moves the mark in the position (copy_mark.h) with its keys. So a copy
 * goes on exactly where the destination is: after a crash of ours, and after a
 * destination came back without the last keys it had acknowledged. One connection
 * with one unit out costs nothing against several (the destination's one thread is
 * the limit, and the next unit is ready when the reply is in).
 */
#pragma once

#include "services/flow/applier.h"

/* Copy until the end of the snapshot. `client` is the claimed connection and is
 * taken. On APPLIER_ON the position says tail (or, in a task without a tail, is
 * still copy) and *ret_client is a connection that may go on.
 * Errors: of lane.h, spool_reader.h, rdb_parser.h; FULL_RESYNC_NEEDED when a
 * second snapshot must not replace the first by itself. */
MUST_CHECK bool copy_run(struct applier *a, struct redis_client client, enum applier_next *ret_next,
                         struct redis_client *ret_client, struct err *err);

/* Remove what a copy that will not go on has left of a value it was building in pieces
 * (copy_pieces.h), while the claim is still ours.
 * Errors: FENCED; DEST_… by reply; POSITION_MISSING; those of redis_client_command. */
MUST_CHECK bool copy_remove_leftover(struct applier *a, struct redis_client *client,
                                     struct err *err);
