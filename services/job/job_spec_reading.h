/* job_spec_reading.h - how the source is to be read, and what can go with it; for
 * job_spec.c only.
 *
 * Pure on jansson. Which way of `auto` it becomes is found out by the precheck and, again,
 * when the copy begins: rights change.
 */
#pragma once

#include "services/job/job_spec_fields.h"
#include "services/net/endpoint.h"

/* migration.scan.types of `given`, the body's migration, into `migration`: null or a list. */
void job_spec_read_scan(const json_t *given, json_t *migration, struct spec_report *report);

/* `spec` is canonical but for what was refused; an end that was not given, or could not be
 * read, is NULL. */
void job_spec_check_reading(const json_t *spec, const struct endpoint *source,
                            const struct endpoint *destination, struct spec_report *report);
