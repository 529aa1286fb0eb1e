/* attention.h - the question a blocked job puts to a person.
 *
 * Pure: an error in, the `attention` object of the API out. The rows are in
 * attention.def; every error that no retry can heal and that a child may end with
 * has one (a test holds that).
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "proto/base/err.h"

/* Is there a row of its own for this code? */
bool attention_knows(enum err_code code);

/* Does its question offer a new full copy (resume with on_full_resync_needed)? */
bool attention_offers_recopy(enum err_code code);

/* {"code", "since", "detail", "if_you_wait", "choices": [{"action", "body",
 * "consequence"}]}. `since` is RFC 3339; `detail` is shown as it is and must be
 * UTF-8 (else a sentence saying so stands there). A code without a row asks
 * ERR_INTERNAL's question under its own slug. A new reference, never NULL. */
json_t *attention_of(enum err_code code, const char *since, const char *detail);
