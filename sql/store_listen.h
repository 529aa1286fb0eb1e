/* store_listen.h - wake-ups of the control database: LISTEN.
 *
 * A wake-up is a hint and may be lost (with the connection all are); the rows are the
 * truth, so whoever listens also looks every few seconds. A connection of its own,
 * which connects again by itself.
 *
 * Channels and payloads:
 *   kf_job       id of a job whose state, wanted or sealed columns changed
 *   kf_precheck  id of a precheck that was queued, cancelled or finished
 *   kf_worker    id of a worker that is to be drained, or not any more
 */
#pragma once

#include "sql/store.h"

#define STORE_CHANNEL_JOB "kf_job"
#define STORE_CHANNEL_PRECHECK "kf_precheck"
#define STORE_CHANNEL_WORKER "kf_worker"

struct store_listen;

enum store_wake_kind {
    STORE_WAKE_NONE, /* nothing within the time */
    STORE_WAKE_NOTE, /* channel and id are set */
    STORE_WAKE_LOST, /* the connection was lost and is back: read everything again */
};

struct store_wake {
    enum store_wake_kind kind;
    char channel[32];
    char id[STORE_ID_SIZE];
};

/* Listens on all channels. */
MUST_CHECK bool store_listen_open(const char *url, const char *application,
                                  struct store_listen **ret_listen, struct err *err);
void store_listen_close(struct store_listen *listen);

/* To poll for reading; -1 while there is no connection. The number may change, and an
 * epoll forgets it, after any call of store_listen_next() that answers LOST. */
int store_listen_fd(const struct store_listen *listen);

/* The next wake-up, waiting at most timeout_ms (0 = only look; call until NONE).
 * While the server is away it answers NONE and tries to connect again with pauses. */
void store_listen_next(struct store_listen *listen, int timeout_ms, struct store_wake *ret_wake);
