#include "services/common/process.h"

#include <errno.h>
#include <jansson.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

static int signal_fd = -1;

/* Passwords pass through JSON on their way in and to children. */
static void wiping_free(void *ptr) {
    if (ptr)
        explicit_bzero(ptr, malloc_usable_size(ptr));
    free(ptr);
}

void process_harden(void) {
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};

    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
    signal(SIGPIPE, SIG_IGN);
    json_set_alloc_funcs(malloc, wiping_free);
}

bool process_signals_open(int *ret_fd, struct err *err) {
    sigset_t set;
    int fd;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return err_set(err, ERR_IO, "blocking signals: %s", strerror(errno));
    fd = signalfd(signal_fd, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return err_set(err, ERR_IO, "a descriptor for signals: %s", strerror(errno));
    signal_fd = fd;
    *ret_fd = fd;
    return true;
}

enum process_signal process_signal_take(void) {
    struct signalfd_siginfo info;

    while (signal_fd >= 0 && read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        switch (info.ssi_signo) {
        case SIGTERM:
        case SIGINT:
            return PROCESS_STOP;
        case SIGHUP:
            return PROCESS_RELOAD;
        case SIGCHLD:
            return PROCESS_CHILD;
        default:
            break;
        }
    }
    return PROCESS_NONE;
}

bool process_die_with_parent(int parent_pid, int sig) {
    prctl(PR_SET_PDEATHSIG, sig);
    /* It may have died before we asked. */
    return getppid() == parent_pid;
}

void process_child_reset(void) {
    sigset_t none;

    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}
