/* ctl_migrate.h - `keyferry migrate`: create, check, start, follow. */
#pragma once

#include "services/ctl/ctl_args.h"

int ctl_migrate_run(const struct ctl_args *args);
