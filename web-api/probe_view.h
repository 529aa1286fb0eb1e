/* probe_view.h - connectivity tests and discoveries as the API shows them. Pure; both are runs of
 * the check engine for one purpose. */
#pragma once

#include <jansson.h>

#include "sql/store_precheck.h"

/* New references; never NULL. */
json_t *probe_view_connectivity(const struct store_precheck *run);
json_t *probe_view_discover(const struct store_precheck *run);
