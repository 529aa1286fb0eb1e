/* store_migrate.h - bring the schema of the control database up to this program.
 *
 * Files of sql/migrations/ in the order of their numbers, one transaction each,
 * forward only, under an advisory lock: many may call it at once and one does the
 * work. What was applied is kept with its checksum; a file that changed afterwards,
 * a number given twice, and a database that is newer than this program are STORE_SCHEMA.
 */
#pragma once

#include "sql/store.h"

/* *ret_applied (may be NULL) is how many files this call applied. */
MUST_CHECK bool store_migrate(const char *url, int *ret_applied, struct err *err);
