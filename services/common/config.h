/* config.h - the settings of the processes, typed and checked.
 *
 * Rows of config_keys.def; the same rows parse, validate, print and document.
 * A setting in the environment stands above the same in the file. A wrong value,
 * an unknown name in the file and an unknown KEYFERRY_ name in the environment
 * are errors: a typo must not become a default.
 *
 * Names of clients (KEYFERRY_URL, KEYFERRY_API_KEY, KEYFERRY_SOURCE_PASSWORD,
 * KEYFERRY_DESTINATION_PASSWORD), everything below KEYFERRY_TEST_ and what
 * Kubernetes adds for a service of our name are not settings and are passed over.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"

struct config {
#define CONFIG_TEXT(field, name, fallback, help) char *field; /* owned, never NULL */
#define CONFIG_INT(field, name, fallback, lowest, highest, help) int64_t field;
#define CONFIG_CHOICE(field, name, fallback, choices, help) char *field; /* owned, one of them */
#include "services/common/config_keys.def"
#undef CONFIG_TEXT
#undef CONFIG_INT
#undef CONFIG_CHOICE
};

/* Everything at its default; config_done() gives it back. */
void config_init(struct config *c);
void config_done(struct config *c);

/* Read `file` (NULL = none), then `environment` ("NAME=value" strings, NULL at the
 * end; NULL = none). On failure *c holds what was read before.
 * Errors: CONFIG names the setting, what it was and what it may be (a value that
 * may hold a password is not quoted); IO. */
MUST_CHECK bool config_load(struct config *c, const char *file, char *const *environment,
                            struct err *err);

/* Set one by its name, as if the environment held it. Errors: CONFIG. */
MUST_CHECK bool config_set(struct config *c, const char *name, const char *value, struct err *err);

/* The table for people: one setting per row, as Markdown. Errors: TOO_BIG. */
MUST_CHECK bool config_describe(struct buf *ret_text, struct err *err);
