/* ctl_master_key.h - `keyferry master-key list|add|prune`: another key for what is stored.
 *
 * The file is that of KEYFERRY_MASTER_KEY_FILE, else of the data directory, on the machine where
 * this runs; how far the change is, the service tells.
 */
#pragma once

#include "services/ctl/ctl_args.h"

int ctl_master_key_list(const struct ctl_args *args);

/* Add a key and wait until everything is sealed with it. */
int ctl_master_key_add(const struct ctl_args *args);

/* Take out of the file what nothing needs any more. */
int ctl_master_key_prune(const struct ctl_args *args);
