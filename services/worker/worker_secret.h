/* worker_secret.h - a login whose password stands in a file (auth.secret_ref).
 *
 * I/O: the file is read before each connect, so whoever rotates a password writes a file and
 * nothing else.
 */
#pragma once

#include <jansson.h>

#include "services/common/config.h"
#include "services/net/endpoint.h"

/* The password of that end comes from a file: a refused login may heal by itself. */
bool worker_secret_is_of_file(const json_t *spec, const char *end);

/* Put the file's password into *login; nothing happens when no file is named.
 * Errors: CONFIG (KEYFERRY_SECRETS_DIR is not set), SOURCE_AUTH or DEST_AUTH (the file cannot
 * be read). */
MUST_CHECK bool worker_secret_read(const struct config *config, const json_t *spec, const char *end,
                                   struct credentials *login, struct err *err);
