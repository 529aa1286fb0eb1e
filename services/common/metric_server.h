/* metric_server.h - /metrics of a process of one thread.
 *
 * I/O that never waits: the owner polls one descriptor and lets it serve, at least once a second.
 * It answers GET and HEAD of /metrics, a few clients at once, each for some seconds at most; one
 * more than there is room for takes the place of the oldest. It speaks plain HTTP/1.1, reads no
 * body and closes after each answer.
 */
#pragma once

#include "services/common/metric.h"

struct metric_server;

/* `address` is "HOST:PORT" or "off", with which *ret is NULL. Several processes may be given the
 * same address: each takes the next port that is free, of 64.
 * Errors: CONFIG, IO. */
MUST_CHECK bool metric_server_open(const char *address, enum metric_process process,
                                   struct metric_server **ret, struct err *err);

/* NULL is fine in all of these. -1 = nothing to poll. */
int metric_server_fd(const struct metric_server *s);
void metric_server_serve(struct metric_server *s);
void metric_server_close(struct metric_server *s);
