/* apply_end.h - how an apply process ends a task on the destination.
 *
 * Part of the apply process. Each way closes the position, so that no later unit of any
 * worker passes its gate:
 *
 *   stop      settle, then close: the destination may not be used before
 *   done      close: a copy alone holds no expiry back
 *   cutover   close first ("sealed": clients may write there from that moment), then settle
 *   forget    remove what was closed
 *
 * A life that ends between the two steps of a cutover is followed by one with the errand
 * "finish", which settles what is left. Errors of all: FENCED, SEALED, DEST_… by reply, those
 * of redis_client_command and of child_send.
 */
#pragma once

#include "services/flow/applier.h"

MUST_CHECK bool apply_end_stop(struct applier *a, struct redis_client *client, struct err *err);

MUST_CHECK bool apply_end_done(struct applier *a, struct redis_client *client, struct err *err);

/* Everything up to the cutover's goal is applied. *ret_next is RESTART when the seal may not be
 * set any more: the task goes on behind a new claim. Errors, too: DIVERGED (the destination has
 * evicted keys since the last unit that had anything to write). */
MUST_CHECK bool apply_end_cutover(struct applier *a, struct redis_client *client,
                                  enum applier_next *ret_next, struct err *err);

/* Settle what is sealed, then close for good. */
MUST_CHECK bool apply_end_sealed(struct applier *a, struct redis_client *client, struct err *err);

MUST_CHECK bool apply_end_forget(struct applier *a, struct err *err);
