/* job_spec_fields.h - the table part of reading a specification; for job_spec.c only.
 *
 * Pure on jansson. Rows of job_spec_fields.def fill the canonical object in their order and say
 * what is wrong by JSON pointer.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"

/* What was found wrong, as the API shows it. */
struct spec_report {
    json_t *errors; /* [{"pointer", "code", "detail"}] */
    int total, later, ambiguous;
    struct err first; /* the story of the first one */
};

/* Add an error. Codes: required, type, range, choice, length, unknown_field, invalid,
 * not_supported_yet, ambiguous_userinfo. */
void spec_report_add(struct spec_report *report, const char *pointer, const char *code,
                     const char *fmt, ...) PRINTF_LIKE(4, 5);

/* Fill `into` with the members of the object at `path` ("" = the top) from `given` (NULL =
 * nothing was). Rows of the kind OWN are set to null there. */
void job_spec_fields_read(const char *path, const json_t *given, json_t *into,
                          struct spec_report *report);

/* Does `given` say nothing else than `fallback` does? Members left out are their default. */
bool job_spec_fields_is_default(const json_t *given, const json_t *fallback);

/* A limit that is given without `enabled` is meant: it would be ignored otherwise. `given` is
 * the request's member, `throttle` the canonical one. */
void job_spec_fields_limits(const json_t *given, json_t *throttle);
