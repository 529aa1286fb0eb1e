/* subprocess.h - one child process: started clean, told when we die, stopped in order.
 *
 * A child gets its arguments, an environment, stdin from /dev/null, one
 * descriptor for stdout and stderr, and nothing else of ours: no descriptor, no
 * blocked signal, a session of its own (Ctrl-C on our terminal reaches us only).
 *
 * Start children from the main thread: the death signal fires when the thread
 * that created the child ends. It is set after the change of user, because
 * setuid() clears it.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"

struct subprocess_spec {
    const char *const *argv; /* argv[0] is the path that is executed */
    const char *const *envp; /* NULL = our own environment */
    bool become_user;        /* run as uid and gid, without other groups; needs root */
    uid_t uid;
    gid_t gid;
    int death_signal; /* what the child gets when we die */
    int output_fd;    /* its stdout and stderr; -1 = /dev/null */
};

/* Start it. When this returns true the program has been executed, not only the
 * process made.
 * Errors: IO names the program and the reason. */
MUST_CHECK bool subprocess_start(const struct subprocess_spec *spec, pid_t *ret_pid,
                                 struct err *err);

/* Wait at most timeout_ms (0 = only look) and reap it. *ret_status is as from
 * waitpid(). False while it still runs. A pid that is not our child counts as
 * ended, with status 0. */
bool subprocess_wait(pid_t pid, int timeout_ms, int *ret_status);

/* How a process ended, for a person: "exit 1", "signal 9 (Killed)". */
void subprocess_describe(int status, char *dst, size_t dst_size);
