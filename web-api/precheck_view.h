/* precheck_view.h - a run of the precheck as the API shows it. Pure. */
#pragma once

#include <jansson.h>

#include "sql/store_precheck.h"

/* A new reference with every member of the contract's Precheck, `etag` included. A run
 * that waits for a worker is shown as running. */
json_t *precheck_view(const struct store_precheck *precheck);
