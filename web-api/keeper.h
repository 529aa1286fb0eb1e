/* keeper.h - the API process's own chores, in a thread: bring the schema up, then
 * let requests in; later drop old idempotency records and count jobs for /metrics.
 */
#pragma once

#include <stdbool.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "web-api/app.h"

struct keeper;

/* `database_url` is kept. A database that is away is tried again for ever: the
 * process answers 503 meanwhile. Errors: IO (no thread). */
MUST_CHECK bool keeper_start(struct app *app, const char *database_url, struct keeper **ret_keeper,
                             struct err *err);

/* The schema cannot be brought up by waiting: *ret_why says so and the process
 * should end. */
bool keeper_gave_up(struct keeper *keeper, struct err *ret_why);

/* Ends within a few seconds. NULL is fine. */
void keeper_stop(struct keeper *keeper);
