/* app_keys.h - the master keys as the threads of the API see them.
 *
 * One thread looks at the key file; the others take the ring that counts now and keep it for the
 * length of a request. A ring that was replaced is wiped when no request can have it any more.
 */
#pragma once

#include "services/secret/keyring.h"

struct app_keys;

/* `path` "" = no master key. Errors: as keyring_open(), MEMORY. */
MUST_CHECK bool app_keys_new(const char *path, struct app_keys **ret, struct err *err);

/* No thread uses a ring of it any more. NULL is fine. */
void app_keys_free(struct app_keys *keys);

/* Any thread. Good for ten minutes: longer than any request may last. */
const struct keyring *app_keys_ring(struct app_keys *keys);

/* Look at the file; one thread only, every few seconds. *ret_changed: there are others now.
 * Errors: as keyring_open(), once for each state of the file; the keys stay what they were. */
MUST_CHECK bool app_keys_look(struct app_keys *keys, bool *ret_changed, struct err *err);
