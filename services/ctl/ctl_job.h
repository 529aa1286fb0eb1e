/* ctl_job.h - `keyferry job …`: look at jobs and steer them. One function per word. */
#pragma once

#include "services/ctl/ctl_args.h"

int ctl_job_list(const struct ctl_args *args);
int ctl_job_show(const struct ctl_args *args);
int ctl_job_watch(const struct ctl_args *args);
int ctl_job_pause(const struct ctl_args *args);
int ctl_job_resume(const struct ctl_args *args);
int ctl_job_stop(const struct ctl_args *args);
int ctl_job_throttle(const struct ctl_args *args);
int ctl_job_logs(const struct ctl_args *args);
