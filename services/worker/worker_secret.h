/* worker_secret.h - secrets that a worker opens or reads when they are needed.
 *
 * I/O. What is sealed is opened for the moment. A login whose password stands in a file
 * (auth.secret_ref) is read before each connect, so whoever rotates a password writes a file and
 * nothing else.
 */
#pragma once

#include <jansson.h>

#include "services/common/config.h"
#include "services/net/endpoint.h"
#include "services/worker/worker_task.h"

/* Open what is sealed for a row ("job", "precheck", "instance", of that id). A key that we do not
 * have may have come into the master key file since we read it, so that is looked at first.
 * Errors: as seal_open(). */
MUST_CHECK bool worker_secret_open(struct worker *worker, const char *row, const char *id,
                                   struct str blob, struct secret *ret, struct err *err);

/* Look at the master key file. What is wrong with it is logged; the keys stay what they were. */
bool worker_secret_look(struct worker *worker);

/* The password of that end comes from a file: a refused login may heal by itself. */
bool worker_secret_is_of_file(const json_t *spec, const char *end);

/* Put the file's password into *login; nothing happens when no file is named.
 * Errors: CONFIG (KEYFERRY_SECRETS_DIR is not set), SOURCE_AUTH or DEST_AUTH (the file cannot
 * be read). */
MUST_CHECK bool worker_secret_read(const struct config *config, const json_t *spec, const char *end,
                                   struct credentials *login, struct err *err);
