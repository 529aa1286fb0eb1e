/* api_client.h - the command line as a client of the HTTP API.
 *
 * One connection over libcurl; JSON in, JSON out. A problem document becomes an
 * error with the code it names, so a caller reads one kind of failure.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "proto/base/err.h"
#include "services/ctl/ctl_args.h"
#include "services/secret/secret.h"

struct api_client {
    void *handle; /* CURL */
    char base_url[512];
    struct secret key;
    bool local; /* found in a data directory: no proxy stands between */
};

#define API_CLIENT_INIT ((struct api_client){.handle = NULL, .key = SECRET_INIT})

/* Where the service is and which key: --url and --api-key-file, KEYFERRY_URL and
 * KEYFERRY_API_KEY, else what `keyferry up` left in the data directory. Connects
 * to nothing yet.
 * Errors: USAGE (no service is known; says how to start one), IO, CONFIG. */
MUST_CHECK bool api_client_open(struct api_client *client, const struct ctl_args *args,
                                struct err *err);

/* Fine on a client that never opened. */
void api_client_close(struct api_client *client);

/* One request. `path` begins with "/v1/"; `body` (borrowed) may be NULL. *ret (may be
 * NULL) is a new reference; json_null() when the answer has no body. A POST carries
 * an idempotency key of its own and is repeated with it once when the connection
 * breaks, so that it is never done twice.
 * Errors: CONNECT (nobody listens; says how to start one), TIMEOUT, CLOSED,
 * PROTOCOL (no JSON), or the code of the problem document. */
MUST_CHECK bool api_client_call(struct api_client *client, const char *method, const char *path,
                                const json_t *body, json_t **ret, struct err *err);

/* Is this failure one that passes when a process of the service starts again? */
bool api_client_may_pass(const struct err *err);

/* A problem document's story: detail and the fields it names. Pure. False always,
 * as every setter of an error. */
bool api_client_problem(const json_t *document, long status, struct err *err);
