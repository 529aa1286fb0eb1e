/* worker_loop.h - the supervisor: one thread that claims, watches children and reports.
 *
 * It wakes for what its children say, for wake-ups of the control database, for
 * signals, and about once a second for the report. When the control database is
 * away it goes on serving its children from what it knows, tries again with
 * pauses, and then takes up its own leases where they were.
 */
#pragma once

#include "services/worker/worker_task.h"

/* Run until SIGTERM or SIGINT, then pause the children, give the leases back and
 * return. `signal_fd` is process_signals_open()'s.
 * Errors: STORE and STORE_SCHEMA when the control database cannot be used at the
 * start; IO. */
MUST_CHECK bool worker_loop_run(const struct config *config, struct keyring_file *keys,
                                const struct worker_identity *identity, int signal_fd,
                                struct err *err);
