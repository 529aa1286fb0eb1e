/* ctl_top.h - `keyferry top`: all jobs, again and again. */
#pragma once

#include "services/ctl/ctl_args.h"

/* On a terminal a table that is written over, until q or Ctrl-C; in a pipe one plain line of each
 * job, again after each interval. Answers the exit code. */
int ctl_top_run(const struct ctl_args *args);
