/* app.h - the API process without its sockets: what every request passes through.
 *
 * head -> route -> key -> body -> (idempotency) -> handler -> conditions -> answer.
 * Called from many threads. Errors become problem documents and are logged here
 * and nowhere else.
 */
#pragma once

#include <stdbool.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "services/common/config.h"
#include "services/secret/seal.h"
#include "web-api/route.h"
#include "web-api/server.h"
#include "web-api/spec_memo.h"
#include "web-api/store_pool.h"

/* Needs config->database_url and, to take passwords, config->master_key_file; `config` is borrowed
 * for as long as the app lives.
 * The pool lends nothing before keeper.h has seen the schema.
 * Errors: CONFIG, IO, MEMORY. */
MUST_CHECK bool app_new(const struct config *config, struct app **ret_app, struct err *err);
/* After the servers are gone. NULL is fine. */
void app_free(struct app *app);

/* What the listener of the API calls. */
struct server_app app_server(struct app *app);

/* Long waits and streams end soon after this. */
void app_stop(struct app *app);
bool app_is_stopping(struct app *app);

struct store_pool *app_pool(struct app *app);
const struct config *app_config(struct app *app);
/* The master keys as they are now; good for the length of a request. */
const struct keyring *app_keyring(struct app *app);
struct stream_limit *app_streams(struct app *app);
struct spec_memo *app_specs(struct app *app);

/* For the keeper: has the key file changed? As app_keys_look(). */
MUST_CHECK bool app_look_at_keys(struct app *app, bool *ret_changed, struct err *err);

/* Run the handler of an authorised call and do what is the same for all of them:
 * idempotency, problems, waiting, conditions. For app.c and tests. */
void app_run(struct call *call, struct reply *reply);
