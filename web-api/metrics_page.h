/* metrics_page.h - the second listener: GET /metrics in Prometheus' text format, the numbers of
 * this process and those of all jobs.
 * No key is asked for and no name of a user's key is shown, which is why it has an
 * address of its own, by default on the loopback. */
#pragma once

#include "web-api/app.h"
#include "web-api/server.h"

struct server_app metrics_page_server(struct app *app);
