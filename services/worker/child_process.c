#include "services/worker/child_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/common/clock.h"
#include "services/common/process.h"
#include "services/flow/child.h"
#include "services/net/egress.h"

/* What a child's environment may hold: settings of the network's and the log's
 * rim and of the tools that watch tests. Never the database's URL or a key file. */
static const char *const passed_on[] = {
    "PATH",
    "TZ",
    "LANG",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "RES_OPTIONS",
    "KEYFERRY_EGRESS_ALLOW",
    "KEYFERRY_EGRESS_DENY",
    EGRESS_OWN_NAME,
    "KEYFERRY_IMPORT_DIR",
    "KEYFERRY_LOG_FORMAT",
    "KEYFERRY_LOG_LEVEL",
    "ASAN_OPTIONS",
    "UBSAN_OPTIONS",
    "TSAN_OPTIONS",
    "LSAN_OPTIONS",
    "GCOV_PREFIX",
    "GCOV_PREFIX_STRIP",
#ifdef KF_FAULTS
    "KEYFERRY_TEST_FAILPOINTS",
    "KEYFERRY_TEST_CLOCK_SKEW_MS",
#endif
};

enum { SPARE_FD = 32, ENVIRONMENT_ROWS = LENGTH_OF(passed_on) + 1 };

extern char **environ;

static void environment_of_child(char *ret_rows[ENVIRONMENT_ROWS]) {
    int count = 0;

    for (char **row = environ; row && *row; row++) {
        for (size_t i = 0; i < LENGTH_OF(passed_on) && count < ENVIRONMENT_ROWS - 1; i++) {
            size_t len = strlen(passed_on[i]);

            if (strncmp(*row, passed_on[i], len) == 0 && (*row)[len] == '=')
                ret_rows[count++] = *row;
        }
    }
    ret_rows[count] = NULL;
}

/* In the child, between fork and exec. */
static _Noreturn void become(const char *program, char *const argv[], char *const environment[],
                             const int wanted[CHILD_FD_COUNT - CHILD_FD_SOCKET], pid_t parent) {
    int spare[CHILD_FD_COUNT - CHILD_FD_SOCKET];
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    /* First away from the fixed numbers, then onto them: one may be another's place. */
    for (int i = 0; i < CHILD_FD_COUNT - CHILD_FD_SOCKET; i++) {
        spare[i] = wanted[i] < 0 ? -1 : fcntl(wanted[i], F_DUPFD_CLOEXEC, SPARE_FD);
        if (wanted[i] >= 0 && spare[i] < 0)
            _exit(126);
    }
    if (null < 0 || dup2(null, STDIN_FILENO) < 0)
        _exit(126);
    for (int i = 0; i < CHILD_FD_COUNT - CHILD_FD_SOCKET; i++) {
        if (spare[i] < 0)
            close(CHILD_FD_SOCKET + i);
        else if (dup2(spare[i], CHILD_FD_SOCKET + i) < 0)
            _exit(126);
    }
    if (close_range(CHILD_FD_COUNT, ~0U, 0) != 0)
        _exit(126);
    /* A group of its own: Ctrl-C at a terminal reaches the supervisor, which ends its
     * children in order. */
    (void)setpgid(0, 0);
    process_child_reset();
    if (!process_die_with_parent(parent, SIGKILL))
        _exit(126);
    execve(program ? program : "/proc/self/exe", argv, environment);
    _exit(127);
}

bool child_process_spawn(struct child_process *ret, const char *program, const char *duty,
                         const char *label, const struct child_fds *fds, struct err *err) {
    char *environment[ENVIRONMENT_ROWS];
    char *argv[] = {strdup("keyferry-worker"), strdup("--child"), strdup(duty), strdup(label),
                    NULL};
    int pair[2];
    pid_t parent = getpid(), pid;
    struct child_process child = CHILD_PROCESS_INIT;
    bool ok = argv[0] && argv[1] && argv[2] && argv[3];

    if (!ok)
        abort();
    ok = child_socket_pair(pair, err);
    if (!ok)
        goto done;
    environment_of_child(environment);
    pid = fork();
    if (pid == 0) {
        const int wanted[] = {pair[1], fds->control, fds->apply_bell, fds->receive_bell,
                              fds->identity};

        become(program, argv, environment, wanted, parent);
    }
    close(pair[1]);
    if (pid < 0) {
        ok = err_set(err, ERR_IO, "fork: %s", strerror(errno));
        close(pair[0]);
        goto done;
    }
    child.pid = pid;
    child.socket = pair[0];
    child.started_ms = clock_mono_ms();
    /* Not yet waited for, so the pid is still this child's. */
    child.pidfd = pidfd_open(pid, 0);
    if (child.pidfd < 0) {
        ok = err_set(err, ERR_IO, "pidfd_open: %s", strerror(errno));
        child_process_done(&child);
        goto done;
    }
    *ret = child;
done:
    for (size_t i = 0; i < LENGTH_OF(argv); i++)
        free(argv[i]);
    return ok;
}

void child_process_signal(const struct child_process *child, int sig) {
    if (child->pidfd >= 0 && pidfd_send_signal(child->pidfd, sig, NULL, 0) != 0)
        return; /* ESRCH: it has ended, which poll tells */
}

static void take_status(const siginfo_t *info, struct child_end *ret_end) {
    bool exited = info->si_code == CLD_EXITED;

    *ret_end = (struct child_end){.exit_status = exited ? info->si_status : -1,
                                  .signal = exited ? 0 : info->si_status};
}

bool child_process_reap(struct child_process *child, struct child_end *ret_end) {
    siginfo_t info = {0};

    if (child->pid == 0 || waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED | WNOHANG) != 0 ||
        info.si_pid == 0)
        return false;
    take_status(&info, ret_end);
    close(child->pidfd);
    child->pidfd = -1;
    child->pid = 0;
    return true;
}

void child_process_done(struct child_process *child) {
    if (child->pid != 0) {
        /* A killed process ends even when it was stopped; only the kernel can delay it
         * (a disk that does not answer), and then it writes nothing more of ours. */
        kill(child->pid, SIGKILL);
        while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    if (child->pidfd >= 0)
        close(child->pidfd);
    if (child->socket >= 0)
        close(child->socket);
    *child = CHILD_PROCESS_INIT;
}
