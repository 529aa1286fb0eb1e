/* webhook_message.h - what is sent, and by whom it was signed.
 *
 * Pure but for HMAC. Two forms: Standard Webhooks 1.0 (standardwebhooks.com: headers webhook-id,
 * webhook-timestamp, webhook-signature = "v1," and the base64 of HMAC-SHA256 over
 * "id.timestamp.body", one for each secret while they are rotated), and the array that an
 * Alertmanager takes at /api/v2/alerts.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/str.h"

enum { WEBHOOK_BODY_MAX = 20000, WEBHOOK_SECRETS_MAX = 2, WEBHOOK_SECRET_SIZE = 64 };

/* {"type", "timestamp", "data"}; data_taken is taken over. The caller's to free(). */
char *webhook_message_standard(const char *type, const char *timestamp, json_t *data_taken);

/* Of the alerts as store_webhook_pushes() lists them. The caller's to free(). */
char *webhook_message_alertmanager(const json_t *alerts);

/* "whsec_" and base64 of 24 to 64 bytes, in its bytes. Errors: VALIDATION. */
MUST_CHECK bool webhook_secret_parse(const char *text, unsigned char ret[WEBHOOK_SECRET_SIZE],
                                     size_t *ret_len, struct err *err);

/* A new one as text, 32 random bytes. Errors: INTERNAL. */
enum { WEBHOOK_SECRET_TEXT_SIZE = 64 };
MUST_CHECK bool webhook_secret_make(char ret[WEBHOOK_SECRET_TEXT_SIZE], struct err *err);

/* The header's value for one secret, "v1,…", appended to `out` with a blank before it when there
 * is something. Errors: VALIDATION, TOO_BIG, INTERNAL. */
MUST_CHECK bool webhook_message_sign(const char *secret, const char *id, int64_t timestamp_s,
                                     struct str body, struct buf *out, struct err *err);
