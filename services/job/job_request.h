/* job_request.h - a stored specification as the body of a request again. Pure.
 *
 * A canonical specification holds each end as endpoint_to_json() writes it and no
 * secret; a request says {"inline": …}. What comes out is read by job_spec_read().
 */
#pragma once

#include <jansson.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "services/secret/secret.h"

/* With the credentials put back in: for a change of a job. `sealed` is the opened
 * text of the job's row and may be none. *ret_body is a new reference and holds
 * secrets. Errors: INTERNAL (not what job_spec_read made). */
MUST_CHECK bool job_request_whole(const json_t *spec, const struct secret *sealed,
                                  json_t **ret_body, struct err *err);

/* For people: where a password belongs stands `<source password>`. A new reference. */
json_t *job_request_shown(const json_t *spec);
