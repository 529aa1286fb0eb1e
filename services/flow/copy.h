/* copy.h - the full copy: the spooled snapshot into the destination.
 *
 * Part of the apply process. Parses the snapshot while it arrives and writes it
 * over several lanes in large fenced batches: strings without expiry by MSET, with
 * one by SET … PXAT, everything else by RESTORE of the bytes as they stand in the
 * snapshot. Every key occurs once in a snapshot, so the lanes need no order among
 * each other; writing one again after a restart replaces it by itself.
 *
 * How far all lanes are acknowledged is kept in the spool (copy_mark.h): a killed
 * process goes on there. The tail starts when everything is acknowledged.
 */
#pragma once

#include "services/flow/applier.h"

/* Copy until the end of the snapshot. `client` is the claimed connection and is
 * taken. On APPLIER_ON the position says tail (or, in a task without a tail, is
 * still copy) and *ret_client is a connection that may go on.
 * Errors: of lane.h, spool_reader.h, rdb_parser.h; DEST_NOT_EMPTY and
 * FULL_RESYNC_NEEDED when a second snapshot must not replace the first by itself. */
MUST_CHECK bool copy_run(struct applier *a, struct redis_client client, enum applier_next *ret_next,
                         struct redis_client *ret_client, struct err *err);
