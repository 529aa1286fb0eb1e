/* worker_guard.h - what a worker keeps its children from. */
#pragma once

#include "sql/store.h"

/* Tell egress.h, here and in every child to come, where the control database is: no job may lead to
 * it, whatever name it is given. */
void worker_guard_database(const struct store *store);
