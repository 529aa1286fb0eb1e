/* ctl_job.h - `keyferry job …`: look at jobs and steer them. One function per word. */
#pragma once

#include "services/ctl/ctl_args.h"

int ctl_job_list(const struct ctl_args *args);
int ctl_job_show(const struct ctl_args *args);
int ctl_job_watch(const struct ctl_args *args);
int ctl_job_pause(const struct ctl_args *args);
int ctl_job_resume(const struct ctl_args *args);
int ctl_job_stop(const struct ctl_args *args);
int ctl_job_cutover(const struct ctl_args *args);
int ctl_job_forget(const struct ctl_args *args);
int ctl_job_throttle(const struct ctl_args *args);
int ctl_job_logs(const struct ctl_args *args);

/* The path of the job that is the first argument, with `rest` behind it. The id is
 * checked, for it becomes part of a URL. Errors: USAGE. */
MUST_CHECK bool ctl_job_path(const struct ctl_args *args, const char *rest, char *dst,
                             size_t dst_size, struct err *err);
