/* child_process.h - one child of a supervisor: spawn it, signal it, see it end.
 *
 * Not pure: fork, exec, pidfd. A child is this very program with `--child DUTY` and
 * the descriptors of services/flow/child.h; nothing else is open in it, and its
 * environment holds no more than the names listed in child_process.c. It is killed
 * by the kernel when the supervisor ends (PDEATHSIG), so no child outlives the
 * process that holds its lease. Spawn from the thread that lives longest: the
 * kernel ties the signal to it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/base/err.h"

struct child_process {
    pid_t pid;          /* 0 = none */
    int pidfd;          /* readable when it has ended; -1 = none */
    int socket;         /* ours of the pair; -1 = none */
    int64_t started_ms; /* monotonic */
};

#define CHILD_PROCESS_INIT ((struct child_process){.pid = 0, .pidfd = -1, .socket = -1})

/* What it shares with its siblings; -1 where a duty has none (`check`). `identity` is
 * the lock of worker_identity.h. */
struct child_fds {
    int control, apply_bell, receive_bell, identity;
};

/* How it ended. */
struct child_end {
    int exit_status; /* -1 when a signal ended it */
    int signal;      /* 0 when it exited */
};

/* Start `program --child duty label`; `label` (a job's id) is for whoever reads `ps`.
 * `program` NULL is this program itself. Errors: IO. */
MUST_CHECK bool child_process_spawn(struct child_process *ret, const char *program,
                                    const char *duty, const char *label,
                                    const struct child_fds *fds, struct err *err);

/* Nothing happens when it has ended. */
void child_process_signal(const struct child_process *child, int sig);

/* Look, without waiting, whether it has ended; if so take its status and let pid and
 * pidfd go. The socket stays open for what it said last: child_process_done(). */
bool child_process_reap(struct child_process *child, struct child_end *ret_end);

/* Kill it, wait for it and close what is open. Fine on CHILD_PROCESS_INIT. */
void child_process_done(struct child_process *child);
