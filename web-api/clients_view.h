/* clients_view.h - who is connected to both ends of a job, and who of them writes. Pure. */
#pragma once

#include "web-api/key_counts_view.h"

/* A new reference; of `c` facts_before is not needed. */
json_t *clients_view(const struct key_counts *c);
