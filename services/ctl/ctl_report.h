/* ctl_report.h - `keyferry report JOB`. */
#pragma once

#include "services/ctl/ctl_args.h"

/* Print the record of a migration, as text, Markdown or JSON. Answers the exit code. */
int ctl_report_run(const struct ctl_args *args);
