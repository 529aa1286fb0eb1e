/* process.h - the first lines of every main of ours.
 *
 * Not pure. Secrets live in these processes, so they leave no core, may not be
 * traced by other processes of the same user, and JSON memory, through which
 * passwords pass, is wiped when it is given back.
 */
#pragma once

#include <stdbool.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"

/* No core dumps, not dumpable, SIGPIPE ignored, jansson's memory wiped on free.
 * Call it first, before a thread exists or a secret is read. */
void process_harden(void);

/* From here on SIGTERM and SIGINT are noted instead of ending the process, and
 * SIGHUP asks for a reload. *ret_fd becomes readable when one has come: poll it
 * and call process_signal_take(). One per process.
 * Errors: IO. */
MUST_CHECK bool process_signals_open(int *ret_fd, struct err *err);

enum process_signal { PROCESS_NONE = 0, PROCESS_STOP, PROCESS_RELOAD, PROCESS_CHILD };

/* The next signal that has come, without waiting. SIGCHLD is PROCESS_CHILD. */
enum process_signal process_signal_take(void);

/* Die with the parent: `parent_pid` is the pid the parent had before fork; false
 * when it is gone already. `sig` is what we get when it goes. */
MUST_CHECK bool process_die_with_parent(int parent_pid, int sig);

/* Undo the parts that exec would carry on: default signal handling and an empty
 * signal mask. For the child between fork and exec. */
void process_child_reset(void);
