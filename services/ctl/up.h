/* up.h - `keyferry up`: the whole service in the foreground.
 *
 * A private PostgreSQL (unless KEYFERRY_DATABASE_URL names one), the API and the
 * workers. It prints one line when the API answers, logs to standard error what
 * ends and starts again, and stops everything in order on SIGTERM or Ctrl-C.
 * Whatever is killed, this included, a next start goes on from there.
 */
#pragma once

#include "services/ctl/ctl_args.h"

int up_run(const struct ctl_args *args);
