/* ctl_exit.h - how the command line ends. README.md lists the codes. */
#pragma once

#include "proto/base/err.h"

enum ctl_exit {
    CTL_EXIT_REACHED = 0,
    CTL_EXIT_FAILED = 1,
    CTL_EXIT_USAGE = 2, /* also: no service */
    CTL_EXIT_PRECHECK = 3,
    CTL_EXIT_BLOCKED = 4,
    CTL_EXIT_DIFFERENT = 5,
    CTL_EXIT_DETACHED = 130,
};

/* Say what failed on standard error and answer the exit code it means. */
int ctl_exit_with(const struct err *err);
