#include "services/ctl/subprocess.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "services/common/process.h"

extern char **environ;

enum { POLL_INTERVAL_MS = 10 };

static bool become(const struct subprocess_spec *spec) {
    if (!spec->become_user)
        return true;
    return setgroups(0, NULL) == 0 && setgid(spec->gid) == 0 && setuid(spec->uid) == 0;
}

static bool redirect(int output_fd) {
    int null_fd = open("/dev/null", O_RDWR);

    if (null_fd < 0)
        return false;
    if (output_fd < 0)
        output_fd = null_fd;
    return dup2(null_fd, STDIN_FILENO) >= 0 && dup2(output_fd, STDOUT_FILENO) >= 0 &&
           dup2(output_fd, STDERR_FILENO) >= 0;
}

/* Runs in the child. Whatever fails is told through the pipe, which exec closes. */
static _Noreturn void run_child(const struct subprocess_spec *spec, pid_t parent, int pipe_fd) {
    char *const *envp = spec->envp ? (char *const *)(uintptr_t)spec->envp : environ;
    int why;

    process_child_reset();
    setsid();
    /* Without the flag (kernels before 5.11) our own descriptors still are
     * close-on-exec one by one. */
    (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    if (redirect(spec->output_fd) && become(spec) &&
        prctl(PR_SET_PDEATHSIG, spec->death_signal) == 0) {
        if (getppid() != parent) /* the parent died before the signal was set */
            _exit(127);
        execve(spec->argv[0], (char *const *)(uintptr_t)spec->argv, envp);
    }
    why = errno;
    if (write(pipe_fd, &why, sizeof(why)) < 0)
        _exit(126);
    _exit(127);
}

bool subprocess_start(const struct subprocess_spec *spec, pid_t *ret_pid, struct err *err) {
    pid_t parent = getpid(), pid;
    int fds[2], why = 0;
    ssize_t got;

    if (pipe2(fds, O_CLOEXEC) != 0)
        return err_set(err, ERR_IO, "starting %s: %s", spec->argv[0], strerror(errno));
    pid = fork();
    if (pid < 0) {
        why = errno;
        close(fds[0]);
        close(fds[1]);
        return err_set(err, ERR_IO, "starting %s: %s", spec->argv[0], strerror(why));
    }
    if (pid == 0)
        run_child(spec, parent, fds[1]);
    close(fds[1]);
    do
        got = read(fds[0], &why, sizeof(why));
    while (got < 0 && errno == EINTR);
    close(fds[0]);
    if (got == (ssize_t)sizeof(why)) {
        int status;

        (void)subprocess_wait(pid, 1000, &status);
        return err_set(err, ERR_IO, "starting %s: %s", spec->argv[0], strerror(why));
    }
    *ret_pid = pid;
    return true;
}

bool subprocess_wait(pid_t pid, int timeout_ms, int *ret_status) {
    const struct timespec pause = {.tv_nsec = POLL_INTERVAL_MS * 1000000L};

    for (int waited_ms = 0;; waited_ms += POLL_INTERVAL_MS) {
        int status = 0;
        pid_t got = waitpid(pid, &status, WNOHANG);

        if (got == pid || (got < 0 && errno == ECHILD)) {
            *ret_status = got == pid ? status : 0;
            return true;
        }
        if (waited_ms >= timeout_ms)
            return false;
        nanosleep(&pause, NULL);
    }
}

void subprocess_describe(int status, char *dst, size_t dst_size) {
    if (WIFSIGNALED(status))
        snprintf(dst, dst_size, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(dst, dst_size, "exit %d", WEXITSTATUS(status));
}
